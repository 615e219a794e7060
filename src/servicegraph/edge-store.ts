// Pending edges: halves of calls that wait for their other half. Fixed slots in typed arrays, found by (trace id, span id), kept
// in the order of their making for expiry. Knows what changed since the last boundary. A store of this size is on the path
// of every client and server span, hence the columns.

import { createHash } from 'node:crypto';
import type { SpanBatch } from '../otlp/index.ts';

/** Trace id (4), span id (2), lengths (1). */
export const KEY_INTS = 7;
export const NONE = -1;

export type ConnectionType = 0 | 1 | 2 | 3;
export const CONNECTION_TYPES = ['', 'messaging_system', 'database', 'virtual_node'] as const;
export const PLAIN: ConnectionType = 0;
export const MESSAGING: ConnectionType = 1;
export const DATABASE: ConnectionType = 2;
export const VIRTUAL: ConnectionType = 3;

/** Flags of an edge. */
export const FAILED = 1;
export const ROOT = 2;

const INITIAL = 256;
const COPIED = [
  'client',
  'server',
  'peer',
  'kind',
  'clientSeconds',
  'serverSeconds',
  'weight',
  'clientEndLow',
  'clientEndHigh',
  'serverStartLow',
  'serverStartHigh',
  'connection',
  'flags',
  'traceLengths',
] as const;

export class EdgeStore {
  count = 0;
  readonly key = new Int32Array(KEY_INTS);
  readonly dimensions: number;
  keys!: Int32Array;
  /** Symbols; NONE = that side was not seen. */
  client!: Int32Array;
  server!: Int32Array;
  peer!: Int32Array;
  /** `dimensions` symbols an edge; NONE = no side had it. */
  values!: Int32Array;
  clientSeconds!: Float64Array;
  serverSeconds!: Float64Array;
  weight!: Float64Array;
  deadlineSeconds!: Float64Array;
  clientEndLow!: Uint32Array;
  clientEndHigh!: Uint32Array;
  serverStartLow!: Uint32Array;
  serverStartHigh!: Uint32Array;
  kind!: Int32Array;
  connection!: Uint8Array;
  flags!: Uint8Array;
  /** Trace id for exemplars. */
  traceIds!: Uint8Array;
  traceIdsView!: DataView;
  traceLengths!: Uint8Array;
  /** Numbers edges in the order of their making; the ledger speaks of edges by it. */
  sequence!: Float64Array;
  nextSequence = 0;
  /** First and last in order of making. */
  oldest = NONE;
  /** Edges that are gone and had been said. */
  ended: number[] = [];

  private newest = NONE;
  private next!: Int32Array;
  private previous!: Int32Array;
  private dirty!: Uint8Array;
  private said!: Uint8Array;
  /** Pairs of edge (NONE = none) and hash, side by side. */
  private slots!: Int32Array;
  private mask = 0;
  /** Slots that were given back, chained by `next`. */
  private free = NONE;
  private highWater = 0;
  private capacity = 0;

  constructor(dimensions: number) {
    this.dimensions = dimensions;
    this.grow(INITIAL);
  }

  /** Sets `key` from a span's trace id and the given span id. Ids of any length work; those longer than 16 and 8 bytes by their digest. */
  setKey(batch: SpanBatch, span: number, idStart: number, idLength: number): void {
    const { key } = this;
    const { view, bytes } = batch;
    const traceStart = batch.traceStart[span]!;
    const traceLength = batch.traceLength[span]!;
    if (traceLength === 16) {
      key[0] = view.getInt32(traceStart, true);
      key[1] = view.getInt32(traceStart + 4, true);
      key[2] = view.getInt32(traceStart + 8, true);
      key[3] = view.getInt32(traceStart + 12, true);
    } else oddId(bytes, traceStart, traceLength, key, 0, 4);
    if (idLength === 8) {
      key[4] = view.getInt32(idStart, true);
      key[5] = view.getInt32(idStart + 4, true);
    } else oddId(bytes, idStart, idLength, key, 4, 2);
    key[6] = (Math.min(traceLength, 255) << 8) | Math.min(idLength, 255);
  }

  /** The edge of `key`, or NONE. */
  find(): number {
    const { key, keys, slots, mask } = this;
    const h = hashOf(key, 0);
    for (let p = h & mask; ; p = (p + 1) & mask) {
      const edge = slots[2 * p]!;
      if (edge < 0) return NONE;
      if (slots[2 * p + 1] !== h) continue;
      const o = edge * KEY_INTS;
      let i = 0;
      while (i < KEY_INTS && keys[o + i] === key[i]) i++;
      if (i === KEY_INTS) return edge;
    }
  }

  /** A blank edge with `key`, not yet in the store: `store` keeps it, `discard` gives it back. */
  make(): number {
    let edge = this.free;
    if (edge !== NONE) this.free = this.next[edge]!;
    else {
      edge = this.highWater++;
      if (edge === this.capacity) this.grow(this.capacity * 2);
    }
    const { key, keys } = this;
    for (let i = 0, o = edge * KEY_INTS; i < KEY_INTS; i++) keys[o + i] = key[i]!;
    this.client[edge] = NONE;
    this.server[edge] = NONE;
    this.peer[edge] = 0;
    this.clientSeconds[edge] = 0;
    this.serverSeconds[edge] = 0;
    this.weight[edge] = 1;
    this.kind[edge] = 0;
    this.connection[edge] = PLAIN;
    this.flags[edge] = 0;
    this.clientEndLow[edge] = 0;
    this.clientEndHigh[edge] = 0;
    this.serverStartLow[edge] = 0;
    this.serverStartHigh[edge] = 0;
    this.traceLengths[edge] = 0;
    for (let d = edge * this.dimensions; d < (edge + 1) * this.dimensions; d++) this.values[d] = NONE;
    this.dirty[edge] = 0;
    this.said[edge] = 0;
    return edge;
  }

  store(edge: number, deadlineSeconds: number, sequence = this.nextSequence++): void {
    this.deadlineSeconds[edge] = deadlineSeconds;
    this.sequence[edge] = sequence;
    this.next[edge] = NONE;
    this.previous[edge] = this.newest;
    if (this.newest === NONE) this.oldest = edge;
    else this.next[this.newest] = edge;
    this.newest = edge;
    this.link(edge);
    this.count++;
    this.touch(edge);
  }

  /** Gives back an edge that was never stored. */
  discard(edge: number): void {
    this.next[edge] = this.free;
    this.free = edge;
  }

  /** Copies all fields but the dimensions' values and the place in the order. */
  copyFrom(from: EdgeStore, old: number, edge: number): void {
    for (const field of COPIED) this[field][edge] = from[field][old]!;
    this.traceIds.set(from.traceIds.subarray(old * 16, old * 16 + 16), edge * 16);
  }

  /** Stores an edge that `copyFrom` filled under the sequence it had; what was said of it stays said, its change is told. */
  adopt(edge: number, from: EdgeStore, old: number): void {
    this.store(edge, from.deadlineSeconds[old]!, from.sequence[old]!);
    this.said[edge] = from.said[old]!;
  }

  touch(edge: number): void {
    this.dirty[edge] = 1;
  }

  remove(edge: number): void {
    const before = this.previous[edge]!;
    const after = this.next[edge]!;
    if (before === NONE) this.oldest = after;
    else this.next[before] = after;
    if (after === NONE) this.newest = before;
    else this.previous[after] = before;
    this.unlink(edge);
    this.count--;
    if (this.said[edge] === 1) this.ended.push(this.sequence[edge]!);
    this.discard(edge);
  }

  setTraceId(edge: number, batch: SpanBatch, span: number): void {
    const n = batch.traceLength[span]!;
    const { traceIds } = this;
    if (n === 16) {
      const { traceIdsView: to } = this;
      const { view } = batch;
      const start = batch.traceStart[span]!;
      for (let i = 0; i < 16; i += 4) to.setInt32(edge * 16 + i, view.getInt32(start + i, true), true);
      this.traceLengths[edge] = 16;
      return;
    }
    // Longer ids than 16 bytes are no trace ids; the exemplar then shows their first 16.
    const kept = n > 16 ? 16 : n;
    const from = batch.traceStart[span]!;
    for (let i = 0; i < kept; i++) traceIds[edge * 16 + i] = batch.bytes[from + i]!;
    this.traceLengths[edge] = kept;
  }

  /** Edges that changed since the last call, in order of making; all marks are gone after this. */
  takeDirty(): number[] {
    const taken = this.all().filter((edge) => this.dirty[edge] === 1);
    for (const edge of taken) {
      this.dirty[edge] = 0;
      this.said[edge] = 1;
    }
    return taken;
  }

  /** All edges, oldest first. */
  all(): number[] {
    const edges: number[] = [];
    for (let edge = this.oldest; edge !== NONE; edge = this.next[edge]!) edges.push(edge);
    return edges;
  }

  renumber(translate: (symbol: number) => number): void {
    for (const edge of this.all()) {
      if (this.client[edge]! >= 0) this.client[edge] = translate(this.client[edge]!);
      if (this.server[edge]! >= 0) this.server[edge] = translate(this.server[edge]!);
      this.peer[edge] = translate(this.peer[edge]!);
      for (let d = edge * this.dimensions; d < (edge + 1) * this.dimensions; d++) {
        if (this.values[d]! >= 0) this.values[d] = translate(this.values[d]!);
      }
    }
  }

  private link(edge: number): void {
    const { slots, mask } = this;
    const h = hashOf(this.keys, edge * KEY_INTS);
    let p = h & mask;
    while (slots[2 * p]! >= 0) p = (p + 1) & mask;
    slots[2 * p] = edge;
    slots[2 * p + 1] = h;
  }

  /** Removes without tombstones: later entries of the probe run move back where they may. */
  private unlink(edge: number): void {
    const { slots, mask } = this;
    let hole = hashOf(this.keys, edge * KEY_INTS) & mask;
    while (slots[2 * hole] !== edge) hole = (hole + 1) & mask;
    for (let p = (hole + 1) & mask; slots[2 * p]! >= 0; p = (p + 1) & mask) {
      const home = slots[2 * p + 1]! & mask;
      if (((p - home) & mask) >= ((p - hole) & mask)) {
        slots[2 * hole] = slots[2 * p]!;
        slots[2 * hole + 1] = slots[2 * p + 1]!;
        hole = p;
      }
    }
    slots[2 * hole] = NONE;
  }

  private grow(capacity: number): void {
    const int = (old: Int32Array | undefined, width = 1) => {
      const wider = new Int32Array(capacity * width);
      if (old) wider.set(old);
      return wider;
    };
    const uint = (old: Uint32Array | undefined) => {
      const wider = new Uint32Array(capacity);
      if (old) wider.set(old);
      return wider;
    };
    const double = (old: Float64Array | undefined) => {
      const wider = new Float64Array(capacity);
      if (old) wider.set(old);
      return wider;
    };
    const byte = (old: Uint8Array | undefined, width = 1) => {
      const wider = new Uint8Array(capacity * width);
      if (old) wider.set(old);
      return wider;
    };
    this.keys = int(this.keys, KEY_INTS);
    this.client = int(this.client);
    this.server = int(this.server);
    this.peer = int(this.peer);
    this.values = int(this.values, this.dimensions);
    this.kind = int(this.kind);
    this.next = int(this.next);
    this.previous = int(this.previous);
    this.clientEndLow = uint(this.clientEndLow);
    this.clientEndHigh = uint(this.clientEndHigh);
    this.serverStartLow = uint(this.serverStartLow);
    this.serverStartHigh = uint(this.serverStartHigh);
    this.clientSeconds = double(this.clientSeconds);
    this.serverSeconds = double(this.serverSeconds);
    this.weight = double(this.weight);
    this.deadlineSeconds = double(this.deadlineSeconds);
    this.sequence = double(this.sequence);
    this.connection = byte(this.connection);
    this.flags = byte(this.flags);
    this.traceIds = byte(this.traceIds, 16);
    this.traceIdsView = new DataView(this.traceIds.buffer);
    this.traceLengths = byte(this.traceLengths);
    this.dirty = byte(this.dirty);
    this.said = byte(this.said);
    this.capacity = capacity;
    this.slots = new Int32Array(capacity * 4).fill(NONE);
    this.mask = capacity * 2 - 1;
    for (const edge of this.all()) this.link(edge);
  }
}

function hashOf(keys: Int32Array, at: number): number {
  let h = Math.imul(keys[at]! ^ keys[at + 6]!, 0x9e3779b1) ^ keys[at + 4]!;
  h = Math.imul(h ^ (h >>> 15), 0x85ebca6b) ^ keys[at + 5]! ^ keys[at + 2]!;
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35) ^ keys[at + 1]! ^ keys[at + 3]!;
  h = Math.imul(h ^ (h >>> 16), 0x9e3779b1);
  return h ^ (h >>> 15);
}

/** An id of an unusual length, padded with zeros (the length is part of the key) or, where too long, its digest. */
function oddId(bytes: Uint8Array, start: number, length: number, key: Int32Array, at: number, ints: number): void {
  if (length === 0) {
    // A root's parent: not rare, so it must not cost an object.
    for (let i = 0; i < ints; i++) key[at + i] = 0;
    return;
  }
  let id: Uint8Array = bytes.subarray(start, start + length);
  if (length > ints * 4) id = createHash('sha256').update(id).digest();
  for (let i = 0; i < ints; i++) {
    const o = i * 4;
    key[at + i] = (id[o] ?? 0) | ((id[o + 1] ?? 0) << 8) | ((id[o + 2] ?? 0) << 16) | ((id[o + 3] ?? 0) << 24);
  }
}
