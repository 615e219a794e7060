// The rules by which entries follow each other, fed frame by frame in the order of the files. Pure: knows no file but by name.
// Must never take an entry for committed that doesn't follow from the one before.
import { damaged, LedgerError, type Where } from './errors.ts';
import type { ClaimHead, StoredEntryHead } from './heads.ts';
import type { EntryContent, EntryHead, SettledPointer } from './section.ts';

interface Link {
  head: EntryHead;
  where: Where;
}

export class Chain {
  readonly shard: number;
  /** 0 before the first take-over. */
  claim = 0;
  /** The identity that the newest take-over named. */
  logIdentity: string | undefined;
  /** What the oldest file goes on from; undefined if the chain is there from its first entry. */
  anchor: EntryHead | undefined;
  readonly settled = new Map<string, number>();
  claims = 0;
  orphans = 0;
  private link: Link | undefined;

  constructor(shard: number) {
    this.shard = shard;
  }

  /** The newest committed entry. */
  get last(): EntryHead | undefined {
    return this.link?.head;
  }

  /** @throws LedgerError `ledger_damaged`, `broken_chain` */
  onClaim(head: ClaimHead, where: Where): void {
    this.checkShard(head.shard, where);
    if (head.claim < this.claim) {
      throw damaged(
        where,
        `claim ${head.claim} after claim ${this.claim}: a record of the take-over is out of its place`,
      );
    }
    if (this.claims === 0 && head.after !== undefined) {
      this.anchor = head.after;
      this.link = { head: head.after, where };
    } else if (head.after?.digest !== this.last?.digest) {
      throw brokenAt(where, `claim ${head.claim} goes on from ${nameOf(head.after)}`, this.link);
    }
    this.claims++;
    this.claim = head.claim;
    this.logIdentity = head.logIdentity;
    this.onSettled(head.settled);
  }

  /**
   * Whether the entry is in the chain. One of a claim that had already been taken over is an orphan: nobody may go on from it.
   * @throws LedgerError `ledger_damaged`, `broken_chain`
   */
  onEntry(head: StoredEntryHead, where: Where): boolean {
    this.checkShard(head.shard, where);
    if (head.claim > this.claim)
      throw damaged(where, `an entry of claim ${head.claim}, but the newest claim is ${this.claim}`);
    if (head.claim < this.claim) {
      this.orphans++;
      return false;
    }
    if (head.prevDigest !== (this.last?.digest ?? '')) {
      throw brokenAt(where, `${nameOf(head)} follows an entry with digest ${shortOf(head.prevDigest)}`, this.link);
    }
    const problem = this.last === undefined ? undefined : backwards(this.last, head);
    if (problem !== undefined) throw brokenAt(where, problem, this.link);
    const { settled, ...bare } = head;
    this.link = { head: bare, where };
    this.onSettled(settled);
    return true;
  }

  onSettled(pointers: readonly SettledPointer[]): void {
    for (const [key, tMs] of pointers) {
      const before = this.settled.get(key);
      if (before === undefined || before < tMs) this.settled.set(key, tMs);
    }
  }

  checkShard(shard: number, where: Where): void {
    if (shard !== this.shard) throw damaged(where, `written for shard ${shard}, found with shard ${this.shard}`);
  }

  /** @throws LedgerError `broken_chain` if the content can't be the next entry. */
  assertFollows(content: EntryContent): void {
    const problem = this.last === undefined ? undefined : backwards(this.last, content);
    if (problem !== undefined) throw new LedgerError('broken_chain', `${problem}; the last is ${nameOf(this.last)}`);
  }
}

/** What of T or offsets goes back from one entry to the next. A partition may appear or go, as partitions and shards change. */
function backwards(last: EntryHead, next: Pick<EntryContent, 'tMs' | 'offsets'>): string | undefined {
  if (next.tMs <= last.tMs) return `T=${next.tMs} does not lie after T=${last.tMs}`;
  const before = new Map(last.offsets);
  for (const [partition, offset] of next.offsets) {
    const least = before.get(partition);
    if (least !== undefined && offset < least) {
      return `partition ${partition} goes back from offset ${least} at T=${last.tMs} to ${offset} at T=${next.tMs}`;
    }
  }
  return undefined;
}

function brokenAt(where: Where, problem: string, link: Link | undefined): LedgerError {
  const before =
    link === undefined
      ? 'no entry was there before'
      : `before it came ${nameOf(link.head)} (${link.where.file} at byte ${link.where.position})`;
  return new LedgerError('broken_chain', `${problem}, but ${before}`, { where });
}

export function nameOf(head: EntryHead | undefined): string {
  return head === undefined ? 'no entry' : `entry T=${head.tMs} digest ${shortOf(head.digest)}`;
}

function shortOf(digest: string): string {
  return digest === '' ? '(none)' : digest.slice(0, 12);
}
