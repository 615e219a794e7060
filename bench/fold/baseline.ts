// What the fold is measured against, in the same language: bytes to counters for the plain case and nothing else. It checks
// nothing, takes span sizes as they were sent, has no exemplars, no limits, no filters, no expiry, no boundaries, and can't say what
// changed. What spanmill costs beyond this is the price of being right; bench/run.ts prints the ratio. One long file, as it shares no
// code with what it is compared to: a faster table there must show in the ratio.
//
//   node bench/fold/baseline.ts CORPUS [PASSES]

import { readFileSync } from 'node:fs';

const PASSES = 12;

const file = readFileSync(process.argv[2] ?? '');
const buf = new Uint8Array(file.buffer, file.byteOffset, file.length);
const view = new DataView(buf.buffer, buf.byteOffset, buf.length);

/** Byte strings as numbers: open addressing, the bytes in one arena. */
class Symbols {
  count = 0;
  private readonly mask: number;
  private readonly slots: Int32Array;
  private readonly hashes: Int32Array;
  private readonly starts: Int32Array;
  private readonly lengths: Int32Array;
  private readonly arena = new Uint8Array(32 << 20);
  private readonly arenaView = new DataView(this.arena.buffer);
  private top = 0;

  constructor(capacity: number) {
    this.mask = capacity * 2 - 1;
    this.slots = new Int32Array(capacity * 2).fill(-1);
    this.hashes = new Int32Array(capacity);
    this.starts = new Int32Array(capacity);
    this.lengths = new Int32Array(capacity);
  }

  intern(start: number, end: number): number {
    const n = end - start;
    let h = Math.imul(n, 0x9e3779b1);
    let g = 0x1b873593;
    let i = start;
    for (; i + 8 <= end; i += 8) {
      h = Math.imul(h ^ view.getInt32(i, true), 0x85ebca6b);
      g = Math.imul(g ^ view.getInt32(i + 4, true), 0xc2b2ae35);
      h = (h << 13) | (h >>> 19);
      g = (g << 15) | (g >>> 17);
    }
    for (; i < end; i++) h = Math.imul(h ^ buf[i]!, 0x9e3779b1) ^ (h >>> 15);
    h ^= g;
    h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
    h ^= h >>> 13;
    h ^= h >>> 16;
    let p = h & this.mask;
    for (;;) {
      const id = this.slots[p]!;
      if (id < 0) break;
      if (this.hashes[id] === h && this.lengths[id] === n && this.equals(id, start, n)) return id;
      p = (p + 1) & this.mask;
    }
    const id = this.count++;
    this.arena.set(buf.subarray(start, end), this.top);
    this.hashes[id] = h;
    this.starts[id] = this.top;
    this.lengths[id] = n;
    this.top += n;
    this.slots[p] = id;
    return id;
  }

  private equals(id: number, start: number, n: number): boolean {
    const o = this.starts[id]!;
    let k = 0;
    while (k + 4 <= n && this.arenaView.getInt32(o + k, true) === view.getInt32(start + k, true)) k += 4;
    while (k < n && this.arena[o + k] === buf[start + k]) k++;
    return k === n;
  }
}

/** Tuples of symbols to rows of counters. */
class Rows {
  count = 0;
  readonly key: Int32Array;
  readonly calls: Float64Array;
  readonly sums: Float64Array;
  readonly sizes: Float64Array;
  readonly buckets: Float64Array;
  private readonly mask: number;
  private readonly slots: Int32Array;
  private readonly keys: Int32Array;
  private readonly width: number;

  constructor(width: number, buckets: number, capacity: number) {
    this.width = width;
    this.mask = capacity * 2 - 1;
    this.slots = new Int32Array(capacity * 2).fill(-1);
    this.key = new Int32Array(width);
    this.keys = new Int32Array(capacity * width);
    this.calls = new Float64Array(capacity);
    this.sums = new Float64Array(capacity);
    this.sizes = new Float64Array(capacity);
    this.buckets = new Float64Array(capacity * buckets);
  }

  row(): number {
    const { key, keys, width, slots, mask } = this;
    let h = 0;
    for (let i = 0; i < width; i++) {
      h = Math.imul(h ^ key[i]!, 0x9e3779b1);
      h ^= h >>> 15;
    }
    let p = h & mask;
    for (;;) {
      const row = slots[p]!;
      if (row < 0) break;
      let i = 0;
      while (i < width && keys[row * width + i] === key[i]) i++;
      if (i === width) return row;
      p = (p + 1) & mask;
    }
    const row = this.count++;
    slots[p] = row;
    keys.set(key, row * width);
    return row;
  }
}

const CAPACITY = 1 << 17;
const SPAN_BUCKETS = 15;
const EDGE_BUCKETS = 9;
const bounds = Float64Array.from({ length: 14 }, (_, i) => 0.002 * 2 ** i);

const symbols = new Symbols(CAPACITY);
const resources = new Symbols(1 << 14);
/** Service name by resource; -1 = not looked up yet. */
const services = new Int32Array(1 << 14).fill(-1);
const NO_NAME = symbols.intern(0, 0);
const spanRows = new Rows(4, SPAN_BUCKETS, CAPACITY);
const edgeRows = new Rows(3, EDGE_BUCKETS, CAPACITY);
let spans = 0;

function bucketOf(seconds: number): number {
  let low = 0;
  for (let high = bounds.length; low < high; ) {
    const middle = (low + high) >>> 1;
    if (seconds <= bounds[middle]!) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** The attribute keys that service graphs ask for. */
const WANTED = [
  'peer.service',
  'db.name',
  'db.system',
  'db.system.name',
  'db.namespace',
  'server.address',
  'network.peer.address',
].map((key) => Buffer.from(key));
const wantedTable = new Int32Array(1024).fill(-1);
const wantedNext = new Int32Array(WANTED.length).fill(-1);
WANTED.forEach((key, i) => {
  const h = wantedHash(key, 0, key.length);
  wantedNext[i] = wantedTable[h]!;
  wantedTable[h] = i;
});
const valueStart = new Int32Array(WANTED.length);
const valueSpan = new Int32Array(WANTED.length);

function wantedHash(bytes: Uint8Array, start: number, end: number): number {
  const n = end - start;
  return (n * 31 + bytes[start]! * 7 + bytes[end - 1]! * 131 + bytes[start + (n >> 1)]! * 17) & 1023;
}

function findWanted(start: number, end: number): number {
  let i = wantedTable[wantedHash(buf, start, end)]!;
  for (; i >= 0; i = wantedNext[i]!) {
    const key = WANTED[i]!;
    if (key.length !== end - start) continue;
    let k = 0;
    while (k < key.length && key[k] === buf[start + k]) k++;
    if (k === key.length) break;
  }
  return i;
}

let pos = 0;

function varint(): number {
  let value = 0;
  let factor = 1;
  for (;;) {
    const b = buf[pos++]!;
    value += (b & 127) * factor;
    if (b < 128) return value;
    factor *= 128;
  }
}

function skip(tag: number): void {
  const wireType = tag & 7;
  if (wireType === 0) while (buf[pos++]! >= 128);
  else if (wireType === 1) pos += 8;
  else if (wireType === 2) {
    const n = varint();
    pos += n;
  } else pos += 4;
}

function request(start: number, end: number): void {
  pos = start;
  while (pos < end) {
    const tag = varint();
    if (tag !== 10) {
      skip(tag);
      continue;
    }
    const n = varint();
    resourceSpans(pos + n);
  }
}

/** Takes for granted that the resource comes first. */
function resourceSpans(end: number): void {
  let service = NO_NAME;
  while (pos < end) {
    const tag = varint();
    if (tag === 10) {
      const next = varint() + pos;
      const resource = resources.intern(pos, next);
      if (services[resource]! < 0) services[resource] = serviceName(next);
      service = services[resource]!;
      pos = next;
    } else if (tag === 18) {
      const next = varint() + pos;
      while (pos < next) {
        const inner = varint();
        if (inner === 18) {
          const n = varint();
          span(pos + n, service);
        } else skip(inner);
      }
    } else skip(tag);
  }
}

const SERVICE_NAME = Buffer.from('service.name');

function serviceName(end: number): number {
  while (pos < end) {
    const tag = varint();
    if (tag !== 10) {
      skip(tag);
      continue;
    }
    const next = varint() + pos;
    if (buf[pos + 1] === 12 && SERVICE_NAME.compare(buf, pos + 2, pos + 14) === 0) {
      pos += 15;
      varint();
      pos++;
      const n = varint();
      return symbols.intern(pos, pos + n);
    }
    pos = next;
  }
  return NO_NAME;
}

function span(end: number, service: number): void {
  const start = pos;
  let traceId = 0;
  let id = 0;
  let parent = 0;
  let nameStart = 0;
  let nameEnd = 0;
  let kind = 0;
  let status = 0;
  let startLow = 0;
  let startHigh = 0;
  let endLow = 0;
  let endHigh = 0;
  while (pos < end) {
    const tag = buf[pos++]!;
    switch (tag) {
      case 10:
        traceId = pos + 1;
        pos += 17;
        break;
      case 18:
        id = pos + 1;
        pos += 9;
        break;
      case 34: {
        const n = buf[pos++]!;
        parent = n > 0 ? pos : 0;
        pos += n;
        break;
      }
      case 42: {
        const n = varint();
        nameStart = pos;
        pos += n;
        nameEnd = pos;
        break;
      }
      case 48:
        kind = buf[pos++]!;
        break;
      case 57:
        startLow = view.getUint32(pos, true);
        startHigh = view.getUint32(pos + 4, true);
        pos += 8;
        break;
      case 65:
        endLow = view.getUint32(pos, true);
        endHigh = view.getUint32(pos + 4, true);
        pos += 8;
        break;
      case 74: {
        let n = buf[pos++]!;
        if (n >= 128) n = (n & 127) | (buf[pos++]! << 7);
        const keyEnd = pos + 2 + buf[pos + 1]!;
        const wanted = findWanted(pos + 2, keyEnd);
        if (wanted >= 0) {
          valueStart[wanted] = keyEnd + 1;
          valueSpan[wanted] = spans;
        }
        pos += n;
        break;
      }
      case 122: {
        const next = varint() + pos;
        while (pos < next) {
          const inner = buf[pos++]!;
          if (inner === 24) status = buf[pos++]!;
          else skip(inner);
        }
        break;
      }
      default:
        if (tag >= 128) pos++;
        skip(tag);
    }
  }
  spans++;
  const seconds = ((endHigh - startHigh) * 4294967296 + (endLow - startLow)) / 1e9;
  const { key } = spanRows;
  key[0] = service;
  key[1] = symbols.intern(nameStart, nameEnd);
  key[2] = kind;
  key[3] = status;
  const row = spanRows.row();
  spanRows.calls[row]!++;
  spanRows.sums[row]! += seconds;
  spanRows.sizes[row]! += end - start;
  spanRows.buckets[row * SPAN_BUCKETS + bucketOf(seconds)]!++;
  if (kind === 3 || kind === 4) pair(traceId, id, true, service, seconds);
  else if ((kind === 2 || kind === 5) && parent > 0) pair(traceId, parent, false, service, seconds);
}

// Pending edges: trace id and span id as six words, found by hash, dropped all at once when there is no room left.
const edgeKeys = new Int32Array(CAPACITY * 6);
const edgeSlots = new Int32Array(CAPACITY * 4).fill(-1);
const edgeMask = edgeSlots.length - 1;
const edgeService = new Int32Array(CAPACITY);
const edgeSeconds = new Float64Array(CAPACITY);
const edgeIsClient = new Uint8Array(CAPACITY);
const edgeFree = new Int32Array(CAPACITY);
let edgesFree = 0;
const edgeKey = new Int32Array(6);
freeAllEdges();

function freeAllEdges(): void {
  edgeSlots.fill(-1);
  for (let i = 0; i < CAPACITY; i++) edgeFree[i] = CAPACITY - 1 - i;
  edgesFree = CAPACITY;
}

function homeOf(keys: Int32Array, at: number): number {
  return (keys[at]! ^ Math.imul(keys[at + 4]!, 0x9e3779b1) ^ keys[at + 5]!) & edgeMask;
}

function pair(traceId: number, id: number, isClient: boolean, service: number, seconds: number): void {
  for (let i = 0; i < 4; i++) edgeKey[i] = view.getInt32(traceId + 4 * i, true);
  edgeKey[4] = view.getInt32(id, true);
  edgeKey[5] = view.getInt32(id + 4, true);
  let p = homeOf(edgeKey, 0);
  for (;;) {
    const edge = edgeSlots[p]!;
    if (edge < 0) break;
    let i = 0;
    while (i < 6 && edgeKeys[edge * 6 + i] === edgeKey[i]) i++;
    if (i === 6) {
      complete(edge, isClient, service, seconds);
      removeEdge(p);
      edgeFree[edgesFree++] = edge;
      return;
    }
    p = (p + 1) & edgeMask;
  }
  if (edgesFree === 0) freeAllEdges();
  const edge = edgeFree[--edgesFree]!;
  edgeSlots[p] = edge;
  for (let i = 0; i < 6; i++) edgeKeys[edge * 6 + i] = edgeKey[i]!;
  edgeIsClient[edge] = isClient ? 1 : 0;
  edgeService[edge] = service;
  edgeSeconds[edge] = seconds;
}

function complete(edge: number, isClient: boolean, service: number, seconds: number): void {
  if (edgeIsClient[edge] === 1 && isClient) return;
  const { key } = edgeRows;
  key[0] = isClient ? service : edgeService[edge]!;
  key[1] = isClient ? edgeService[edge]! : service;
  key[2] = 0;
  const row = edgeRows.row();
  const serverSeconds = isClient ? edgeSeconds[edge]! : seconds;
  edgeRows.calls[row]!++;
  edgeRows.sums[row]! += serverSeconds;
  edgeRows.sizes[row]! += isClient ? seconds : edgeSeconds[edge]!;
  edgeRows.buckets[row * EDGE_BUCKETS + Math.min(EDGE_BUCKETS - 1, bucketOf(serverSeconds))]!++;
}

/** Without a tombstone: later entries of the run move back where they may. */
function removeEdge(from: number): void {
  let hole = from;
  for (let p = (from + 1) & edgeMask; edgeSlots[p]! >= 0; p = (p + 1) & edgeMask) {
    const home = homeOf(edgeKeys, edgeSlots[p]! * 6);
    if (((p - home) & edgeMask) >= ((p - hole) & edgeMask)) {
      edgeSlots[hole] = edgeSlots[p]!;
      hole = p;
    }
  }
  edgeSlots[hole] = -1;
}

const passes = Number(process.argv[3] ?? PASSES);
const costs: number[] = [];
for (let pass = 0; pass < passes; pass++) {
  const before = process.cpuUsage();
  const spansBefore = spans;
  for (let p = 0; p < buf.length; ) {
    const n = view.getUint32(p, true);
    request(p + 4, p + 4 + n);
    p += 4 + n;
  }
  const { user, system } = process.cpuUsage(before);
  costs.push(((user + system) * 1_000) / (spans - spansBefore));
}
costs.sort((a, b) => a - b);
process.stdout.write(
  `${JSON.stringify({
    cpu_ns_per_span: Math.round(costs[0]!),
    cpu_ns_per_span_median: Math.round(costs[costs.length >> 1]!),
    rows: spanRows.count,
    edges: edgeRows.count,
  })}\n`,
);
