// Reads a shard's directory without changing it: where each entry stands, which bases there are, what the chain says. Strict:
// whatever can't have come from a crash is an error, because going on from a guess would repeat or lose what was counted.
import { Chain, nameOf } from './chain.ts';
import { type Listing, listDirectory, type NamedFile } from './directory.ts';
import { damaged, LedgerError, type Where } from './errors.ts';
import { type LedgerFile, type LedgerFileSystem, readFully, withFile } from './file-system.ts';
import { align, claimedBytes, FRAME_HEAD_BYTES, type Frame, parseJson, viewOf } from './frame.ts';
import { parseClaimHead, parseEntryHead, parseSettledHead } from './heads.ts';
import type { EntryHead } from './section.ts';
import { walkFrames } from './walk.ts';

export interface EntriesFile extends NamedFile {
  /** Where its last good frame ends. */
  endPosition: number;
  lastFrameAt: number;
}

export interface BaseFile extends NamedFile {
  sizeBytes: number;
  head: EntryHead;
}

/** Where an entry of the chain is. */
export interface Place {
  tMs: number;
  digest: string;
  file: EntriesFile;
  position: number;
  sizeBytes: number;
}

export interface Inventory {
  chain: Chain;
  /** Ascending by T, all three. */
  files: EntriesFile[];
  bases: BaseFile[];
  places: Place[];
  /** Bytes behind the last good frame of the newest file. */
  tornBytes: number;
  listing: Listing;
}

export type OnFrame = (frame: Frame, where: Where) => void;

/** @throws LedgerError `ledger_damaged`, `broken_chain`, `ledger_incompatible` */
export async function scanDirectory(
  fileSystem: LedgerFileSystem,
  directory: string,
  shard: number,
  onFrame?: OnFrame,
): Promise<Inventory> {
  const listing = await listDirectory(fileSystem, directory);
  const inventory: Inventory = {
    chain: new Chain(shard),
    files: [],
    bases: [],
    places: [],
    tornBytes: 0,
    listing,
  };
  for (const named of listing.entries) {
    const isNewest = named === listing.entries.at(-1);
    await withFile(fileSystem, named.path, (file) => scanEntries(inventory, named, file, isNewest, onFrame));
  }
  for (const named of listing.bases) {
    const base = await withFile(fileSystem, named.path, (file) => readBaseHead(named, file, shard));
    checkBase(inventory, base);
    inventory.bases.push(base);
  }
  checkReach(inventory, directory);
  return inventory;
}

async function scanEntries(
  inventory: Inventory,
  named: NamedFile,
  opened: LedgerFile,
  isNewest: boolean,
  onFrame: OnFrame | undefined,
): Promise<void> {
  const { chain } = inventory;
  const lastMs = chain.last?.tMs;
  if (lastMs !== undefined && lastMs !== named.tMs) {
    throw damaged(
      { file: named.path, position: 0 },
      `its name says that it goes on after T=${named.tMs}, but the file before ends with ${nameOf(chain.last)}`,
    );
  }
  const file: EntriesFile = { ...named, endPosition: 0, lastFrameAt: 0 };
  inventory.files.push(file);
  const walked = await walkFrames(opened, named.path, (frame, where, sizeBytes) => {
    if (where.position === 0 && frame.type !== 'claim') throw damaged(where, 'the first record is not a claim');
    onFrame?.(frame, where);
    take(inventory, file, frame, where, sizeBytes);
  });
  file.endPosition = walked.end;
  file.lastFrameAt = walked.lastFrameAt;
  if (walked.end === walked.sizeBytes) return;
  const where = { file: named.path, position: walked.end };
  if (!isNewest) throw damaged(where, 'damaged, and not in the newest file: not a write cut short');
  if (walked.hasFramesBehind) throw damaged(where, 'damaged, with sound records behind it: not a write cut short');
  inventory.tornBytes = walked.sizeBytes - walked.end;
}

function take(inventory: Inventory, file: EntriesFile, frame: Frame, where: Where, sizeBytes: number): void {
  const { chain } = inventory;
  switch (frame.type) {
    case 'claim':
      chain.onClaim(parseClaimHead(frame.head, where), where);
      return;
    case 'settled': {
      const { shard, settled } = parseSettledHead(frame.head, where);
      chain.checkShard(shard, where);
      chain.onSettled(settled);
      return;
    }
    case 'entry': {
      const head = parseEntryHead(frame.head, where);
      if (!chain.onEntry(head, where)) return;
      const { tMs, digest } = head;
      inventory.places.push({ tMs, digest, file, position: where.position, sizeBytes });
      return;
    }
    case 'base':
      throw damaged(where, 'a base among entries');
  }
}

/** Only the head is read, and unchecked: whoever uses the base reads it whole, with its checksum. */
async function readBaseHead(named: NamedFile, file: LedgerFile, shard: number): Promise<BaseFile> {
  const where = { file: named.path, position: 0 };
  const sizeBytes = await file.sizeBytes();
  const start = new Uint8Array(FRAME_HEAD_BYTES);
  await readFully(file, start, 0);
  const view = viewOf(start);
  const headBytes = view.getUint32(24, true);
  if (claimedBytes(start, view, 0, 0) !== sizeBytes || align(FRAME_HEAD_BYTES + headBytes) > sizeBytes) {
    throw damaged(where, `not a whole base${alternative}`);
  }
  const bytes = new Uint8Array(headBytes);
  await readFully(file, bytes, FRAME_HEAD_BYTES);
  const { settled: _, ...head } = parseEntryHead(parseJson(bytes, where), where);
  if (head.shard !== shard || head.tMs !== named.tMs) {
    throw damaged(where, `holds a base of shard ${head.shard} at T=${head.tMs}, which its place and name deny`);
  }
  return { ...named, sizeBytes, head };
}

export const alternative =
  ' (if an older base is there and all entries since, recovery works without this file: move it away)';

/** A base was written after its entry was durable: the entry, or what the oldest file goes on from, must be that very one. */
function checkBase(inventory: Inventory, base: BaseFile): void {
  const { chain, places } = inventory;
  const where = { file: base.path, position: 0 };
  if (chain.last === undefined || base.tMs > chain.last.tMs) {
    throw damaged(
      where,
      `stands for ${nameOf(base.head)}, but the entries end with ${nameOf(chain.last)}: entries are lost`,
    );
  }
  const anchor = chain.anchor;
  // Below the oldest entries: what a prune that was interrupted left.
  if (anchor !== undefined && base.tMs < anchor.tMs) return;
  const digest = anchor?.tMs === base.tMs ? anchor.digest : places.find((place) => place.tMs === base.tMs)?.digest;
  if (digest === base.head.digest) return;
  const found =
    digest === undefined ? `there is no entry T=${base.tMs}` : `the entries have digest ${digest.slice(0, 12)} there`;
  throw new LedgerError('broken_chain', `stands for ${nameOf(base.head)}, but ${found}`, { where });
}

function checkReach(inventory: Inventory, directory: string): void {
  const { anchor } = inventory.chain;
  const oldest = inventory.files[0];
  if (oldest !== undefined && oldest.tMs !== (anchor?.tMs ?? 0)) {
    const where = { file: oldest.path, position: 0 };
    throw damaged(where, `the oldest file, but it goes on from ${nameOf(anchor)}: files are lost`);
  }
  if (anchor === undefined || inventory.bases.some((base) => base.tMs >= anchor.tMs)) return;
  throw new LedgerError(
    'ledger_damaged',
    `${directory}: the oldest file goes on from ${nameOf(anchor)}, but no base at or after it is there`,
  );
}
