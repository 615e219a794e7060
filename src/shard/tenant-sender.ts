// Sends one tenant's boundaries to one endpoint: in order, each settled before the next, from an image that stands at the boundary
// being sent. Another tenant or endpoint that fails is no business of this one.

import type { BatchInfo, Point, WriteOutcome, Writer } from 'remote-write-ts';
import type { TenantSettings } from '../config/index.ts';
import { type Section, TenantImage } from '../registry/index.ts';
import {
  addReasons,
  type BoundarySkip,
  type Logger,
  noCounts,
  type StageLatencies,
  traced,
} from '../telemetry/index.ts';
import { boundaryOutcome, mayBeThere, samplesOf } from './boundary-outcome.ts';
import { BoundaryEncoder } from './boundary-requests.ts';
import type { SentEntry } from './entry-feed.ts';
import { isAboutWindow, Pace } from './pace.ts';
import type { EndpointPlan } from './protocol.ts';
import { RepeatSearch } from './repeat-search.ts';
import { SendHealth } from './send-health.ts';

/** Requests of one boundary that are under way together, at most. */
const PARALLEL_REQUESTS = 4;

export interface TenantSenderOptions {
  tenant: string;
  endpoint: EndpointPlan;
  common: Readonly<Record<string, string>>;
  writer: Pick<Writer, 'write'>;
  /** T of the newest boundary that is settled already: up to it entries are only followed. */
  settledMs: number;
  /** Boundaries up to this one were in the ledger at recovery: an earlier life may have sent them. */
  recoveredMs: number;
  /** T of the newest durable entry. */
  newestMs(): number | undefined;
  onSettled(tMs: number): void;
  now(): number;
  logger: Logger;
  latencies: StageLatencies;
}

/** What became of a boundary: `refused` if the endpoint took nothing of it. */
type Fate = BoundarySkip | 'sent' | 'refused';

export class TenantSender {
  readonly counters = noCounts();
  readonly health: SendHealth;
  settledMs: number;
  private readonly options: TenantSenderOptions;
  private readonly encoder: BoundaryEncoder;
  private readonly image = new TenantImage();
  private readonly abort = new AbortController();
  private readonly pace = new Pace();
  private readonly repeats: RepeatSearch;
  private settings: TenantSettings | undefined;
  private sentOnce = true;
  /** Until most of a boundary was taken: those before it may have been sent by an earlier life. */
  private mayRepeat = true;
  /** Time that the endpoint took to answer requests of this boundary, summed. */
  private answeringMs = 0;
  /** The oldest boundary that waits, where none was ever settled. */
  private firstMs: number | undefined;
  /** Boundaries up to here are given up. */
  private givenUpMs = -1;
  /** The boundary that is being sent. */
  private underWay: { tMs: number; abort: AbortController } | undefined;

  constructor(options: TenantSenderOptions) {
    this.options = options;
    this.settledMs = options.settledMs;
    const { tenant, endpoint, now, logger } = options;
    this.repeats = new RepeatSearch(options.writer);
    this.health = new SendHealth({
      tenant,
      endpoint: endpoint.name,
      now,
      logger,
      waiting: () => this.boundariesWaiting,
    });
    this.encoder = new BoundaryEncoder(options.common, endpoint.maxSamplesPerSend, endpoint.sendExemplars);
  }

  /** Brings the image to a base. */
  base(sections: readonly Section[]): void {
    this.apply(sections);
    this.sentOnce = true;
  }

  /** Takes each entry to its settlement, until the feed ends or `stop`. */
  async run(entries: AsyncIterable<SentEntry>): Promise<void> {
    for await (const entry of entries) {
      if (this.abort.signal.aborted) return;
      await this.take(entry);
    }
  }

  private get parallelRequests(): number {
    return Math.max(1, Math.min(PARALLEL_REQUESTS, this.options.endpoint.maxParallelRequests));
  }

  stop(): void {
    this.abort.abort();
  }

  /** The ledger needs the room of the boundaries up to this one: they are settled unsent, the one that is under way too. */
  giveUp(throughMs: number): void {
    this.givenUpMs = Math.max(this.givenUpMs, throughMs);
    if (this.underWay && this.underWay.tMs <= this.givenUpMs) this.underWay.abort.abort();
  }

  /** Up to here nothing is missing at the endpoint: before the first boundary that waits, if none was settled yet. Undefined without any. */
  get standsAtMs(): number | undefined {
    if (this.settledMs > 0) return this.settledMs;
    return this.firstMs === undefined ? undefined : this.firstMs - (this.settings?.collectionIntervalMs ?? 0);
  }

  private get boundariesWaiting(): number | undefined {
    const { standsAtMs, settings } = this;
    const newestMs = this.options.newestMs();
    if (standsAtMs === undefined || newestMs === undefined || !settings) return undefined;
    return Math.max(0, Math.ceil((newestMs - standsAtMs) / settings.collectionIntervalMs));
  }

  /** A request was answered, or broke off. @param error the writer's latest, which is this one's if it failed */
  noteRequest({ counts, isRetried, result, bodyBytes, status, durationMs }: BatchInfo, error?: string): void {
    if (result === 'retry' && isRetried) this.health.retried(status, error ?? 'no answer');
    if (status !== undefined) this.answeringMs += durationMs;
    const samples = samplesOf(counts);
    this.counters.samplesAttempted += samples;
    if (isRetried) this.counters.samplesRetried += samples;
    if (result === 'accepted' || result === 'refused') this.counters.bytes += bodyBytes;
  }

  private async take(entry: SentEntry): Promise<void> {
    this.apply(entry.sections.filter((section) => section.meta['tenant'] === this.options.tenant));
    const { settings } = this;
    // An entry between two boundaries of the tenant is settled with the next boundary, which says what began and ended in it:
    // after a crash it must be read again.
    if (!settings || (entry.kind !== 'final' && entry.tMs % settings.collectionIntervalMs !== 0)) return;
    if (entry.tMs <= this.settledMs) {
      this.sentOnce = true;
      return;
    }
    this.firstMs ??= entry.tMs;
    if (settings.disableCollection) this.sentOnce = true;
    else {
      const fate = this.reasonToSkip(entry, settings) ?? (await this.send(entry.tMs, settings));
      if (this.abort.signal.aborted) return;
      this.count(fate);
    }
    this.settledMs = entry.tMs;
    this.options.onSettled(entry.tMs);
  }

  private count(fate: Fate): void {
    const { counters } = this;
    if (fate === 'sent') counters.boundariesSent++;
    else if (fate === 'refused') counters.boundariesRefused++;
    else {
      counters.boundariesSkipped[fate]++;
      return;
    }
    this.sentOnce = true;
  }

  /** Zero samples, exemplars and ends stay with the image until a boundary has said them. */
  private apply(sections: readonly Section[]): void {
    const { image, encoder, options } = this;
    if (this.sentOnce) {
      image.nextBoundary();
      encoder.said();
    }
    this.sentOnce = false;
    for (const section of sections) {
      if (section.meta['holder'] === 'settings') {
        this.settings = section.meta['settings'] as TenantSettings;
        encoder.relabel(this.settings.writeRelabel?.[options.endpoint.name] ?? [], image);
      } else if (section.meta['holder'] === 'rows') image.apply(section);
    }
  }

  private reasonToSkip({ tMs, kind }: SentEntry, { collectionIntervalMs }: TenantSettings): BoundarySkip | undefined {
    const { sampleAgeLimitMs } = this.options.endpoint;
    const nowMs = this.options.now();
    if (tMs <= this.givenUpMs) return 'ledger_full';
    if (sampleAgeLimitMs > 0 && tMs < nowMs - sampleAgeLimitMs) return 'age';
    return kind === 'final' ? undefined : this.pace.skips(tMs, nowMs, collectionIntervalMs);
  }

  private async send(tMs: number, { collectionIntervalMs }: TenantSettings): Promise<Fate> {
    const { tenant, endpoint, latencies, now } = this.options;
    const abort = new AbortController();
    const signal = AbortSignal.any([this.abort.signal, abort.signal]);
    this.underWay = { tMs, abort };
    const startedMs = now();
    const isRepeat = this.isRepeat(tMs);
    this.answeringMs = 0;
    const outcomes = await traced('spanmill.send', { tenant, endpoint: endpoint.name, boundary_ms: tMs }, () =>
      latencies.timeAsync('send', () => this.deliverAll(tMs, signal)),
    );
    this.underWay = undefined;
    const { isBrokenOff, wasAtOnce, taken, failed, tooOld, refusals } = boundaryOutcome(outcomes);
    if (isBrokenOff) return 'ledger_full';
    this.pace.sent(wasAtOnce ? now() - startedMs : this.answeringMs / this.parallelRequests);
    this.counters.samplesNotSent.too_old += tooOld;
    this.health.settled(taken > 0, taken > 0 && failed === 0);
    if (isRepeat) this.repeats.boundaryDone(taken > 0);
    if (taken > 0) {
      this.pace.accepted();
      // Whatever comes behind a boundary that was new to the receiver was never sent before. Of an old one it may still take a series
      // that ended with it.
      if (taken >= failed) this.mayRepeat = false;
      return 'sent';
    }
    if (tooOld > 0) return 'age';
    // A final 500 is Prometheus' word for what is older than its window, before 2.50. What may be there already says nothing of it.
    if (refusals.some(({ status, message }) => isRefusal(status) && (!isRepeat || isAboutWindow(message))))
      this.pace.refused(tMs, now(), collectionIntervalMs);
    return refusals.length > 0 ? 'refused' : 'sent';
  }

  /** The receiver may have newer samples of these series: this boundary was there before the restart. */
  private isRepeat(tMs: number): boolean {
    return this.mayRepeat && tMs <= this.options.recoveredMs;
  }

  private async deliverAll(tMs: number, signal: AbortSignal): Promise<WriteOutcome[]> {
    const parallel = this.parallelRequests;
    const { zeros, values, stales, notSent } = this.encoder.requests(this.image, tMs);
    addReasons(this.counters.samplesNotSent, notSent);
    const outcomes: WriteOutcome[] = [];
    for (const kind of [zeros, values, stales]) {
      for (let i = 0; i < kind.length; i += parallel) {
        const together = kind.slice(i, i + parallel);
        outcomes.push(
          ...(await Promise.all(together.map((points) => this.deliver(points, tMs, kind === zeros, signal)))),
        );
      }
      if (kind === zeros && outcomes.every((outcome) => outcome.kind === 'settled')) this.image.zerosSaid();
    }
    return outcomes;
  }

  /** Ends when each point is taken, finally refused, or broken off. */
  private async deliver(
    points: readonly Point[],
    tMs: number,
    areZeros: boolean,
    signal: AbortSignal,
  ): Promise<WriteOutcome> {
    const isRepeat = this.isRepeat(tMs);
    const outcome = isRepeat
      ? await this.repeats.write(points, signal)
      : await this.options.writer.write(points, { signal });
    const { sent, failed, refusals } = outcome;
    const [taken, refused] = [samplesOf(sent), samplesOf(failed)];
    this.counters.samplesSent += taken;
    // Where most was taken, the rest isn't refused as it was there already.
    const wasThere = isRepeat && taken <= refused && mayBeThere(refusals);
    if (wasThere) {
      this.counters.repeatsRefused += refusals.length;
      this.counters.repeatSamplesRefused += refused;
    } else if (areZeros) this.counters.zerosRefused += refused;
    else this.counters.samplesFailed += refused;
    if (refused > 0 && (wasThere || !areZeros)) {
      const [first] = refusals;
      this.health.refused({
        boundaryMs: tMs,
        samples: refused,
        status: first?.status,
        answer: first?.message,
        series: first?.points[0] && Object.fromEntries(first.points[0].series.labels),
        wasThere,
      });
    }
    return outcome;
  }
}

function isRefusal(status: number): boolean {
  return status === 400 || status === 500;
}
