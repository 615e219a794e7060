// The order of the bodies that have no final fate: a lane for each shard, first in, first out. Where the number of shards
// changed, or a segment couldn't be read, a new set of lanes begins, and is served only when all before it is done. Pure
// state, no I/O. It must never let a cursor pass a body that is still here, unless the cursor names it as a straggler.

import type { PointCounts } from '../points/index.ts';
import type { Cursor } from './cursor.ts';
import type { Entry, Segment, Unread } from './entry.ts';
import { Progress } from './progress.ts';
import type { Position } from './sequence.ts';

/** Lanes of the same number of shards. */
interface Epoch {
  lanes: Entry[][];
  /** Of its first stored body; undefined before that. */
  firstSequence: number | undefined;
  /** To be read before its lanes are served. */
  unread: Unread | undefined;
}

/** So many of a lane keep their bytes in memory: what goes next, and what is about to. */
const BODIES_IN_MEMORY = 2;

export class Lanes {
  /** The first is served, the last is pushed to. Never empty. */
  readonly #epochs: Epoch[];
  readonly #progress: Progress;
  /** Behind the last sequence that was given. */
  #end = 0;
  #bodies = 0;
  readonly #points: PointCounts = { samples: 0, histograms: 0, exemplars: 0 };

  /** @param cursor where the process before has come to */
  constructor(cursor: Cursor) {
    this.#progress = new Progress(cursor);
    this.#epochs = [epochOf(Math.max(1, cursor.shards.length))];
    this.#progress.serve(this.served);
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

  /** What has to be read, or given up, before anything else is sent. */
  get unread(): Unread | undefined {
    return this.#epochs[0]!.unread;
  }

  get progress(): Progress {
    return this.#progress;
  }

  /** What is pushed from now on was sharded by so many. */
  relayout(shards: number): void {
    if (shards === this.shards) return;
    const last = this.#epochs.at(-1)!;
    if (last.unread !== undefined && isEmpty(last)) {
      last.lanes = epochOf(shards).lanes;
      last.firstSequence = undefined;
      return;
    }
    if (this.#epochs.length > 1 && isEmpty(last)) this.#epochs.pop();
    if (shards !== this.shards) this.#epochs.push(epochOf(shards));
  }

  push(entry: Entry): void {
    this.#put(this.#epochs.at(-1)!, entry);
    if (entry.place !== undefined && entry.order >= 0) this.#progress.stored(entry.place.sequence);
  }

  /** What is pushed from now on waits for this one. */
  hold(unread: Unread): void {
    unread.segment.unsettled++;
    this.#epochs.push({ ...epochOf(this.shards), unread });
  }

  /** What is stored from now on comes behind this. */
  begin(start: Position): void {
    this.#end = Math.max(this.#end, start.sequence);
    this.#progress.jump(start);
  }

  /** The next of a lane that is served, if none of it is on its way. */
  take(lane: number): Entry | undefined {
    const { lanes, unread } = this.#epochs[0]!;
    const entry = lanes[lane]?.[0];
    if (entry === undefined || entry.isUnderWay || unread !== undefined) return undefined;
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
    for (let [first] = this.#epochs; this.#epochs.length > 1 && isEmpty(first!); [first] = this.#epochs) {
      if (first!.unread !== undefined) return;
      this.#update();
      this.#epochs.shift();
      if (this.unread === undefined) this.#progress.serve(this.served);
    }
  }

  /** What had to be read has been. @param entries of it that have no final fate. */
  fill({ segment, endSequence }: Unread, entries: readonly Entry[]): void {
    segment.unsettled--;
    this.#epochs[0]!.unread = undefined;
    if (entries.length > 0) {
      const epoch = { ...epochOf(segment.shards), firstSequence: segment.firstSequence };
      this.#epochs.unshift(epoch);
      for (const entry of entries) this.#put(epoch, entry);
    }
    this.#progress.looked((sequence) => sequence >= segment.firstSequence && sequence < endSequence);
    this.#progress.serve(this.served);
  }

  /** What had to be read never will be: the others wait no longer. */
  giveUp({ segment, endSequence, knownEnd }: Unread): void {
    const epoch = this.#epochs.find(({ unread }) => unread?.segment === segment);
    if (epoch === undefined) return;
    segment.unsettled--;
    epoch.unread = undefined;
    this.#progress.miss(segment.firstSequence, knownEnd);
    this.#progress.looked((sequence) => sequence >= segment.firstSequence && sequence < endSequence);
    if (epoch === this.#epochs[0]) this.#progress.serve(this.served);
  }

  /** If this segment has still to be read. */
  unreadOf(segment: Segment): Unread | undefined {
    return this.#epochs.find(({ unread }) => unread?.segment === segment)?.unread;
  }

  /**
   * Takes away what is stored in this segment, the oldest; what is on its way stays, but is no longer stored.
   * @param next the one behind it
   */
  dropSegment(segment: Segment, next: Segment | undefined): Entry[] {
    const dropped = this.#drop(({ place }) => place?.segment === segment);
    for (const entry of this.entries()) {
      if (entry.place?.segment !== segment || !entry.isStored) continue;
      entry.isStored = false;
      segment.unsettled--;
    }
    this.#progress.raiseFloor(next?.firstSequence ?? this.#end);
    return dropped;
  }

  /** Takes away what was stored before, but for what is on its way. In order: it ends with the first that is younger. */
  dropOlderThan(oldestMs: number): Entry[] {
    const waiting = (lane: readonly Entry[]) =>
      lane.find(({ isUnderWay, place }) => !isUnderWay && place !== undefined);
    const hasOld = (lane: readonly Entry[]) => (waiting(lane)?.storedMs ?? oldestMs) < oldestMs;
    // Mostly there is nothing to look for.
    if (!this.#epochs.some(({ lanes }) => lanes.some(hasOld))) return [];
    let end = this.#end;
    for (const { lanes, unread } of this.#epochs) {
      if (unread !== undefined) end = Math.min(end, unread.segment.firstSequence);
      for (const lane of lanes) {
        const young = lane.find((entry) => !entry.isUnderWay && entry.place && entry.storedMs >= oldestMs);
        if (young !== undefined) end = Math.min(end, young.place!.sequence);
      }
    }
    const dropped = this.#drop(({ place }) => place !== undefined && place.sequence < end);
    if (dropped.length > 0) this.#progress.raiseFloor(end);
    return dropped;
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
    for (const { lanes, unread } of this.#epochs) {
      if (unread !== undefined) return -1;
      for (const lane of lanes) if (lane.length > 0) lowest = Math.min(lowest, lane[0]!.order);
    }
    return lowest;
  }

  cursor(): Omit<Cursor, 'generation'> {
    this.#update();
    const { floor, floorJumped, end, marks, unreadStragglers } = this.#progress;
    const stragglers = [...unreadStragglers, ...this.#stragglers()];
    return { floor, floorJumped, end: end.sequence, endJumped: end.jumped, shards: [...marks], stragglers };
  }

  /** How many bodies have been found missing, and can't be found any more, since the last call. */
  takeLost(): number {
    this.#update();
    return this.#progress.takeLost();
  }

  #put(epoch: Epoch, entry: Entry): void {
    const lane = epoch.lanes[entry.shard]!;
    if (entry.place !== undefined) {
      const { sequence } = entry.place;
      epoch.firstSequence ??= sequence;
      this.#end = Math.max(this.#end, sequence + 1);
      if (lane.length >= BODIES_IN_MEMORY || epoch !== this.#epochs[0]) entry.bytes = undefined;
    }
    lane.push(entry);
    this.#bodies++;
    add(this.#points, entry.body.counts, 1);
  }

  // A lane that is empty has passed all that was pushed, but says nothing of lanes that were made otherwise.
  #update(): void {
    const progress = this.#progress;
    const [{ lanes, unread }] = this.#epochs as [Epoch];
    if (unread !== undefined) {
      progress.raiseFloor(unread.segment.firstSequence);
      return;
    }
    const later = this.#epochs.slice(1).map((epoch) => epoch.unread?.segment.firstSequence ?? epoch.firstSequence);
    const end = later.find((sequence) => sequence !== undefined) ?? this.#end;
    for (const [shard, lane] of lanes.entries()) {
      const next = lane.find(({ place }) => place !== undefined && place.sequence >= progress.marks[shard]!);
      progress.raiseMark(shard, next?.place?.sequence ?? end);
    }
    progress.raiseFloor(Math.min(...progress.marks, end));
  }

  #stragglers(): number[] {
    const stragglers: number[] = [];
    for (const { lanes } of this.#epochs) {
      for (const [shard, lane] of lanes.entries()) {
        for (const { place } of lane) {
          if (place === undefined) continue;
          if (!this.#progress.isPassed(place.sequence, shard, lanes.length)) break;
          stragglers.push(place.sequence);
        }
      }
    }
    return stragglers;
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
    if (entry.isStored) entry.place!.segment.unsettled--;
  }
}

function epochOf(shards: number): Epoch {
  return { lanes: Array.from({ length: shards }, () => []), firstSequence: undefined, unread: undefined };
}

function isEmpty({ lanes }: Epoch): boolean {
  return lanes.every((lane) => lane.length === 0);
}

function add(to: PointCounts, { samples, histograms, exemplars }: PointCounts, sign: 1 | -1): void {
  to.samples += sign * samples;
  to.histograms += sign * histograms;
  to.exemplars += sign * exemplars;
}
