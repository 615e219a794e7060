// An entry (or a base) as a frame, and back, and its digest. What a digest covers is fixed for ever: `spanmill verify-ledger`
// compares digests of a fold that is done again with those on disk.
import { createHash } from 'node:crypto';
import { buildBody, parseBody } from './body.ts';
import { canonicalJson } from './canonical.ts';
import { damaged, LedgerError, type Where } from './errors.ts';
import { type Body, bodyOf, checkFrame, DAMAGED, type Frame, makeFrame, NOT_WHOLE, openFrame } from './frame.ts';
import { parseEntryHead } from './heads.ts';
import { isCount, isInteger, isList, isText, isTuple } from './json-checks.ts';
import type { Entry, EntryContent, EntryHead, SettledPointer } from './section.ts';

const DIGEST_DOMAIN = 'spanmill ledger entry 1\n';
const KINDS: readonly unknown[] = ['boundary', 'final', 'genesis'];

/**
 * SHA-256, hex, of everything that a fold of the log along the same ticks gives again: the content, the shard and the log, but
 * not the claim, the predecessor or settled pointers. The order of partitions and of columns doesn't count, that of sections does.
 * @throws LedgerError `bad_content`
 */
export function digestOf(content: EntryContent, shard: number, logIdentity: string): string {
  return digestOfBody(content, buildBody(content), shard, logIdentity);
}

export function digestOfBody(
  content: Omit<EntryContent, 'ticks' | 'sections'>,
  body: Body,
  shard: number,
  logIdentity: string,
): string {
  const { tMs, epoch, engine, kind } = content;
  const offsets = byPartition(content.offsets);
  const lastRecords = byPartition(content.lastRecords);
  const head = canonicalJson({ shard, logIdentity, tMs, epoch, engine, kind, offsets, lastRecords });
  return createHash('sha256').update(`${DIGEST_DOMAIN}${head}\n`).update(body.bytes).digest('hex');
}

export function byPartition<T extends readonly number[]>(pairs: readonly T[]): T[] {
  return pairs.toSorted((a, b) => a[0]! - b[0]!);
}

/** @throws LedgerError `bad_content` */
export function assertStorable(content: EntryContent): void {
  const isSound =
    isCount(content.tMs) &&
    isInteger(content.epoch) &&
    isText(content.engine) &&
    KINDS.includes(content.kind) &&
    isList(content.offsets, isTuple(2)) &&
    isList(content.lastRecords, isTuple(4)) &&
    isList(content.ticks.partitions, isInteger);
  if (!isSound) throw new LedgerError('bad_content', `the entry of T=${content.tMs} has a field of the wrong type`);
}

/** A frame for position 0 of a file. `settled` travels with the entry and isn't part of its digest. */
export function encodeEntry(entry: Entry, settled: readonly SettledPointer[] = []): Uint8Array {
  assertStorable(entry);
  return encodeWithBody('entry', headOf(entry), buildBody(entry), settled);
}

export function headOf(entry: Entry): EntryHead {
  const { ticks: _ticks, sections: _sections, ...head } = entry;
  return head;
}

export function encodeWithBody(
  type: 'entry' | 'base',
  head: EntryHead,
  body: Body,
  settled: readonly SettledPointer[],
): Uint8Array {
  const { shard, claim, tMs, epoch, engine, kind, logIdentity, prevDigest, digest, offsets, lastRecords } = head;
  const stored = {
    shard,
    claim,
    tMs,
    epoch,
    engine,
    kind,
    logIdentity,
    prevDigest,
    digest,
    offsets,
    lastRecords,
    settled,
  };
  return makeFrame(type, canonicalJson(stored), body);
}

/**
 * Reads what `encodeEntry` gave, or the same frame as it stands at `where.position` of a file.
 * @throws LedgerError `ledger_damaged`, `ledger_incompatible`; both name file and position.
 */
export function decodeEntry(bytes: Uint8Array, where: Where = { file: 'entry', position: 0 }): Entry {
  const size = checkFrame(bytes, 0, where.position);
  if (size === DAMAGED) throw damaged(where, 'not a sound frame');
  if (size === NOT_WHOLE) throw damaged(where, 'the frame is cut short');
  if (size !== bytes.length) throw damaged(where, 'bytes behind the frame');
  return entryOf(openFrame(bytes, where), where);
}

/** @throws LedgerError `ledger_damaged` */
export function entryOf(frame: Frame, where: Where): Entry {
  if (frame.type !== 'entry' && frame.type !== 'base') throw damaged(where, `a ${frame.type} record, not an entry`);
  const { settled: _, ...head } = parseEntryHead(frame.head, where);
  return { ...head, ...parseBody(bodyOf(frame, where), where) };
}
