// The names in a shard's directory, and its making. A name's T is that of the entry that a base stands for, or after which a
// file of entries begins.
import path from 'node:path';
import type { LedgerFileSystem } from './file-system.ts';

const NAME = /^(?:entries-(\d{20})\.ledger|base-(\d{20})\.base)$/;
/** A base that isn't whole yet. */
export const UNFINISHED_SUFFIX = '.base.new';
export const LOCK_FILE = 'lock.sqlite';

export interface NamedFile {
  path: string;
  tMs: number;
}

export interface Listing {
  /** Ascending by T, both. */
  entries: NamedFile[];
  bases: NamedFile[];
  unfinished: string[];
  others: string[];
}

export function shardDirectory(root: string, shard: number): string {
  return path.join(root, `shard-${shard}`);
}

export function entriesPath(directory: string, tMs: number): string {
  return path.join(directory, `entries-${String(tMs).padStart(20, '0')}.ledger`);
}

export function basePath(directory: string, tMs: number): string {
  return path.join(directory, `base-${String(tMs).padStart(20, '0')}.base`);
}

export async function listDirectory(fileSystem: LedgerFileSystem, directory: string): Promise<Listing> {
  const listing: Listing = { entries: [], bases: [], unfinished: [], others: [] };
  for (const name of (await fileSystem.readDirectory(directory)).sort()) {
    const full = path.join(directory, name);
    const match = NAME.exec(name);
    if (match?.[1] !== undefined) listing.entries.push({ path: full, tMs: Number(match[1]) });
    else if (match?.[2] !== undefined) listing.bases.push({ path: full, tMs: Number(match[2]) });
    else if (name.endsWith(UNFINISHED_SUFFIX)) listing.unfinished.push(full);
    else if (!name.startsWith(LOCK_FILE)) listing.others.push(full);
  }
  return listing;
}

/** Makes the directory, and its name durable, and those of the directories above it that were new. */
export async function makeDirectory(fileSystem: LedgerFileSystem, directory: string): Promise<void> {
  const topmost = await fileSystem.makeDirectory(directory);
  if (topmost === undefined) return;
  const stopAt = path.dirname(path.resolve(topmost));
  for (let at = path.dirname(path.resolve(directory)); ; at = path.dirname(at)) {
    await fileSystem.syncDirectory(at);
    if (at === stopAt || at === path.dirname(at)) return;
  }
}
