// What was given up because it couldn't be read: kept under another name, for whoever wants to look into it, until the limits
// say otherwise. The queue itself never reads it again.

import { join } from 'node:path';
import type { FileSystem } from './file-system.ts';
import { parseSegmentName, type SegmentName } from './segment.ts';
import type { DiskErrorKind } from './stats.ts';

export interface Aside extends SegmentName {
  path: string;
  sizeBytes: number;
  /** When it was given up, ms since the Unix epoch. */
  sinceMs: number;
}

const NAME = /^(.+\.segment)\.unreadable-(\d{1,16})$/;

/** @param path of the segment. */
export function asidePath(path: string, nowMs: number): string {
  return `${path}.unreadable-${Math.max(0, Math.floor(nowMs))}`;
}

export function parseAsideName(name: string): (SegmentName & { sinceMs: number }) | undefined {
  const match = NAME.exec(name);
  const segment = match === null ? undefined : parseSegmentName(match[1]!);
  return segment && { ...segment, sinceMs: Number(match![2]) };
}

export async function findAsides(
  fs: FileSystem,
  directory: string,
  names: readonly string[],
  onError: (error: unknown) => void,
): Promise<Aside[]> {
  const asides: Aside[] = [];
  for (const name of names) {
    const parsed = parseAsideName(name);
    if (parsed === undefined) continue;
    const path = join(directory, name);
    asides.push({ path, ...parsed, sizeBytes: (await fs.size(path).catch(onError)) ?? 0 });
  }
  return asides;
}

export class Asides {
  readonly #fs: FileSystem;
  readonly #onError: (kind: DiskErrorKind, error: unknown) => void;
  /** The longest here first. */
  readonly #files: Aside[];

  constructor(fs: FileSystem, files: readonly Aside[], onError: (kind: DiskErrorKind, error: unknown) => void) {
    this.#fs = fs;
    this.#files = files.toSorted((a, b) => a.sinceMs - b.sinceMs);
    this.#onError = onError;
  }

  get files(): number {
    return this.#files.length;
  }

  get sizeBytes(): number {
    return this.#files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  }

  /** Rejects if it stays where it is. */
  async add(of: SegmentName & { path: string; sizeBytes: number }, nowMs: number): Promise<void> {
    const path = asidePath(of.path, nowMs);
    await this.#fs.rename(of.path, path);
    this.#files.push({ ...of, path, sinceMs: nowMs });
  }

  async removeOlderThan(sinceMs: number): Promise<void> {
    while ((this.#files[0]?.sinceMs ?? sinceMs) < sinceMs) if (!(await this.removeOldest())) return;
  }

  /** False if there is none, or that isn't possible. */
  async removeOldest(): Promise<boolean> {
    const file = this.#files.shift();
    if (file === undefined) return false;
    try {
      await this.#fs.remove(file.path);
      return true;
    } catch (error) {
      this.#onError('remove', error);
      this.#files.unshift(file);
      return false;
    }
  }
}
