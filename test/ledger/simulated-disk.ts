// A disk in memory that tells written from durable. Any step can fail once, or be the last one before a crash; a crash loses what
// wasn't synced, all of it, none of it, or a random part in pages of 512 bytes and single directory changes.
import path from 'node:path';
import type { LedgerFile, LedgerFileSystem } from '../../src/ledger/index.ts';

type Change = { position: number; bytes: Uint8Array } | { size: number };

interface Inode {
  data: Uint8Array;
  durable: Uint8Array;
  unsynced: Change[];
}

type NameChange = { remove: string } | { add: string; inode: Inode } | { rename: string; to: string; inode: Inode };

/** What a crash does with what wasn't synced. */
export type Loss = 'all' | 'nothing' | number;

export class Crashed extends Error {}

const PAGE_BYTES = 512;

export class SimulatedDisk implements LedgerFileSystem {
  names = new Map<string, Inode>();
  private durableNames = new Map<string, Inode>();
  private unsyncedNames: NameChange[] = [];
  private readonly directories = new Set<string>();
  private isLocked = false;
  /** Steps that change something, since `arm`. */
  steps = 0;
  private failing: (step: number) => string | undefined = () => undefined;
  private crashStep = Number.POSITIVE_INFINITY;

  /** Counts steps from 0; `failing` gives the error code for a step; from `crashStep` on every call throws Crashed. */
  arm(failing: (step: number) => string | undefined, crashStep = Number.POSITIVE_INFINITY): void {
    this.steps = 0;
    this.failing = failing;
    this.crashStep = crashStep;
  }

  /** The machine comes back. Handles opened before are of no use any more. */
  crash(loss: Loss): void {
    const random = typeof loss === 'number' ? generator(loss) : undefined;
    const isKept = () => (random === undefined ? loss === 'nothing' : random() < 0.5);
    const inodes = new Set([...this.durableNames.values(), ...this.names.values()]);
    for (const change of this.unsyncedNames) if ('inode' in change) inodes.add(change.inode);
    for (const inode of inodes) {
      inode.data = inode.durable;
      for (const change of inode.unsynced) applyPart(inode, change, isKept);
      inode.durable = inode.data;
      inode.unsynced = [];
    }
    this.names = new Map(this.durableNames);
    for (const change of this.unsyncedNames) if (isKept()) applyName(this.names, change);
    this.durableNames = new Map(this.names);
    this.unsyncedNames = [];
    this.isLocked = false;
    this.arm(() => undefined);
  }

  /** A copy to crash in another way; nothing may be open. */
  clone(): SimulatedDisk {
    const copies = new Map<Inode, Inode>();
    const copy = (inode: Inode): Inode => {
      const known = copies.get(inode) ?? { data: inode.data, durable: inode.durable, unsynced: [...inode.unsynced] };
      copies.set(inode, known);
      return known;
    };
    const other = new SimulatedDisk();
    for (const [name, inode] of this.names) other.names.set(name, copy(inode));
    for (const [name, inode] of this.durableNames) other.durableNames.set(name, copy(inode));
    other.unsyncedNames = this.unsyncedNames.map((change) =>
      'inode' in change ? { ...change, inode: copy(change.inode) } : change,
    );
    for (const directory of this.directories) other.directories.add(directory);
    return other;
  }

  async open(file: string, flags: 'r' | 'r+' | 'w+'): Promise<LedgerFile> {
    const known = this.names.get(file);
    if (flags !== 'w+') {
      if (known === undefined) throw errorOf('ENOENT');
      return this.handle(known);
    }
    this.step();
    const inode = known ?? { data: new Uint8Array(0), durable: new Uint8Array(0), unsynced: [] };
    if (known !== undefined) change(inode, { size: 0 });
    else this.changeName({ add: file, inode });
    return this.handle(inode);
  }

  async makeDirectory(directory: string): Promise<string | undefined> {
    if (this.directories.has(directory)) return undefined;
    this.directories.add(directory);
    return directory;
  }

  async readDirectory(directory: string): Promise<string[]> {
    return [...this.names.keys()].filter((name) => path.dirname(name) === directory).map((name) => path.basename(name));
  }

  async syncDirectory(directory: string): Promise<void> {
    this.step();
    const isHere = (item: NameChange) =>
      path.dirname('remove' in item ? item.remove : 'add' in item ? item.add : item.to) === directory;
    for (const item of this.unsyncedNames.filter(isHere)) applyName(this.durableNames, item);
    this.unsyncedNames = this.unsyncedNames.filter((item) => !isHere(item));
  }

  async rename(from: string, to: string): Promise<void> {
    this.step();
    this.changeName({ rename: from, to, inode: this.names.get(from)! });
  }

  async unlink(file: string): Promise<void> {
    this.step();
    if (!this.names.has(file)) throw errorOf('ENOENT');
    this.changeName({ remove: file });
  }

  lock(): { release(): void } {
    if (this.isLocked) throw new Error('locked');
    this.isLocked = true;
    return {
      release: () => {
        this.isLocked = false;
      },
    };
  }

  private changeName(item: NameChange): void {
    applyName(this.names, item);
    this.unsyncedNames.push(item);
  }

  private handle(inode: Inode): LedgerFile {
    const handle: LedgerFile = {
      read: async (into, position) => {
        const part = inode.data.subarray(position, position + into.length);
        into.set(part);
        return part.length;
      },
      write: async (bytes, position) => {
        try {
          this.step();
        } catch (error) {
          // A step that fails has done half of its work; so has the one in which the machine stopped.
          if (!(error instanceof Crashed) || this.steps === this.crashStep + 1) {
            change(inode, { position, bytes: bytes.slice(0, bytes.length >> 1) });
          }
          throw error;
        }
        change(inode, { position, bytes: bytes.slice() });
        return bytes.length;
      },
      datasync: async () => {
        this.step();
        inode.durable = inode.data;
        inode.unsynced = [];
      },
      truncate: async (size) => {
        this.step();
        change(inode, { size });
      },
      sizeBytes: async () => inode.data.length,
      close: async () => {},
    };
    return handle;
  }

  private step(): void {
    const step = this.steps++;
    if (step >= this.crashStep) throw new Crashed('the machine stopped');
    const code = this.failing(step);
    if (code !== undefined) throw errorOf(code);
  }
}

function change(inode: Inode, what: Change): void {
  inode.unsynced.push(what);
  apply(inode, what);
}

function apply(inode: Inode, what: Change): void {
  const size = 'size' in what ? what.size : Math.max(inode.data.length, what.position + what.bytes.length);
  const data = new Uint8Array(size);
  data.set(inode.data.subarray(0, size));
  if ('bytes' in what) data.set(what.bytes, what.position);
  inode.data = data;
}

function applyPart(inode: Inode, what: Change, isKept: () => boolean): void {
  if ('size' in what) {
    if (isKept()) apply(inode, what);
    return;
  }
  for (let at = 0; at < what.bytes.length; ) {
    // Pages are aligned in the file, not in the write.
    const end = Math.min(what.bytes.length, at + PAGE_BYTES - ((what.position + at) % PAGE_BYTES));
    if (isKept()) apply(inode, { position: what.position + at, bytes: what.bytes.subarray(at, end) });
    at = end;
  }
}

function applyName(names: Map<string, Inode>, item: NameChange): void {
  if ('remove' in item) names.delete(item.remove);
  else if ('add' in item) names.set(item.add, item.inode);
  else {
    names.delete(item.rename);
    names.set(item.to, item.inode);
  }
}

export function errorOf(code: string): Error {
  return Object.assign(new Error(`${code}: injected`), { code });
}

/** mulberry32 */
export function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}
