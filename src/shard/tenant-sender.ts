// Sends one tenant's boundaries to one endpoint: in order, each settled before the next, from an image that stands at the boundary
// being sent. Another tenant or endpoint that fails is no business of this one.

import type { BatchInfo, Point, PointCounts, WriteOutcome, Writer } from 'remote-write-ts';
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
import { BoundaryEncoder } from './boundary-requests.ts';
import type { SentEntry } from './entry-feed.ts';
import { Pace } from './pace.ts';
import type { EndpointPlan } from './protocol.ts';

/** Requests of one boundary that are under way together, at most. */
const PARALLEL_REQUESTS = 4;

export interface TenantSenderOptions {
  tenant: string;
  endpoint: EndpointPlan;
  common: Readonly<Record<string, string>>;
  writer: Pick<Writer, 'write'>;
  /** T of the newest boundary that is settled already: up to it entries are only followed. */
  settledMs: number;
  /** Boundaries up to this one were in the ledger at recovery: a refusal of these is a repeat. */
  recoveredMs: number;
  onSettled(tMs: number): void;
  now(): number;
  logger: Logger;
  latencies: StageLatencies;
}

export class TenantSender {
  readonly counters = noCounts();
  settledMs: number;
  private readonly options: TenantSenderOptions;
  private readonly encoder: BoundaryEncoder;
  private readonly image = new TenantImage();
  private readonly abort = new AbortController();
  private readonly pace = new Pace();
  private settings: TenantSettings | undefined;
  private sentOnce = true;
  /** Until something of a boundary was taken: those before it may have been sent by an earlier life. */
  private mayRepeat = true;
  /** Time that the endpoint took to answer requests of this boundary, summed. */
  private answeringMs = 0;
  /** Boundaries up to here are given up. */
  private givenUpMs = -1;
  /** The boundary that is being sent. */
  private underWay: { tMs: number; abort: AbortController } | undefined;

  constructor(options: TenantSenderOptions) {
    this.options = options;
    this.settledMs = options.settledMs;
    const { endpoint } = options;
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

  /** A request was answered, or broke off. */
  noteRequest({ counts, isRetried, result, bodyBytes, status, durationMs }: BatchInfo): void {
    if (status !== undefined) this.answeringMs += durationMs;
    const samples = pointsOf(counts);
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
    if (settings.disableCollection) this.sentOnce = true;
    else {
      const why = this.reasonToSkip(entry, settings) ?? (await this.send(entry.tMs, settings));
      if (this.abort.signal.aborted) return;
      if (why !== undefined) this.counters.boundariesSkipped[why]++;
      else {
        this.counters.boundariesSent++;
        this.sentOnce = true;
      }
    }
    this.settledMs = entry.tMs;
    this.options.onSettled(entry.tMs);
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

  /** Why it was broken off; undefined if all of it got an answer. */
  private async send(tMs: number, { collectionIntervalMs }: TenantSettings): Promise<BoundarySkip | undefined> {
    const { tenant, endpoint, latencies, now } = this.options;
    const abort = new AbortController();
    const signal = AbortSignal.any([this.abort.signal, abort.signal]);
    this.underWay = { tMs, abort };
    const startedMs = now();
    this.answeringMs = 0;
    const outcomes = await traced('spanmill.send', { tenant, endpoint: endpoint.name, boundary_ms: tMs }, () =>
      latencies.timeAsync('send', () => this.deliverAll(tMs, signal)),
    );
    this.underWay = undefined;
    const isBrokenOff = outcomes.some(({ kind }) => kind === 'aborted');
    if (isBrokenOff) return 'ledger_full';
    const wasAtOnce = outcomes.every(({ attempts, requests }) => attempts === requests);
    this.pace.sent(wasAtOnce ? now() - startedMs : this.answeringMs / this.parallelRequests);
    const tooOld = outcomes.reduce((sum, { dropped }) => sum + pointsOf(dropped.too_old), 0);
    this.counters.samplesNotSent.too_old += tooOld;
    if (outcomes.some(({ sent }) => pointsOf(sent) > 0)) {
      this.pace.accepted();
      // Whatever comes behind a boundary of which something was taken was never sent before.
      this.mayRepeat = false;
    } else if (tooOld > 0) return 'age';
    else if (outcomes.some(({ refusals }) => refusals.some(({ status }) => status === 400)))
      this.pace.refused(tMs, now(), collectionIntervalMs);
    return undefined;
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
    const { tenant, endpoint, writer, recoveredMs, logger } = this.options;
    // The receiver may have newer samples of these series: this boundary was there before the restart.
    const isRepeat = this.mayRepeat && tMs <= recoveredMs;
    const outcome = await writer.write(points, { signal, isRepeat });
    const { sent, failed, refusals } = outcome;
    this.counters.samplesSent += pointsOf(sent);
    if (isRepeat) this.counters.repeatsRefused += refusals.length;
    else if (areZeros) this.counters.zerosRefused += pointsOf(failed);
    else if (pointsOf(failed) > 0) {
      this.counters.samplesFailed += pointsOf(failed);
      logger.warn(
        {
          tenant,
          endpoint: endpoint.name,
          boundaryMs: tMs,
          samples: pointsOf(failed),
          status: refusals[0]?.status,
          answer: refusals[0]?.message,
          series: refusals[0]?.points[0] && Object.fromEntries(refusals[0].points[0].series.labels),
        },
        'remote write refused samples',
      );
    }
    return outcome;
  }
}

function pointsOf({ samples, histograms }: Pick<PointCounts, 'samples' | 'histograms'>): number {
  return samples + histograms;
}
