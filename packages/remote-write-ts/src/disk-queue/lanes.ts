// The order of the bodies that have no final fate: a lane for each shard, first in, first out. Where the number of shards
// changed, a new set of lanes begins, and is served only when the one before is empty. Pure state, no I/O. It must never
// let a cursor pass a body that is still here.

import type { PointCounts } from '../points/index.ts';
import type { Cursor } from './cursor.ts';
import type { Entry, Segment } from './entry.ts';

/** Lanes of the same number of shards. */
interface Epoch {
  readonly lanes: Entry[][];
  /** Of its first stored body; undefined before that. */
  firstSequence: number | undefined;
}

/** So many of a lane keep their bytes in memory: what goes next, and what is about to. */
const BODIES_IN_MEMORY = 2;

export class Lanes {
  /** The first is served, the last is pushed to. Never empty. */
  readonly #epochs: Epoch[];
  /** Behind the last sequence that was pushed. */
  #end = 0;
  #bodies = 0;
  readonly #points: PointCounts = { samples: 0, histograms: 0, exemplars: 0 };

  constructor(shards: number) {
    this.#epochs = [epochOf(shards)];
  }

  get bodies(): number {
    return this.#bodies;
  }

  get points(): PointCounts {
    return { ...this.#points };
  }

  /** Lanes that are served now. */
  get served(): number {
    return this.#epochs[0]!.lanes.length;
  }

  /** Shards of what is pushed. */
  get shards(): number {
    return this.#epochs.at(-1)!.lanes.length;
  }

  /** What is pushed from now on was sharded by so many. */
  relayout(shards: number): void {
    if (shards === this.shards) return;
    const last = this.#epochs.at(-1)!;
    if (this.#epochs.length > 1 && isEmpty(last)) this.#epochs.pop();
    if (shards !== this.shards) this.#epochs.push(epochOf(shards));
  }

  push(entry: Entry): void {
    const epoch = this.#epochs.at(-1)!;
    const lane = epoch.lanes[entry.shard]!;
    if (entry.place !== undefined) {
      epoch.firstSequence ??= entry.place.sequence;
      this.#end = entry.place.sequence + 1;
      entry.place.segment.unsettled++;
      if (lane.length >= BODIES_IN_MEMORY || epoch !== this.#epochs[0]) entry.bytes = undefined;
    }
    lane.push(entry);
    this.#bodies++;
    add(this.#points, entry.body.counts, 1);
  }

  /** Sequences below this one have been given, whether or not their bodies were pushed. */
  passed(sequence: number): void {
    this.#end = Math.max(this.#end, sequence);
  }

  /** The next of a lane that is served, if none of it is on its way. */
  take(lane: number): Entry | undefined {
    const entry = this.#epochs[0]!.lanes[lane]?.[0];
    if (entry === undefined || entry.isUnderWay) return undefined;
    entry.isUnderWay = true;
    return entry;
  }

  /** The one that was taken has its final fate. */
  settle(lane: number, entry: Entry): void {
    const lanes = this.#epochs[0]!.lanes;
    if (lanes[lane]![0] !== entry) throw new Error('a body is settled before those in front of it');
    lanes[lane]!.shift();
    this.#forget(entry);
  }

  /** Goes on to the next set of lanes if the one that is served is empty. */
  advance(): void {
    while (this.#epochs.length > 1 && isEmpty(this.#epochs[0]!)) this.#epochs.shift();
  }

  /** Takes away what is stored in this segment, but for what is on its way. */
  dropSegment(segment: Segment): Entry[] {
    return this.#drop((entry) => entry.place?.segment === segment);
  }

  /** Takes away what was stored before, but for what is on its way. */
  dropOlderThan(oldestMs: number): Entry[] {
    // The first that waits is the oldest of its lane: mostly there is nothing to look for.
    const hasOld = (lane: readonly Entry[]) => (lane[lane[0]?.isUnderWay ? 1 : 0]?.storedMs ?? oldestMs) < oldestMs;
    if (!this.#epochs.some(({ lanes }) => lanes.some(hasOld))) return [];
    return this.#drop((entry) => entry.place !== undefined && entry.storedMs < oldestMs);
  }

  /** Takes away what the disk doesn't have, but for what is on its way. */
  takeUnstored(): Entry[] {
    return this.#drop(({ place }) => place === undefined);
  }

  entries(): Entry[] {
    return this.#epochs.flatMap(({ lanes }) => lanes.flat());
  }

  /** When the oldest of all was stored; infinite if there is none. */
  get oldestMs(): number {
    let oldest = Number.POSITIVE_INFINITY;
    for (const { lanes } of this.#epochs) {
      for (const lane of lanes) if (lane.length > 0) oldest = Math.min(oldest, lane[0]!.storedMs);
    }
    return oldest;
  }

  /** The order of the first that has no final fate; infinite if there is none. */
  get lowestOrder(): number {
    let lowest = Number.POSITIVE_INFINITY;
    for (const { lanes } of this.#epochs) {
      for (const lane of lanes) if (lane.length > 0) lowest = Math.min(lowest, lane[0]!.order);
    }
    return lowest;
  }

  cursor(): Omit<Cursor, 'generation'> {
    // A lane that is empty has passed all that was pushed, but says nothing of lanes that were made otherwise.
    const next = this.#epochs.find(({ firstSequence }, i) => i > 0 && firstSequence !== undefined);
    const end = next?.firstSequence ?? this.#end;
    const shards = this.#epochs[0]!.lanes.map((lane) => lane.find(({ place }) => place)?.place?.sequence ?? end);
    return { floor: Math.min(...shards, end), shards };
  }

  #drop(isDropped: (entry: Entry) => boolean): Entry[] {
    const dropped: Entry[] = [];
    for (const { lanes } of this.#epochs) {
      for (const [i, lane] of lanes.entries()) {
        const gone = lane.filter((entry) => !entry.isUnderWay && isDropped(entry));
        if (gone.length === 0) continue;
        lanes[i] = lane.filter((entry) => entry.isUnderWay || !isDropped(entry));
        for (const entry of gone) this.#forget(entry);
        dropped.push(...gone);
      }
    }
    return dropped;
  }

  #forget(entry: Entry): void {
    this.#bodies--;
    add(this.#points, entry.body.counts, -1);
    if (entry.place !== undefined) entry.place.segment.unsettled--;
  }
}

function epochOf(shards: number): Epoch {
  return { lanes: Array.from({ length: shards }, () => []), firstSequence: undefined };
}

function isEmpty({ lanes }: Epoch): boolean {
  return lanes.every((lane) => lane.length === 0);
}

function add(to: PointCounts, { samples, histograms, exemplars }: PointCounts, sign: 1 | -1): void {
  to.samples += sign * samples;
  to.histograms += sign * histograms;
  to.exemplars += sign * exemplars;
}
