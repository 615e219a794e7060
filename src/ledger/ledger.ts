// One shard's ledger on a local disk: the order in which entries, claims, settled pointers and bases become durable. Must never
// resolve an append before it is durable, nor delete what a boundary above the settled floor needs.
import path from 'node:path';
import { readBase, writeBase } from './base-file.ts';
import { assertLittleEndian, buildBody } from './body.ts';
import { canonicalJson } from './canonical.ts';
import { nameOf } from './chain.ts';
import { cutAfter } from './cut.ts';
import { LOCK_FILE, makeDirectory, shardDirectory } from './directory.ts';
import { EntriesWriter } from './entries-writer.ts';
import { assertStorable, byPartition, digestOfBody, encodeWithBody, headOf } from './entry-codec.ts';
import { firstAfter, oldestMs, readAt, readEntries } from './entry-reader.ts';
import { asLedgerError, LedgerError } from './errors.ts';
import { type LedgerFileSystem, nodeFileSystem } from './file-system.ts';
import { makeFrame } from './frame.ts';
import { type ClaimHead, encodeSettledHead } from './heads.ts';
import type { Lock } from './lock.ts';
import type { Appended, Ledger, LedgerOptions, LedgerStats, Recovered } from './options.ts';
import { type BaseFile, type Inventory, scanDirectory } from './scan.ts';
import type { Entry, EntryContent, EntryHead, SettledPointer } from './section.ts';

/** A base says what was, not how it came about. */
const NO_TICKS: EntryContent['ticks'] = {
  endsMs: new Float64Array(0),
  nextOffsets: new Float64Array(0),
  partitions: [],
};

/**
 * Takes the lock, reads what is there, cuts a torn tail.
 * @throws LedgerError `ledger_locked`, `ledger_damaged`, `broken_chain`, `ledger_incompatible`, `unknown_commit`, `disk_full`, `ledger_io`
 */
export async function openLedger(options: LedgerOptions): Promise<Ledger> {
  assertLittleEndian();
  const fileSystem = options.fs ?? nodeFileSystem;
  const directory = shardDirectory(options.path, options.shard);
  let lock: Lock | undefined;
  try {
    await makeDirectory(fileSystem, directory);
    lock = fileSystem.lock(path.join(directory, LOCK_FILE));
    let inventory = await scanDirectory(fileSystem, directory, options.shard);
    if (options.committed && (await cutAfter(fileSystem, directory, inventory, options.committed))) {
      const { last } = inventory.chain;
      inventory = await scanDirectory(fileSystem, directory, options.shard);
      options.logger?.warn(
        { found: nameOf(last), committed: nameOf(inventory.chain.last) },
        'cut entries that were never committed: what they stand for is folded again',
      );
    }
    const ledger = new LocalLedger(options, fileSystem, directory, lock, inventory);
    await ledger.tidy();
    return ledger;
  } catch (cause) {
    lock?.release();
    throw asLedgerError(cause, `opening ${directory}`);
  }
}

class LocalLedger implements Ledger {
  private readonly options: LedgerOptions;
  private readonly fileSystem: LedgerFileSystem;
  private readonly directory: string;
  private readonly lock: Lock;
  private readonly inventory: Inventory;
  private readonly writer: EntriesWriter;
  private hasClaim = false;
  /** Pointers that are in no durable frame yet. */
  private readonly pending = new Map<string, number>();
  /** The next frame must go to a new file: a base ended the current one, or a file of the next name may already be there. */
  private mustRoll = false;
  private queue: Promise<unknown> = Promise.resolve();
  private closing: Promise<void> | undefined;

  constructor(
    options: LedgerOptions,
    fileSystem: LedgerFileSystem,
    directory: string,
    lock: Lock,
    inventory: Inventory,
  ) {
    this.options = options;
    this.fileSystem = fileSystem;
    this.directory = directory;
    this.lock = lock;
    this.inventory = inventory;
    this.writer = new EntriesWriter(fileSystem, directory, inventory.files.at(-1));
  }

  get claim(): number {
    return this.inventory.chain.claim;
  }

  /** Removes what a crash left behind: a torn tail, bases that never got their name. */
  async tidy(): Promise<void> {
    const { listing, tornBytes } = this.inventory;
    const { logger } = this.options;
    for (const file of listing.others) logger?.info({ file }, 'not a file of the ledger: left alone');
    for (const file of listing.unfinished) await this.fileSystem.unlink(file);
    if (tornBytes === 0) return;
    const { path: file, endPosition } = this.writer.current!;
    logger?.warn({ file, endPosition, tornBytes }, 'cut what an unfinished write left behind the last good record');
    await this.writer.cutTorn();
  }

  async recover(): Promise<Recovered> {
    this.assertOpen();
    const { chain, bases } = this.inventory;
    const newest = bases.at(-1);
    const base = newest === undefined ? undefined : await this.load(newest);
    return {
      claim: chain.claim,
      ...(base === undefined ? {} : { base }),
      chain: this.read(base?.tMs ?? Number.NEGATIVE_INFINITY),
      ...(chain.last === undefined ? {} : { last: chain.last }),
      settled: new Map(chain.settled),
    };
  }

  takeOver(): Promise<number> {
    return this.exclusive('taking over', async () => {
      const { chain } = this.inventory;
      const { logIdentity } = this.options;
      if (chain.last !== undefined && chain.last.logIdentity !== logIdentity) {
        const found = `${this.directory}: ${nameOf(chain.last)} was folded from log ${chain.last.logIdentity}`;
        throw new LedgerError('other_log', `${found}, but the log here is ${logIdentity}`);
      }
      const head = this.claimHead(Math.max(chain.claim, this.options.committed?.claim ?? 0) + 1);
      if (this.writer.current === undefined || this.mustRoll) await this.roll(head);
      else {
        const position = await this.writer.append(makeFrame('claim', canonicalJson(head)));
        this.noteClaim(head, position);
      }
      this.hasClaim = true;
      return head.claim;
    });
  }

  append(content: EntryContent): Promise<Appended> {
    return this.exclusive('appending an entry', async () => {
      const { chain, places } = this.inventory;
      const { shard, logIdentity } = this.options;
      const claim = this.assertClaim();
      assertStorable(content);
      chain.assertFollows(content);
      const body = buildBody(content);
      const digest = digestOfBody(content, body, shard, logIdentity);
      const entry: Entry = { ...content, shard, claim, logIdentity, prevDigest: chain.last?.digest ?? '', digest };
      // A copy: what the caller does with its arrays afterwards must not reach the chain.
      const head = structuredClone(headOf(entry));
      if (this.mustRoll) await this.roll(this.claimHead(claim));
      const settled = [...this.pending];
      const frame = encodeWithBody('entry', head, body, settled);
      const position = await this.writer.append(frame);
      const file = this.writer.current!;
      this.notePointers(settled);
      chain.onEntry({ ...head, settled }, { file: file.path, position });
      places.push({ tMs: head.tMs, digest, file, position, sizeBytes: frame.length });
      return { tMs: head.tMs, digest, sizeBytes: frame.length };
    });
  }

  appendBase(content: EntryContent): Promise<Appended> {
    return this.exclusive('writing a base', async () => {
      const { bases } = this.inventory;
      const claim = this.assertClaim();
      assertStorable(content);
      const { tMs, sections } = content;
      const there = bases.find((base) => base.tMs === tMs);
      if (there !== undefined) return { tMs, digest: there.head.digest, sizeBytes: there.sizeBytes };
      const head: EntryHead = { ...(await this.headAt(content)), claim };
      const frame = encodeWithBody('base', head, buildBody({ ticks: NO_TICKS, sections }), []);
      const base = await writeBase(this.fileSystem, this.directory, head, frame);
      bases.push(base);
      bases.sort((a, b) => a.tMs - b.tMs);
      await this.rollAfterBase(claim);
      return { tMs, digest: head.digest, sizeBytes: frame.length };
    });
  }

  settle(key: string, tMs: number): void {
    const { settled } = this.inventory.chain;
    const before = settled.get(key);
    if (before !== undefined && before >= tMs) return;
    settled.set(key, tMs);
    this.pending.set(key, tMs);
  }

  settled(): ReadonlyMap<string, number> {
    return this.inventory.chain.settled;
  }

  flush(): Promise<void> {
    return this.exclusive('writing settled pointers', () => this.writePointers());
  }

  read(afterTMs: number): AsyncIterable<Entry> {
    return { [Symbol.asyncIterator]: () => readEntries(this.fileSystem, this.inventory, afterTMs) };
  }

  async baseBefore(tMs: number): Promise<Entry | undefined> {
    this.assertOpen();
    const base = this.usableBase(tMs);
    return base && this.load(base);
  }

  /** T of what `baseBefore` gives, without reading it. */
  baseTimeBefore(tMs: number): number | undefined {
    return this.usableBase(tMs)?.tMs;
  }

  /** One that the entries after it are there for. */
  private usableBase(tMs: number) {
    const base = this.newestBase(tMs);
    return base === undefined || base.tMs < oldestMs(this.inventory) ? undefined : base;
  }

  prune(settledFloorMs: number): Promise<number> {
    return this.exclusive('pruning', async () => {
      const { bases, files, places } = this.inventory;
      const kept = this.newestBase(settledFloorMs);
      if (kept === undefined) return 0;
      const before = this.sizeBytes();
      // Bases first, entries oldest first, each deletion durable before the next: whatever a crash leaves is a ledger without a
      // hole, and no base is without the entries after it.
      while (bases[0]! !== kept) {
        await this.remove(bases[0]!.path);
        bases.shift();
      }
      while (files.length > 1 && files[1]!.tMs <= kept.tMs) {
        await this.remove(files[0]!.path);
        files.shift();
        places.splice(0, firstAfter(places, files[0]!.tMs));
      }
      return before - this.sizeBytes();
    });
  }

  sizeBytes(): number {
    const { files, bases } = this.inventory;
    let sum = 0;
    for (const file of files) sum += file.endPosition;
    for (const base of bases) sum += base.sizeBytes;
    return sum;
  }

  overLimit(): boolean {
    return this.sizeBytes() >= this.options.maxBytes;
  }

  stats(): LedgerStats {
    const { chain, bases, places, tornBytes } = this.inventory;
    const since = places.slice(firstAfter(places, bases.at(-1)?.tMs ?? Number.NEGATIVE_INFINITY));
    return {
      claim: chain.claim,
      committedMs: chain.last?.tMs,
      entries: places.length,
      bases: bases.length,
      sizeBytes: this.sizeBytes(),
      sinceBaseEntries: since.length,
      sinceBaseBytes: since.reduce((sum, place) => sum + place.sizeBytes, 0),
      tornBytes,
      orphans: chain.orphans,
      repairs: this.writer.repairs,
    };
  }

  close(): Promise<void> {
    this.closing ??= this.queue.then(async () => {
      try {
        // A pointer that gets lost costs a boundary that is sent again, with the same values.
        await this.writePointers().catch((error: Error) => {
          this.options.logger?.warn({ error: error.message }, 'settled pointers were not written');
        });
        await this.writer.close();
      } finally {
        this.lock.release();
      }
    });
    return this.closing;
  }

  private exclusive<T>(what: string, run: () => Promise<T>): Promise<T> {
    const result = (async () => {
      this.assertOpen();
      const before = this.queue;
      const mine = before.then(run);
      this.queue = mine.catch(() => {});
      return mine;
    })();
    return result.catch((cause: unknown) => {
      throw asLedgerError(cause, `${what} (${this.directory})`);
    });
  }

  /** The new file begins with a claim record, so that what older files say of claims and pointers may go with them. */
  private async roll(head: ClaimHead): Promise<void> {
    const afterMs = head.after?.tMs ?? 0;
    this.mustRoll = true;
    await this.writer.roll(afterMs, makeFrame('claim', canonicalJson(head)));
    this.mustRoll = false;
    this.inventory.files.push(this.writer.current!);
    this.noteClaim(head, 0);
  }

  /** The base is durable: a failure here is left to the next append, which tries again before anything else. */
  private async rollAfterBase(claim: number): Promise<void> {
    if (this.inventory.chain.last!.tMs <= this.writer.current!.tMs) return;
    try {
      await this.roll(this.claimHead(claim));
    } catch (cause) {
      const { message } = asLedgerError(cause, this.directory);
      this.options.logger?.warn({ error: message }, 'no new file after a base yet: the next write tries again');
    }
  }

  private async writePointers(): Promise<void> {
    // Nobody has taken over: nothing may be written. Whoever does writes all pointers.
    if (this.pending.size === 0 || !this.hasClaim) return;
    if (this.mustRoll) return this.roll(this.claimHead(this.claim));
    const settled = [...this.pending];
    await this.writer.append(makeFrame('settled', encodeSettledHead(this.options.shard, settled)));
    this.notePointers(settled);
  }

  private claimHead(claim: number): ClaimHead {
    const { shard, logIdentity, engine, now } = this.options;
    const { last, settled } = this.inventory.chain;
    return {
      shard,
      claim,
      logIdentity,
      engine,
      ...(now === undefined ? {} : { atMs: now() }),
      ...(last === undefined ? {} : { after: last }),
      settled: [...settled],
    };
  }

  private noteClaim(head: ClaimHead, position: number): void {
    this.inventory.chain.onClaim(head, { file: this.writer.current!.path, position });
    this.notePointers(head.settled);
  }

  private notePointers(durable: readonly SettledPointer[]): void {
    for (const [key, tMs] of durable) if (this.pending.get(key) === tMs) this.pending.delete(key);
  }

  /** The head of the entry that a base stands for. */
  private async headAt({ tMs, offsets }: EntryContent): Promise<EntryHead> {
    const { chain, places } = this.inventory;
    const place = places[firstAfter(places, tMs) - 1];
    let head = chain.last;
    if (head?.tMs !== tMs && place?.tMs === tMs) head = headOf(await readAt(this.fileSystem, place));
    if (head?.tMs !== tMs) {
      throw new LedgerError('broken_chain', `a base at T=${tMs}, but there is no entry of that T`);
    }
    if (canonicalJson(byPartition(offsets)) === canonicalJson(byPartition(head.offsets))) return head;
    throw new LedgerError('broken_chain', `a base at T=${tMs} with other offsets than the entry of that T`);
  }

  private async load(base: BaseFile): Promise<Entry> {
    try {
      return await readBase(this.fileSystem, base);
    } catch (cause) {
      throw asLedgerError(cause, `reading ${base.path}`);
    }
  }

  private newestBase(tMs: number): BaseFile | undefined {
    return this.inventory.bases.findLast((base) => base.tMs <= tMs);
  }

  private async remove(file: string): Promise<void> {
    await this.fileSystem.unlink(file).catch((cause: NodeJS.ErrnoException) => {
      if (cause.code !== 'ENOENT') throw cause;
    });
    await this.fileSystem.syncDirectory(this.directory);
  }

  private assertOpen(): void {
    if (this.closing !== undefined) throw new LedgerError('ledger_closed', `${this.directory}: the ledger is closed`);
  }

  private assertClaim(): number {
    if (this.hasClaim) return this.claim;
    throw new LedgerError('no_claim', `${this.directory}: nothing can be appended before takeOver()`);
  }
}
