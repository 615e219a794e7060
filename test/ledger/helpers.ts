// Shared by the ledger's tests: directories, content, and a toy fold (counters by name) whose state goes through a ledger.
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import {
  type Entry,
  type EntryContent,
  type Ledger,
  type LedgerOptions,
  openLedger,
  type Section,
} from '../../src/ledger/index.ts';

export const LOG = 'log-1';

export interface TestDirectory {
  path: string;
  shard: string;
  files(): string[];
  remove(): void;
}

export function testDirectory(): TestDirectory {
  const directory = mkdtempSync(path.join(os.tmpdir(), 'spanmill-ledger-'));
  const shard = path.join(directory, 'shard-0');
  return {
    path: directory,
    shard,
    files: () =>
      readdirSync(shard)
        .filter((name) => !name.startsWith('lock'))
        .sort()
        .map((name) => path.join(shard, name)),
    remove: () => rmSync(directory, { recursive: true, force: true }),
  };
}

export function openAt(directory: string, options: Partial<LedgerOptions> = {}): Promise<Ledger> {
  return openLedger({
    path: directory,
    shard: 0,
    logIdentity: LOG,
    maxBytes: Number.POSITIVE_INFINITY,
    engine: 'test-1',
    ...options,
  });
}

/** An entry at T whose offset is T. */
export function contentOf(tMs: number, sections: Section[] = [], more: Partial<EntryContent> = {}): EntryContent {
  return {
    tMs,
    epoch: 1,
    engine: 'test-1',
    offsets: [[0, tMs]],
    lastRecords: [[0, tMs, tMs - 1, 7]],
    ticks: { endsMs: Float64Array.of(tMs), nextOffsets: Float64Array.of(tMs), partitions: [0] },
    kind: 'boundary',
    sections,
    ...more,
  };
}

/** The toy fold: additions to named counters. */
export class Counters {
  readonly values = new Map<string, number>();
  private readonly dirty = new Set<string>();

  add(name: string, n: number): void {
    this.values.set(name, (this.values.get(name) ?? 0) + n);
    this.dirty.add(name);
  }

  changes(): Section[] {
    const names = [...this.dirty].sort();
    this.dirty.clear();
    return [this.section(names)];
  }

  everything(): Section[] {
    return [this.section([...this.values.keys()].sort())];
  }

  load(sections: readonly Section[]): void {
    for (const { meta, columns } of sections) {
      const bytes = columns['names'] as Uint8Array;
      let at = 0;
      (columns['lengths'] as Uint32Array).forEach((length, i) => {
        const name = Buffer.from(bytes.subarray(at, at + length)).toString();
        at += length;
        this.values.set(name, (columns['values'] as Float64Array)[i]!);
      });
      if (meta['count'] !== this.values.size) throw new Error('a section before this one is missing');
    }
  }

  state(): [string, number][] {
    return [...this.values].sort(([a], [b]) => (a < b ? -1 : 1));
  }

  private section(names: readonly string[]): Section {
    const texts = names.map((name) => Buffer.from(name));
    return {
      name: 'counters',
      meta: { count: this.values.size },
      columns: {
        names: new Uint8Array(Buffer.concat(texts)),
        lengths: Uint32Array.from(texts, (text) => text.length),
        values: Float64Array.from(names, (name) => this.values.get(name)!),
      },
    };
  }
}

/** Adds what the toy fold counts between T - 1000 and T: some old names, some new ones, enough bytes to span pages. */
export function foldTo(counters: Counters, tMs: number): void {
  const i = Math.round(tMs / 1000);
  counters.add('total', 1);
  counters.add(`name-${i % 5}`, i);
  for (let k = 0; k < 12; k++) counters.add(`series-${i}-${k}-${'x'.repeat((i * 7 + k) % 40)}`, i * 0.1 + k);
}

/** The toy fold's state at T, computed without a ledger. */
export function stateAt(tMs: number): [string, number][] {
  const counters = new Counters();
  for (let t = 1000; t <= tMs; t += 1000) foldTo(counters, t);
  return counters.state();
}

/**
 * Appends what the toy fold counts at 1000, 2000, …, with bases where they are asked for, and closes the ledger. The entries' digests.
 * @param onWritten called behind each entry and each base
 */
export async function fill(
  ledger: Ledger,
  count: number,
  baseAt: readonly number[] = [],
  onWritten: (what: 'entry' | 'base') => void = () => {},
): Promise<string[]> {
  await ledger.takeOver();
  const counters = new Counters();
  const digests: string[] = [];
  for (let i = 1; i <= count; i++) {
    foldTo(counters, i * 1000);
    digests.push((await ledger.append(contentOf(i * 1000, counters.changes()))).digest);
    onWritten('entry');
    if (!baseAt.includes(i)) continue;
    await ledger.appendBase(contentOf(i * 1000, counters.everything()));
    onWritten('base');
  }
  await ledger.close();
  return digests;
}

export async function collect(entries: AsyncIterable<Entry>): Promise<Entry[]> {
  const all: Entry[] = [];
  for await (const entry of entries) all.push(entry);
  return all;
}

export async function timesOf(entries: AsyncIterable<Entry>): Promise<number[]> {
  return (await collect(entries)).map((entry) => entry.tMs);
}

/** Loads base and chain as a shard does. */
export async function rebuild(ledger: Ledger): Promise<{ tMs: number; counters: Counters }> {
  const { base, chain, last } = await ledger.recover();
  const counters = new Counters();
  let tMs = base?.tMs ?? 0;
  if (base !== undefined) counters.load(base.sections);
  for await (const entry of chain) {
    counters.load(entry.sections);
    tMs = entry.tMs;
  }
  if (tMs !== (last?.tMs ?? 0)) throw new Error(`the chain ends at T=${tMs}, last is T=${last?.tMs}`);
  counters.changes();
  return { tMs, counters };
}
