// Ticks and sections as one run of bytes, and back: JSON that describes them, then the columns as they lie in memory. The same
// content must always give the same bytes: digests are taken over them.
import { endianness } from 'node:os';
import { canonicalJson } from './canonical.ts';
import { damaged, LedgerError, type Where } from './errors.ts';
import { align, type Body, MAX_FRAME_BYTES, parseJson } from './frame.ts';
import { isCount, isInteger, isList, isRecord, isText } from './json-checks.ts';
import type { Column, EntryContent, Section } from './section.ts';

/** Column types by their name in the index, with the bytes of one value. */
const SIZES = { u8: 1, i32: 4, u32: 4, f64: 8 } as const;
type ColumnType = keyof typeof SIZES;
const TYPES: Record<string, ColumnType | undefined> = {
  Uint8Array: 'u8',
  Int32Array: 'i32',
  Uint32Array: 'u32',
  Float64Array: 'f64',
};

type Parts = Pick<EntryContent, 'ticks' | 'sections'>;

/** @throws LedgerError `ledger_incompatible` where numbers lie in memory another way than in a ledger. */
export function assertLittleEndian(): void {
  if (endianness() === 'LE') return;
  throw new LedgerError('ledger_incompatible', 'a ledger can only be used on a little-endian machine');
}

/** @throws LedgerError `bad_content` */
export function buildBody(content: Parts): Body {
  const { ticks } = content;
  const columns: Column[] = [ticks.endsMs, ticks.nextOffsets];
  if (ticks.nextOffsets.length !== ticks.endsMs.length * ticks.partitions.length) {
    throw new LedgerError('bad_content', 'ticks: nextOffsets must have one value per tick and partition');
  }
  const sections = content.sections.map((section) => {
    const described = Object.keys(section.columns)
      .sort()
      .map((name) => {
        const column = section.columns[name]!;
        columns.push(column);
        return [name, typeOf(column, `${section.name}: column ${name}`), column.length];
      });
    return { name: section.name, meta: section.meta, columns: described };
  });
  const index = new TextEncoder().encode(
    canonicalJson({ ticks: { count: ticks.endsMs.length, partitions: ticks.partitions }, sections }),
  );
  let sizeBytes = align(index.length);
  for (const column of columns) sizeBytes += align(column.byteLength);
  if (sizeBytes > MAX_FRAME_BYTES) {
    throw new LedgerError('bad_content', `${sizeBytes} bytes are more than an entry may have (${MAX_FRAME_BYTES})`);
  }
  const bytes = new Uint8Array(sizeBytes);
  bytes.set(index, 0);
  let at = align(index.length);
  for (const column of columns) {
    bytes.set(new Uint8Array(column.buffer, column.byteOffset, column.byteLength), at);
    at += align(column.byteLength);
  }
  return { bytes, indexBytes: index.length };
}

function typeOf(column: Column, what: string): ColumnType {
  const type = TYPES[(column as { [Symbol.toStringTag]?: string } | undefined)?.[Symbol.toStringTag] ?? ''];
  if (type === undefined) throw new LedgerError('bad_content', `${what} is of a type that can't be stored`);
  return type;
}

/**
 * Every column of the result owns its buffer.
 * @throws LedgerError `ledger_damaged`
 */
export function parseBody(body: Body, where: Where): Parts {
  const index = parseJson(body.bytes.subarray(0, body.indexBytes), where);
  if (!isRecord(index) || !isRecord(index['ticks']) || !isList(index['sections'])) throw badIndex(where);
  const { count, partitions } = index['ticks'];
  if (!isCount(count) || !isList(partitions, isInteger)) throw badIndex(where);
  const columns = new ColumnReader(body, where);
  const endsMs = columns.next('f64', count) as Float64Array;
  const nextOffsets = columns.next('f64', count * partitions.length) as Float64Array;
  const sections = index['sections'].map((section): Section => {
    if (!isRecord(section) || !isText(section['name']) || !isRecord(section['meta']) || !isList(section['columns'])) {
      throw badIndex(where);
    }
    const read = section['columns'].map((column): [string, Column] => {
      if (!isList(column) || !isText(column[0])) throw badIndex(where);
      return [column[0], columns.next(column[1], column[2])];
    });
    // fromEntries makes own properties, whatever the names are.
    return { name: section['name'], meta: section['meta'], columns: Object.fromEntries(read) };
  });
  if (!columns.isAtEnd()) throw damaged(where, 'bytes behind the last column');
  return { ticks: { endsMs, nextOffsets, partitions }, sections };
}

class ColumnReader {
  private readonly bytes: Uint8Array;
  private readonly where: Where;
  private at: number;

  constructor(body: Body, where: Where) {
    this.bytes = body.bytes;
    this.where = where;
    this.at = align(body.indexBytes);
  }

  next(type: unknown, length: unknown): Column {
    if (typeof type !== 'string' || !Object.hasOwn(SIZES, type) || !isCount(length)) throw badIndex(this.where);
    const size = SIZES[type as ColumnType] * length;
    if (!Number.isSafeInteger(size) || this.at + align(size) > this.bytes.length) {
      throw damaged(this.where, 'a column reaches beyond the body');
    }
    const from = this.bytes.byteOffset + this.at;
    const buffer = this.bytes.buffer.slice(from, from + size) as ArrayBuffer;
    this.at += align(size);
    switch (type as ColumnType) {
      case 'u8':
        return new Uint8Array(buffer);
      case 'i32':
        return new Int32Array(buffer);
      case 'u32':
        return new Uint32Array(buffer);
      case 'f64':
        return new Float64Array(buffer);
    }
  }

  isAtEnd(): boolean {
    return this.at === this.bytes.length;
  }
}

function badIndex(where: Where): LedgerError {
  return damaged(where, "the description of the body isn't one");
}
