// The JSON heads of frames: what an entry, a claim and settled pointers say about themselves. Checked field by field when read.
import { canonicalJson } from './canonical.ts';
import { damaged, type Where } from './errors.ts';
import { isCount, isInteger, isList, isRecord, isText, isTuple } from './json-checks.ts';
import type { EntryHead, SettledPointer } from './section.ts';

/** First in every file of entries, and written at each take-over: what goes on from here, and who goes on. */
export interface ClaimHead {
  shard: number;
  claim: number;
  logIdentity: string;
  engine: string;
  /** The wall clock, if the ledger was given one. For people. */
  atMs?: number;
  /** The newest entry before this record; none before the first. */
  after?: EntryHead;
  /** All pointers. */
  settled: SettledPointer[];
}

export type StoredEntryHead = EntryHead & { settled: SettledPointer[] };

const KINDS: readonly unknown[] = ['boundary', 'final', 'genesis'];
const DIGEST = /^[0-9a-f]{64}$/;

export function encodeSettledHead(shard: number, settled: readonly SettledPointer[]): string {
  return canonicalJson({ shard, settled });
}

/** @throws LedgerError `ledger_damaged` */
export function parseSettledHead(value: unknown, where: Where): { shard: number; settled: SettledPointer[] } {
  if (!isRecord(value) || !isCount(value['shard'])) throw badHead(where);
  return { shard: value['shard'], settled: parseSettled(value['settled'], where) };
}

/** @throws LedgerError `ledger_damaged` */
export function parseClaimHead(value: unknown, where: Where): ClaimHead {
  if (!isRecord(value)) throw badHead(where);
  const { shard, claim, logIdentity, engine, atMs, after } = value;
  if (!isCount(shard) || !isCount(claim) || !isText(logIdentity) || !isText(engine)) throw badHead(where);
  const head: ClaimHead = { shard, claim, logIdentity, engine, settled: parseSettled(value['settled'], where) };
  if (isInteger(atMs)) head.atMs = atMs;
  if (after !== undefined) head.after = parseHead(after, where);
  return head;
}

/** @throws LedgerError `ledger_damaged` */
export function parseEntryHead(value: unknown, where: Where): StoredEntryHead {
  const settled = isRecord(value) ? parseSettled(value['settled'], where) : [];
  return { ...parseHead(value, where), settled };
}

function parseHead(value: unknown, where: Where): EntryHead {
  if (!isRecord(value)) throw badHead(where);
  const { shard, claim, tMs, epoch, engine, kind, logIdentity, prevDigest, digest, offsets, lastRecords } = value;
  if (!isCount(shard) || !isCount(claim) || !isCount(tMs) || !isInteger(epoch)) throw badHead(where);
  if (!isText(engine) || !isText(logIdentity) || !isText(digest) || !isText(prevDigest)) throw badHead(where);
  if (!DIGEST.test(digest) || !(prevDigest === '' || DIGEST.test(prevDigest))) throw badHead(where);
  if (!KINDS.includes(kind) || !isList(offsets, isTuple(2)) || !isList(lastRecords, isTuple(4))) throw badHead(where);
  return {
    shard,
    claim,
    tMs,
    epoch,
    engine,
    kind: kind as EntryHead['kind'],
    logIdentity,
    prevDigest,
    digest,
    offsets: offsets as EntryHead['offsets'],
    lastRecords: lastRecords as EntryHead['lastRecords'],
  };
}

function parseSettled(value: unknown, where: Where): SettledPointer[] {
  const isPointer = (item: unknown): item is SettledPointer =>
    isList(item) && item.length === 2 && isText(item[0]) && isInteger(item[1]);
  if (!isList(value, isPointer)) throw badHead(where);
  return value;
}

function badHead(where: Where) {
  return damaged(where, "a frame's head has a field that is missing or of the wrong type");
}
