// What is put into a ledger and taken out of it. Plain data; the ledger never looks into a section.
import type { Section } from '../registry/index.ts';

export type { Column, Section } from '../registry/index.ts';

/** What a shard says at T. It becomes durable as a whole or not at all. */
export interface EntryContent {
  /** The end of the tick that the entry closes, ms since the Unix epoch. */
  tMs: number;
  /** Number of the effective configuration. */
  epoch: number;
  /** Version of the engine that folded up to T. */
  engine: string;
  /** Next offset to fold per partition, at T. */
  offsets: [partition: number, nextOffset: number][];
  /** Identity of the last folded record per partition. */
  lastRecords: [partition: number, offset: number, timestampMs: number, crc: number][];
  /** The ticks closed since the entry before; `nextOffsets` is ticks × partitions, row-major. */
  ticks: { endsMs: Float64Array; nextOffsets: Float64Array; partitions: number[] };
  /** `boundary` = sent at T for tenants whose interval divides it; `final` = last before a shutdown; `genesis` = first start. */
  kind: 'boundary' | 'final' | 'genesis';
  sections: Section[];
}

export interface Entry extends EntryContent {
  shard: number;
  /** The take-over under which it was written. */
  claim: number;
  logIdentity: string;
  /** Digest of the entry before; empty for the first. */
  prevDigest: string;
  /** SHA-256, hex. A base carries the digests of the entry whose T it has: it stands in its place. */
  digest: string;
}

/** An entry without its ticks and sections. */
export type EntryHead = Omit<Entry, 'ticks' | 'sections'>;

/** How far an endpoint has settled: everything up to `tMs`. Keys belong to the sender. */
export type SettledPointer = [key: string, tMs: number];
