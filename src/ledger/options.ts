// What a ledger is opened with, and what it offers.
import type { LedgerFileSystem } from './file-system.ts';
import type { Entry, EntryContent, EntryHead } from './section.ts';

/** pino's order of arguments. */
export interface LedgerLogger {
  warn(details: object, message: string): void;
  info(details: object, message: string): void;
}

export interface LedgerOptions {
  /** The directory of all ledgers; this one's is `shard-<n>` in it. Both are made if they aren't there. */
  path: string;
  shard: number;
  /** Which log is folded. Entries of another one are read, but nothing is appended to them. */
  logIdentity: string;
  /** Above it `overLimit()` is true. Nothing is refused because of it. */
  maxBytes: number;
  /**
   * The entry that the log's own fence names as the last committed one. What follows it was never committed, and is cut. Absent: the
   * newest entry is.
   */
  committed?: { claim: number; tMs: number; digest: string };
  /** Version of the running engine, for the claim record. */
  engine: string;
  /** The wall clock, ms since the Unix epoch. Only for the claim record, for people. */
  now?: () => number;
  fs?: LedgerFileSystem;
  logger?: LedgerLogger;
}

export interface Appended {
  tMs: number;
  digest: string;
  /** Of the frame on disk. */
  sizeBytes: number;
}

export interface Recovered {
  /** The newest claim; 0 if nobody ever took over. */
  claim: number;
  /** The newest base: the state at its T. */
  base?: Entry;
  /** The entries after the base, in order; all of them if there is none. */
  chain: AsyncIterable<Entry>;
  /** The newest committed entry: folding goes on at its offsets. */
  last?: EntryHead;
  settled: Map<string, number>;
}

export interface LedgerStats {
  claim: number;
  committedMs: number | undefined;
  /** Entries that are kept. */
  entries: number;
  bases: number;
  sizeBytes: number;
  /** What recovery would read beside the newest base: tells when another base pays. */
  sinceBaseEntries: number;
  sinceBaseBytes: number;
  /** Bytes cut off behind the last good record when the ledger was opened. */
  tornBytes: number;
  /** Entries found that belong to a claim which had been taken over. */
  orphans: number;
  /** Times that a file was cut back and made sure of after a failure. */
  repairs: number;
}

/**
 * One shard's ledger. Calls that write run one after another, in the order of the calls; content that was given must not change
 * until its promise is settled. All reject with LedgerError: `ledger_closed` after `close`, `disk_full` and `ledger_io` for
 * failed file calls (nothing was changed; the same call may be made again), `ledger_damaged` for bytes that aren't what was written.
 */
export interface Ledger {
  /** The newest claim; 0 if nobody ever took over. */
  readonly claim: number;
  /** What is committed now. */
  recover(): Promise<Recovered>;
  /**
   * Writes a claim one above the newest (and above that of `committed`), durably. Nothing can be appended before.
   * @throws LedgerError `other_log` if the newest entry was folded from another log
   */
  takeOver(): Promise<number>;
  /**
   * Resolves when the entry is durable: this is the commit point.
   * @throws LedgerError `no_claim`, `bad_content`, `broken_chain` if T or an offset goes back
   */
  append(content: EntryContent): Promise<Appended>;
  /**
   * Makes the full state at T durable (`sections` hold everything) and lets later entries go to a new file. An entry with this T
   * and these offsets must have been appended; all but the sections, its digest too, is taken from it. Does nothing if there is a
   * base at T.
   * @throws LedgerError `no_claim`, `bad_content`, `broken_chain` if there is no such entry
   */
  appendBase(content: EntryContent): Promise<Appended>;
  /** Remembers that `key` is settled up to `tMs`; durable with the next entry, base, `flush` or `close`. A smaller T does nothing. */
  settle(key: string, tMs: number): void;
  /** All pointers, those not yet durable too. */
  settled(): ReadonlyMap<string, number>;
  /** Makes what `settle` was told durable. */
  flush(): Promise<void>;
  /**
   * Entries with T > `afterTMs`, read from disk, up to the newest at the time it is reached. -Infinity begins with the first one.
   * @throws LedgerError `pruned` if entries after `afterTMs` are no longer there
   */
  read(afterTMs: number): AsyncIterable<Entry>;
  /** The newest base with T <= `tMs`. */
  baseBefore(tMs: number): Promise<Entry | undefined>;
  /** T of what `baseBefore` gives, without reading it. */
  baseTimeBefore(tMs: number): number | undefined;
  /**
   * Deletes what is below the newest base with T <= `settledFloorMs`. That base and everything after it stay.
   * @returns bytes that were freed
   */
  prune(settledFloorMs: number): Promise<number>;
  sizeBytes(): number;
  overLimit(): boolean;
  stats(): LedgerStats;
  /** Idempotent. Waits for calls under way, flushes, frees the lock. */
  close(): Promise<void>;
}
