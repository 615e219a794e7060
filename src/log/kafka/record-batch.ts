// Kafka's record batch, version 2 (the "Record Batch" and "Record" chapters of the documentation), read in place. Must never throw
// for what a log may hold: whatever can't be read is passed with its reason, and the position moves on.
//
//   baseOffset 8 | length 4 | leaderEpoch 4 | magic 1 | crc 4 | attributes 2 | lastOffsetDelta 4 | firstTimestamp 8 | maxTimestamp 8
//   | producerId 8 | producerEpoch 2 | firstSequence 4 | count 4 | records (compressed as one)
//   record: length v | attributes 1 | timestampDelta v | offsetDelta v | key v+n | value v+n | headers v { key v+n, value v+n }

import { crc32c } from '../embedded/index.ts';
import { at, int64, varint } from './bytes.ts';
import { decompress, isKnownCodec } from './codecs.ts';
import type { SkipReason } from './options.ts';

const HEAD_BYTES = 61;
const CRC_AT = 17;
const CRC_FROM = 21;
const LOG_APPEND_TIME = 8;
const TRANSACTIONAL = 16;
const CONTROL = 32;

/** A record's parts as positions in `bytes`; a part that is null starts at -1. */
export interface RecordView {
  bytes: Uint8Array;
  offset: number;
  timestampMs: number;
  keyStart: number;
  keyEnd: number;
  valueStart: number;
  valueEnd: number;
  headersStart: number;
  headersEnd: number;
  headerCount: number;
}

export interface RecordVisitor {
  /** `record` is good until the call returns. False stops: the next read begins at this record. */
  record(record: RecordView): boolean;
  skipped(reason: SkipReason, offset: number, count: number, detail?: string): void;
}

export interface Aborted {
  producerId: number;
  firstOffset: number;
}

/** Record batches of one fetch of one partition, and how far they were read. */
export interface RecordSet {
  bytes: Buffer;
  view: DataView;
  position: number;
  /** Transactions that were aborted, by first offset, and the producers whose aborted transaction is open at `position`. */
  aborted: Aborted[];
  abortedOpen: Set<number>;
  /** Batches that were compressed, in memory of their own. */
  uncompressed: Uint8Array[];
}

export function recordSet(bytes: Buffer, aborted: Aborted[]): RecordSet {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return {
    bytes,
    view,
    position: 0,
    aborted: aborted.toSorted((a, b) => a.firstOffset - b.firstOffset),
    abortedOpen: new Set(),
    uncompressed: [],
  };
}

/** Nobody looks at the records that were read any more: their memory goes now, not when the garbage collector comes. */
export function freeUncompressed({ uncompressed }: RecordSet): void {
  // Small ones may be in memory that others share.
  for (const { buffer } of uncompressed) if (buffer.byteLength > Buffer.poolSize) (buffer as ArrayBuffer).transfer(0);
  uncompressed.length = 0;
}

/** The same, in memory of its own and without what was read already. */
export function detached({ bytes, position, aborted, abortedOpen }: RecordSet): RecordSet {
  return { ...recordSet(Buffer.from(bytes.subarray(position)), aborted), abortedOpen };
}

const record: RecordView = {
  bytes: new Uint8Array(0),
  offset: 0,
  timestampMs: 0,
  keyStart: -1,
  keyEnd: -1,
  valueStart: -1,
  valueEnd: -1,
  headersStart: 0,
  headersEnd: 0,
  headerCount: 0,
};

export interface ReadOptions {
  checkCrcs: boolean;
}

/**
 * Reads record batches from `from` on until the visitor stops or the set ends; a last batch that isn't whole is left for the next
 * fetch. Returns the next offset to be read.
 */
export function readRecords(set: RecordSet, from: number, visitor: RecordVisitor, options: ReadOptions): number {
  const { bytes, view } = set;
  let next = from;
  while (set.position + CRC_AT <= bytes.length) {
    const start = set.position;
    const end = start + 12 + view.getInt32(start + 8);
    if (end > bytes.length || end <= start + CRC_AT) break;
    const magic = view.getInt8(start + 16);
    if (magic !== 2 || end < start + HEAD_BYTES) {
      const offset = int64(view, start);
      if (offset >= next) {
        visitor.skipped(magic === 2 ? 'damaged' : 'old_format', offset, 1, `magic ${magic}`);
        next = offset + 1;
      }
    } else {
      const read = readBatch(set, start, end, next, visitor, options);
      next = Math.max(next, read.next);
      if (read.stopped) return next;
    }
    set.position = end;
  }
  return next;
}

function readBatch(
  set: RecordSet,
  start: number,
  end: number,
  from: number,
  visitor: RecordVisitor,
  options: ReadOptions,
): { next: number; stopped: boolean } {
  const { bytes, view } = set;
  const base = int64(view, start);
  const last = base + view.getInt32(start + 23);
  const next = last + 1;
  const attributes = view.getInt16(start + 21);
  const passed = { next, stopped: false };
  const pass = (reason: SkipReason, detail?: string) => {
    const first = Math.max(from, base);
    if (next > first) visitor.skipped(reason, first, next - first, detail);
    return passed;
  };
  if (options.checkCrcs && crc32c(bytes, start + CRC_FROM, end) !== view.getUint32(start + CRC_AT))
    return pass('bad_crc');
  const producerId = int64(view, start + 43);
  openAborted(set, last);
  if (attributes & CONTROL) {
    set.abortedOpen.delete(producerId);
    return pass('control');
  }
  if (next <= from) return passed;
  if (attributes & TRANSACTIONAL && set.abortedOpen.has(producerId)) return pass('aborted');
  const codec = attributes & 7;
  if (!isKnownCodec(codec)) return pass('unknown_codec', `codec ${codec}`);
  let records: Uint8Array;
  try {
    records = decompress(codec, bytes.subarray(start + HEAD_BYTES, end));
  } catch (error) {
    return pass('damaged', (error as Error).message);
  }
  if (codec !== 0) set.uncompressed.push(records);
  const fixedMs = attributes & LOG_APPEND_TIME ? int64(view, start + 35) : undefined;
  const stopped = readRecordsOf(
    records,
    view.getInt32(start + 57),
    base,
    last,
    int64(view, start + 27),
    fixedMs,
    from,
    visitor,
  );
  return stopped === undefined ? passed : { next: stopped, stopped: true };
}

/** The offset of the record at which the visitor stopped; undefined = it did not. */
function readRecordsOf(
  records: Uint8Array,
  count: number,
  base: number,
  last: number,
  firstMs: number,
  fixedMs: number | undefined,
  from: number,
  visitor: RecordVisitor,
): number | undefined {
  let position = 0;
  let reached = Math.max(from, base);
  record.bytes = records;
  try {
    for (let i = 0; i < count; i++) {
      const size = varint(records, position, records.length);
      const end = at + size;
      if (size < 0 || end > records.length) throw new RangeError('a record runs past its batch');
      const deltaMs = varint(records, at + 1, end);
      const offset = base + varint(records, at, end);
      if (offset < base || offset > last) throw new RangeError('a record has an offset that is outside its batch');
      position = end;
      if (offset < reached) continue;
      record.offset = offset;
      record.timestampMs = fixedMs ?? firstMs + deltaMs;
      try {
        readParts(records, at, end);
        if (!visitor.record(record)) return offset;
      } catch (error) {
        if (!(error instanceof RangeError)) throw error;
        // Its length is good, so the next one can be read.
        visitor.skipped('damaged', offset, 1, error.message);
      }
      reached = offset + 1;
    }
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    if (last >= reached) visitor.skipped('damaged', reached, last + 1 - reached, error.message);
  } finally {
    record.bytes = new Uint8Array(0);
  }
  return undefined;
}

function readParts(records: Uint8Array, position: number, end: number): void {
  const keyBytes = varint(records, position, end);
  record.keyStart = keyBytes < 0 ? -1 : at;
  record.keyEnd = keyBytes < 0 ? -1 : at + keyBytes;
  const valueBytes = varint(records, keyBytes < 0 ? at : at + keyBytes, end);
  record.valueStart = valueBytes < 0 ? -1 : at;
  record.valueEnd = valueBytes < 0 ? -1 : at + valueBytes;
  record.headerCount = varint(records, valueBytes < 0 ? at : at + valueBytes, end);
  record.headersStart = at;
  record.headersEnd = end;
  if (at > end || record.keyEnd > end || record.valueEnd > end) throw new RangeError("a record's parts run past it");
}

/** An aborted transaction counts for its producer from its first offset until the producer's next control record. */
function openAborted(set: RecordSet, lastOffset: number): void {
  while (set.aborted.length > 0 && set.aborted[0]!.firstOffset <= lastOffset)
    set.abortedOpen.add(set.aborted.shift()!.producerId);
}
