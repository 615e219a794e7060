// How far the bodies have come, as sequences: what a cursor says, and which bodies are missing. Pure state. It only ever goes
// forward: a cursor that said less than one before would have bodies sent again behind newer ones.

import { type Cursor, NO_CURSOR } from './cursor.ts';
import type { Position } from './sequence.ts';

export class Progress {
  /** Sequences below have their final fate, but for the stragglers. */
  floor: number;
  /** By shard of the lanes that are served: likewise. */
  marks: number[];
  /** Behind the last body that was stored. */
  #end: Position;
  /** From where on how many were jumped over, ascending. */
  readonly #jumps: Position[];
  /** There was no cursor: nobody knows what has been sent. */
  readonly isBlind: boolean;
  /** Stragglers in segments that haven't been read. */
  #unread: number[];
  /** Bodies that should be there and aren't: ascending ranges, the second number exclusive. */
  readonly #gaps: [from: number, to: number][] = [];
  #lost = 0;

  constructor(cursor: Cursor) {
    this.floor = cursor.floor;
    this.#end = { sequence: cursor.end, jumped: cursor.endJumped };
    this.#jumps = [{ sequence: cursor.floor, jumped: cursor.floorJumped }];
    this.marks = [...cursor.shards];
    this.isBlind = cursor === NO_CURSOR;
    this.#unread = [...cursor.stragglers];
  }

  get unreadStragglers(): readonly number[] {
    return this.#unread;
  }

  get end(): Position {
    return this.#end;
  }

  /** How many below the floor were never given. */
  get floorJumped(): number {
    return this.#jumpedBefore(this.floor);
  }

  /** From here on so many were jumped over. To be told in their order. */
  jump(position: Position): void {
    if (position.jumped > this.#jumps.at(-1)!.jumped) this.#jumps.push({ ...position });
  }

  stored(sequence: number): void {
    if (sequence < this.#end.sequence) return;
    this.#end = { sequence: sequence + 1, jumped: this.#jumpedBefore(sequence + 1) };
  }

  raiseFloor(sequence: number): void {
    this.floor = Math.max(this.floor, sequence);
  }

  /** Lanes of so many shards are served from now on. */
  serve(shards: number): void {
    if (shards !== this.marks.length) this.marks = Array.from({ length: shards }, () => this.floor);
  }

  raiseMark(shard: number, sequence: number): void {
    this.marks[shard] = Math.max(this.marks[shard]!, sequence);
  }

  /** Whether a body of this shard has its final fate, where shards are `shards`. */
  isPassed(sequence: number, shard: number, shards: number): boolean {
    return sequence < this.floor || (shards === this.marks.length && sequence < this.marks[shard]!);
  }

  /** These were stored, and aren't there. Below the floor it doesn't matter. */
  miss(from: number, to: number): void {
    const first = Math.max(from, this.floor);
    if (first >= to) return;
    this.#gaps.push([first, to]);
    this.#gaps.sort(([a], [b]) => a - b);
  }

  /** How many are missing and not passed. */
  get missing(): number {
    return this.#gaps.reduce((sum, [from, to]) => sum + to - from, this.#lost);
  }

  found(sequence: number): void {
    this.stored(sequence);
    if (this.#unread.length > 0) this.#unread = this.#unread.filter((one) => one !== sequence);
  }

  /** These have been looked for: stragglers that weren't found are lost. */
  looked(isHere: (sequence: number) => boolean): void {
    // Those above the floor are in a gap.
    this.#lost += this.#unread.filter((sequence) => isHere(sequence) && sequence < this.floor).length;
    this.#unread = this.#unread.filter((sequence) => !isHere(sequence));
  }

  /** How many missing bodies have been passed since the last call: only now nothing can bring them back. */
  takeLost(): number {
    let lost = this.#lost;
    this.#lost = 0;
    for (let gap = this.#gaps[0]; gap !== undefined && gap[0] < this.floor; gap = this.#gaps[0]) {
      const to = Math.min(gap[1], this.floor);
      lost += to - gap[0];
      if (to === gap[1]) this.#gaps.shift();
      else gap[0] = to;
    }
    return lost;
  }

  #jumpedBefore(sequence: number): number {
    return this.#jumps.findLast((jump) => jump.sequence <= sequence)?.jumped ?? 0;
  }
}
