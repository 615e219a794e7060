// A disk in memory that can die at any moment. What was written and not synced may then be there, be gone, be cut anywhere or
// be zeros; files made or removed without a sync of their directory may be there or not. Its operations can be made to fail,
// and a sync that fails loses what it should have made safe, though the process goes on reading it.

import { basename } from 'node:path';
import { type DiskFile, DiskQueueError, type FileSystem } from '../../src/index.ts';
import type { Random } from './random.ts';

export type Operation =
  | 'write'
  | 'sync'
  | 'truncate'
  | 'open'
  | 'remove'
  | 'rename'
  | 'read'
  | 'size'
  | 'syncDirectory';

interface Inode {
  /** As the process sees it. */
  content: Buffer;
  /** As it certainly is on the disk. */
  durable: Buffer;
  /** Changes since. */
  unsynced: ((content: Buffer, share: number, asZeros: boolean) => Buffer)[];
}

export interface SimulatedDisk extends FileSystem {
  /** By name. */
  readonly files: ReadonlyMap<string, Inode>;
  readonly isDead: boolean;
  /** How many operations there were. */
  readonly operations: number;
  /** What an operation on this file shall fail with, if it shall. The range is what is read, of an open file. */
  fault: (operation: Operation, name: string, range?: [from: number, to: number]) => string | undefined;
  /** Told of each operation that is done. */
  onDone: (operation: Operation, name: string) => void;
  /** In the middle of the operation with this number. Whoever waits for it or for a later one waits for ever. */
  dieAt(operation: number): void;
  die(): void;
  /** The disk as the next process finds it: after the death of the process (`kill`) or of the machine (`power`). */
  reborn(kind: 'kill' | 'power'): SimulatedDisk;
}

export function simulatedDisk(random: Random, start: ReadonlyMap<string, Inode> = new Map()): SimulatedDisk {
  const files = new Map(start);
  let durableFiles = new Map(start);
  let isDead = false;
  let isLocked = false;
  let deadline = Number.POSITIVE_INFINITY;
  let operations = 0;

  // Each operation takes some turns, so that others come in between.
  async function operate<T>(
    operation: Operation,
    name: string,
    work: () => T,
    partly: () => void = () => {},
    range?: [from: number, to: number],
  ): Promise<T> {
    for (let turns = random.below(3); turns > 0; turns--) await Promise.resolve();
    if (!isDead && ++operations >= deadline) {
      partly();
      isDead = true;
    }
    if (isDead) return new Promise(() => {});
    const code = disk.fault(operation, name, range);
    if (code !== undefined) {
      partly();
      throw Object.assign(new Error(`simulated ${code}`), { code });
    }
    const result = work();
    disk.onDone(operation, name);
    return result;
  }

  function change(inode: Inode, by: (content: Buffer, share: number, asZeros: boolean) => Buffer, share = 1): void {
    inode.content = by(inode.content, share, false);
    inode.unsynced.push((content, innerShare, asZeros) => by(content, Math.min(share, innerShare), asZeros));
  }

  function handle(inode: Inode, name: string): DiskFile {
    const writing = (bytes: Uint8Array, position: number) => {
      const data = Buffer.from(bytes);
      return (content: Buffer, share: number, asZeros: boolean) => {
        const length = Math.floor(data.length * share);
        if (length === 0) return content;
        const result = Buffer.alloc(Math.max(content.length, position + length));
        content.copy(result);
        if (asZeros) result.fill(0, position, position + length);
        else data.copy(result, position, 0, length);
        return result;
      };
    };
    return {
      write(bytes, position) {
        const by = writing(bytes, position);
        return operate(
          'write',
          name,
          () => change(inode, by),
          () => change(inode, by, random()),
        );
      },
      read: (lengthBytes, position) =>
        operate(
          'read',
          name,
          () => Buffer.from(inode.content.subarray(position, position + lengthBytes)),
          () => {},
          [position, position + lengthBytes],
        ),
      truncate: (sizeBytes) =>
        operate('truncate', name, () => change(inode, (content) => Buffer.from(content.subarray(0, sizeBytes)))),
      sync: () =>
        operate(
          'sync',
          name,
          () => {
            for (const by of inode.unsynced.splice(0)) inode.durable = by(inode.durable, 1, false);
          },
          () => {
            // Some of it gets there, and the rest never will, whatever a later sync says.
            for (const by of inode.unsynced.splice(0)) {
              if (random.chance(0.5)) inode.durable = by(inode.durable, random(), random.chance(0.2));
            }
          },
        ),
      close: async () => {},
    };
  }

  function afterPower(): Map<string, Inode> {
    const names = new Map<string, Inode>();
    // A file that was renamed has either name, and only one.
    const oldNames = new Map([...durableFiles].map(([name, inode]) => [inode, name]));
    for (const [name, inode] of [...files]) {
      const oldName = oldNames.get(inode);
      if (oldName === undefined || oldName === name) continue;
      durableFiles.delete(oldName);
      files.delete(name);
      const chosen = random.chance(0.5) ? oldName : name;
      durableFiles.set(chosen, inode);
      files.set(chosen, inode);
    }
    for (const [name, inode] of new Map([...durableFiles, ...files])) {
      const isSafe = durableFiles.has(name) === files.has(name);
      if (isSafe ? !files.has(name) : random.chance(0.5)) continue;
      let content = inode.durable;
      for (const by of inode.unsynced) {
        if (random.chance(0.3)) continue;
        content = by(content, random.chance(0.5) ? 1 : random(), random.chance(0.2));
      }
      names.set(name, { content, durable: content, unsynced: [] });
    }
    return names;
  }

  const disk: SimulatedDisk = {
    files,
    get isDead() {
      return isDead;
    },
    get operations() {
      return operations;
    },
    fault: () => undefined,
    onDone: () => {},
    dieAt(operation) {
      deadline = operation;
    },
    die() {
      isDead = true;
    },
    reborn(kind) {
      isDead = true;
      if (kind === 'power') return simulatedDisk(random, afterPower());
      const survivors = simulatedDisk(random, files);
      return survivors;
    },
    lock() {
      if (isLocked) throw new DiskQueueError('locked', 'locked');
      isLocked = true;
      return {
        release() {
          isLocked = false;
        },
      };
    },
    list: (directory) => operate('read', basename(directory), () => [...files.keys()]),
    read: (path) =>
      operate('read', basename(path), () => {
        const inode = files.get(basename(path));
        return inode && Buffer.from(inode.content);
      }),
    open(path, mode) {
      const name = basename(path);
      return operate('open', name, () => {
        const known = files.get(name);
        if (known !== undefined && mode === 'new') throw Object.assign(new Error('file exists'), { code: 'EEXIST' });
        if (known !== undefined) return handle(known, name);
        if (mode === 'existing') throw Object.assign(new Error('no such file'), { code: 'ENOENT' });
        const inode: Inode = { content: Buffer.alloc(0), durable: Buffer.alloc(0), unsynced: [] };
        files.set(name, inode);
        return handle(inode, name);
      });
    },
    size: (path) => operate('size', basename(path), () => files.get(basename(path))?.content.length),
    rename: (from, to) =>
      operate('rename', basename(from), () => {
        const inode = files.get(basename(from));
        if (inode === undefined) throw Object.assign(new Error('no such file'), { code: 'ENOENT' });
        files.delete(basename(from));
        files.set(basename(to), inode);
      }),
    remove: (path) => operate('remove', basename(path), () => void files.delete(basename(path))),
    syncDirectory: (directory) =>
      operate('syncDirectory', basename(directory), () => {
        durableFiles = new Map(files);
      }),
  };
  return disk;
}
