// What the ledger worker does: recovers the shard's state, makes each snapshot durable, and only then shows and sends it. Nothing of
// boundary T leaves the process before entry T is on disk under this owner's claim.

import {
  type Appended,
  type Entry,
  type EntryContent,
  type EntryHead,
  type Ledger,
  LedgerError,
} from '../ledger/index.ts';
import type { CommitEntry } from '../log/index.ts';
import { type Section, TenantImage } from '../registry/index.ts';
import { type Logger, StageLatencies, traced } from '../telemetry/index.ts';
import { ENGINE } from './engine.ts';
import { EntryFeed } from './entry-feed.ts';
import { exposition } from './exposition.ts';
import type { FromLedger, LedgerStats, LedgerToShard, Position, ShardPlan, SnapshotContent } from './protocol.ts';
import { type MakeWriter, Senders } from './senders.ts';

/** A base is asked for when the entries since the last one are this large and as large as it, or this many. */
const BASE_AFTER_BYTES = 8 << 20;
const BASE_AFTER_ENTRIES = 240;

export interface LedgerServiceOptions {
  plan: ShardPlan;
  ledger: Ledger;
  toShard(message: LedgerToShard): void;
  toMain(message: FromLedger): void;
  /** Commits an entry in the log. Absent where the durable entry is the commit. */
  commitInLog?(entry: CommitEntry): Promise<'committed' | 'refused'>;
  now(): number;
  logger: Logger;
  /** Replaced in tests, all three. */
  makeWriter?: MakeWriter;
  sleep?: (waitMs: number) => Promise<void>;
  baseAfterEntries?: number;
}

/** The log refused a commit: another process may own the shard. Nothing of the entry was sent. */
class OwnershipLost extends Error {}

export class LedgerService {
  private readonly options: LedgerServiceOptions;
  private readonly ledger: Ledger;
  private readonly common: Record<string, string>;
  private readonly images = new Map<string, TenantImage>();
  private readonly latencies = new StageLatencies();
  private feed!: EntryFeed;
  private senders!: Senders;
  private committedMs: number | undefined;
  private entries = 0;
  private bytesSinceBase = 0;
  private entriesSinceBase = 0;
  private lastBaseBytes = 0;
  private newestBaseMs = -1;
  /** The shard was asked for a base that isn't written yet. */
  private isBaseAsked = false;
  /** The entry that was appended last, without its sections: a base of the same boundary repeats it. */
  private lastHead: Omit<EntryContent, 'sections'> | undefined;
  /** What was recovered last. */
  private found: EntryHead | undefined;
  private stopping = false;
  private hasFailed = false;
  private starting: Promise<void> = Promise.resolve();
  private work: Promise<void> = Promise.resolve();

  constructor(options: LedgerServiceOptions) {
    this.options = options;
    this.ledger = options.ledger;
    this.common = { __metrics_gen_instance: options.plan.instance };
  }

  /** Recovers, tells the shard its state and position, takes the shard over and starts to send what was not settled. */
  start(): Promise<void> {
    this.starting = this.begin();
    return this.starting;
  }

  private async begin(): Promise<void> {
    const { ledger } = this;
    const recovered = await ledger.recover();
    let last: Entry | undefined = recovered.base;
    const tenants = new Set<string>();
    const state = (entry: Entry) => {
      last = entry;
      for (const section of entry.sections) tenants.add(String(section.meta['tenant']));
      this.show(entry);
      this.options.toShard({ type: 'state', tMs: entry.tMs, sections: entry.sections });
    };
    if (recovered.base) {
      state(recovered.base);
      this.newestBaseMs = recovered.base.tMs;
    }
    for await (const entry of recovered.chain) state(entry);
    const { sinceBaseEntries, sinceBaseBytes } = ledger.stats();
    this.entriesSinceBase = sinceBaseEntries;
    this.bytesSinceBase = sinceBaseBytes;
    const claim = await ledger.takeOver();
    if (last) {
      const { ticks: _, sections: __, ...head } = last;
      this.found = head;
    }
    const isGenesis = last?.kind === 'genesis';
    const position: Position = {
      tMs: isGenesis ? undefined : last?.tMs,
      offsets: last?.offsets ?? [],
      lastRecords: last?.lastRecords ?? [],
      epoch: last?.epoch ?? 1,
      claim,
      isFinal: last?.kind === 'final',
    };
    this.committedMs = isGenesis ? undefined : last?.tMs;
    const recoveredMs = last?.tMs ?? -1;
    this.feed = new EntryFeed(ledger, recoveredMs);
    this.senders = this.makeSenders(recoveredMs);
    await this.senders.registerEndpoints();
    await this.senders.resume([...tenants].sort(), recovered.base);
    this.options.toShard({ type: 'recovered', position });
  }

  /**
   * Commits what was found under the new claim, before anything is folded; a first start so pins the offsets that were chosen for it.
   * Answered by `pinned`.
   */
  pin(offsets: [partition: number, nextOffset: number][]): void {
    this.enqueue(async () => {
      this.found ??= await this.appendGenesis(offsets);
      await this.commitInLog(this.found);
      this.options.toMain({ type: 'pinned' });
    });
  }

  /** Snapshots are taken one after another, in the order in which they come. */
  snapshot(content: SnapshotContent): void {
    this.enqueue(() => this.commit(content));
  }

  base(tMs: number, sections: Section[]): void {
    this.enqueue(() => this.writeBase(tMs, sections));
  }

  render(tenant: string, openMetrics: boolean): { text: string | undefined; tMs: number } {
    const image = this.images.get(tenant);
    return {
      text: image && exposition(image, this.common, this.committedMs ?? 0, openMetrics),
      tMs: this.committedMs ?? 0,
    };
  }

  /** Sends what is still unsettled until the deadline; what is left then goes out after the next start. */
  async stop(deadlineMs: number): Promise<void> {
    this.stopping = true;
    const hasStarted = await this.starting.then(
      () => this.senders !== undefined,
      () => false,
    );
    await this.work;
    if (hasStarted) {
      this.feed.close();
      await this.senders.stop(deadlineMs);
    }
    await this.ledger.close();
  }

  stats(): LedgerStats {
    return {
      committedMs: this.committedMs,
      entries: this.entries,
      sizeBytes: this.ledger.sizeBytes(),
      overLimit: this.ledger.overLimit(),
      endpoints: this.senders?.stats() ?? [],
      latencies: this.latencies.summaries(),
    };
  }

  private async commit(content: SnapshotContent): Promise<void> {
    const beforeMs = this.committedMs ?? -1;
    const tenants = new Set(content.sections.map((section) => String(section.meta['tenant'])));
    // Durable with the entry itself: from now on nobody prunes what a new tenant's first boundary needs.
    for (const tenant of tenants) this.senders.introduce(tenant, beforeMs);
    const { sizeBytes, digest } = await traced(
      'spanmill.ledger.append',
      { shard: this.options.plan.shard, boundary_ms: content.tMs },
      () => this.latencies.timeAsync('ledger_append', () => this.appendUntilDurable(content)),
    );
    await this.commitInLog({ tMs: content.tMs, digest, offsets: content.offsets });
    const { sections: _, ...head } = content;
    this.lastHead = head;
    this.committedMs = content.tMs;
    this.entries++;
    this.entriesSinceBase++;
    this.bytesSinceBase += sizeBytes;
    const wantsBase = !this.isBaseAsked && this.baseIsDue();
    this.isBaseAsked ||= wantsBase;
    this.options.toShard({ type: 'committed', wantsBase });
    this.show(content);
    await this.senders.renewHeaders(content.sections);
    for (const tenant of tenants) this.senders.start(tenant, beforeMs);
    // What the newest base stands for is an interval old by now: whoever sends in step has settled it.
    if (this.ledger.overLimit()) this.senders.giveUp(this.newestBaseMs);
    this.feed.push(content);
    this.options.toMain({
      type: 'committed',
      tMs: content.tMs,
      offsets: content.offsets,
    });
  }

  /** Where the log fences its readers, an entry that it has not taken is not said. @throws OwnershipLost */
  private async commitInLog({ tMs, digest, offsets }: Pick<EntryHead, 'tMs' | 'digest' | 'offsets'>): Promise<void> {
    const { commitInLog, plan } = this.options;
    if (!commitInLog) return;
    const entry = { claim: this.ledger.claim, tMs, digest, offsets };
    const outcome = await traced('spanmill.log.commit', { shard: plan.shard, boundary_ms: tMs }, () =>
      this.latencies.timeAsync('log_commit', () => commitInLog(entry)),
    );
    if (outcome === 'refused')
      throw new OwnershipLost(`the commit of entry T=${tMs} was refused: another owner took over`);
  }

  /** Lies before every tick: the first tick is still that of the first record. */
  private async appendGenesis(offsets: [partition: number, nextOffset: number][]): Promise<EntryHead> {
    const content: SnapshotContent = {
      kind: 'genesis',
      tMs: 0,
      epoch: 1,
      engine: ENGINE,
      offsets,
      lastRecords: [],
      ticks: { endsMs: new Float64Array(0), nextOffsets: new Float64Array(0), partitions: [] },
      sections: [],
    };
    await this.appendUntilDurable(content);
    return (await this.ledger.recover()).last!;
  }

  /** A full disk holds the fold up, it loses nothing: the same content is tried again until it is written. */
  private async appendUntilDurable(content: SnapshotContent): Promise<Appended> {
    for (let waitMs = 250; ; waitMs = Math.min(waitMs * 2, 10_000)) {
      try {
        return await this.ledger.append(content);
      } catch (error) {
        if (this.stopping || !(error instanceof LedgerError && error.isRetryable)) throw error;
        this.options.logger.error(
          { err: error, boundaryMs: content.tMs, retryInMs: waitMs },
          'the ledger entry could not be written',
        );
        await (this.options.sleep ?? sleep)(waitMs);
      }
    }
  }

  /** Over its limit the ledger needs a base to prune below, but not so often that bases alone fill it. */
  private baseIsDue(): boolean {
    if (this.entriesSinceBase >= (this.options.baseAfterEntries ?? BASE_AFTER_ENTRIES)) return true;
    return this.bytesSinceBase >= Math.max(this.ledger.overLimit() ? 0 : BASE_AFTER_BYTES, this.lastBaseBytes);
  }

  /** No base is no loss: one that can't be written now is asked for again. */
  private async writeBase(tMs: number, sections: Section[]): Promise<void> {
    this.isBaseAsked = false;
    if (this.lastHead?.tMs !== tMs) return;
    try {
      const { sizeBytes } = await this.ledger.appendBase({ ...this.lastHead, sections });
      this.lastBaseBytes = sizeBytes;
    } catch (error) {
      if (!(error instanceof LedgerError && error.isRetryable)) throw error;
      this.options.logger.error({ err: error, boundaryMs: tMs }, 'the base could not be written');
      return;
    }
    this.bytesSinceBase = 0;
    this.entriesSinceBase = 0;
    this.newestBaseMs = tMs;
    await this.prune();
  }

  /** Nothing that an unsettled boundary needs is ever pruned. */
  private async prune(): Promise<void> {
    try {
      await this.ledger.prune(
        Math.min(this.newestBaseMs, this.senders.settledEverywhereMs() ?? Number.POSITIVE_INFINITY),
      );
    } catch (error) {
      if (!(error instanceof LedgerError && (error.isRetryable || error.code === 'ledger_closed'))) throw error;
      this.options.logger.error({ err: error }, 'the ledger could not be pruned');
    }
  }

  private makeSenders(recoveredMs: number): Senders {
    const { plan, now, logger, makeWriter } = this.options;
    return new Senders({
      plan,
      ledger: this.ledger,
      feed: this.feed,
      recoveredMs,
      common: this.common,
      now,
      logger,
      latencies: this.latencies,
      makeWriter,
      onSettled: (tMs) => this.settled(tMs),
      onFailed: (error) => this.failed(error),
    });
  }

  private settled(tMs: number): void {
    if (tMs >= this.newestBaseMs && this.ledger.overLimit()) this.prune().catch((error) => this.failed(error));
  }

  private show(entry: Pick<EntryContent, 'sections'>): void {
    for (const image of this.images.values()) image.nextBoundary();
    for (const section of entry.sections) {
      if (section.meta['holder'] !== 'rows') continue;
      const tenant = String(section.meta['tenant']);
      let image = this.images.get(tenant);
      if (!image) {
        image = new TenantImage();
        this.images.set(tenant, image);
      }
      image.apply(section);
    }
  }

  /** One after another; after a failure nothing more is written, committed or sent. */
  private enqueue(run: () => Promise<void>): void {
    this.work = this.work.then(() => (this.hasFailed ? undefined : run())).catch((error) => this.failed(error));
  }

  private failed(error: unknown): void {
    this.hasFailed = true;
    const isLost = error instanceof OwnershipLost;
    if (!isLost) this.options.logger.fatal({ err: error }, 'the ledger worker failed');
    this.options.toMain({ type: 'failed', message: error instanceof Error ? error.message : String(error), isLost });
  }
}

function sleep(waitMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, waitMs));
}
