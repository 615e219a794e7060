// Sends one tenant's boundaries to one endpoint: in order, each settled before the next, from an image that stands at the boundary
// being sent. Another tenant or endpoint that fails is no business of this one.

import type { Sender } from 'remote-write-ts';
import type { TenantSettings } from '../config/index.ts';
import { type Section, TenantImage } from '../registry/index.ts';
import { type Logger, type StageLatencies, traced } from '../telemetry/index.ts';
import { BoundaryEncoder, type PendingSample } from './boundary-requests.ts';
import type { SentEntry } from './entry-feed.ts';
import type { EndpointPlan } from './protocol.ts';

/** A refused request is halved until the culprit is alone, at most this many requests deep a boundary. */
const MAX_EXTRA_REQUESTS = 64;
/** Requests of one boundary that are under way together, at most. */
const PARALLEL_REQUESTS = 4;

export interface TenantSenderOptions {
  tenant: string;
  endpoint: EndpointPlan;
  common: Readonly<Record<string, string>>;
  sender: Sender;
  /** T of the newest boundary that is settled already: up to it entries are only followed. */
  settledMs: number;
  /** Boundaries up to this one were in the ledger at recovery: a refusal of these is a repeat. */
  recoveredMs: number;
  onSettled(tMs: number): void;
  now(): number;
  logger: Logger;
  latencies: StageLatencies;
}

export interface SenderCounters {
  samplesSent: number;
  samplesFailed: number;
  boundariesSent: number;
  boundariesSkipped: number;
  repeatsRefused: number;
}

export class TenantSender {
  readonly counters: SenderCounters = {
    samplesSent: 0,
    samplesFailed: 0,
    boundariesSent: 0,
    boundariesSkipped: 0,
    repeatsRefused: 0,
  };
  settledMs: number;
  private readonly options: TenantSenderOptions;
  private readonly encoder: BoundaryEncoder;
  private readonly image = new TenantImage();
  private readonly abort = new AbortController();
  private settings: TenantSettings | undefined;
  private sentOnce = true;
  /** Boundaries up to here are given up. */
  private givenUpMs = -1;
  /** The boundary that is being sent. */
  private underWay: { tMs: number; abort: AbortController } | undefined;
  private extraRequests = 0;

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

  stop(): void {
    this.abort.abort();
  }

  /** The ledger needs the room of the boundaries up to this one: they are settled unsent, the one that is under way too. */
  giveUp(throughMs: number): void {
    this.givenUpMs = Math.max(this.givenUpMs, throughMs);
    if (this.underWay && this.underWay.tMs <= this.givenUpMs) this.underWay.abort.abort();
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
    else if (this.isGivenUp(entry.tMs) || !(await this.send(entry.tMs))) {
      if (this.abort.signal.aborted) return;
      this.counters.boundariesSkipped++;
    } else {
      this.counters.boundariesSent++;
      this.sentOnce = true;
    }
    this.settledMs = entry.tMs;
    this.options.onSettled(entry.tMs);
  }

  /** Zero samples, exemplars and ends stay with the image until a boundary has said them. */
  private apply(sections: readonly Section[]): void {
    if (this.sentOnce) this.image.nextBoundary();
    this.sentOnce = false;
    for (const section of sections) {
      if (section.meta['holder'] === 'settings') this.settings = section.meta['settings'] as TenantSettings;
      else if (section.meta['holder'] === 'rows') this.image.apply(section);
    }
  }

  private isGivenUp(tMs: number): boolean {
    const { sampleAgeLimitMs } = this.options.endpoint;
    return tMs <= this.givenUpMs || (sampleAgeLimitMs > 0 && tMs < this.options.now() - sampleAgeLimitMs);
  }

  /** False if it was broken off. */
  private async send(tMs: number): Promise<boolean> {
    const { tenant, endpoint, latencies } = this.options;
    const abort = new AbortController();
    const signal = AbortSignal.any([this.abort.signal, abort.signal]);
    this.underWay = { tMs, abort };
    await traced('spanmill.send', { tenant, endpoint: endpoint.name, boundary_ms: tMs }, () =>
      latencies.timeAsync('send', () => this.deliverAll(tMs, signal)),
    );
    this.underWay = undefined;
    return !signal.aborted;
  }

  private async deliverAll(tMs: number, signal: AbortSignal): Promise<void> {
    this.extraRequests = 0;
    const parallel = Math.max(1, Math.min(PARALLEL_REQUESTS, this.options.endpoint.maxParallelRequests));
    const { zeros, values, stales } = this.encoder.requests(this.image, tMs);
    for (const kind of [zeros, values, stales]) {
      for (let i = 0; i < kind.length; i += parallel) {
        await Promise.all(
          kind.slice(i, i + parallel).map((samples) => this.deliver(samples, tMs, kind === zeros, signal)),
        );
      }
    }
  }

  /** Ends when the request is accepted, finally refused, or broken off. */
  private async deliver(
    samples: readonly PendingSample[],
    tMs: number,
    areZeros: boolean,
    signal: AbortSignal,
  ): Promise<void> {
    const outcome = await this.options.sender.send(this.encoder.encode(samples), { signal });
    if (outcome.kind === 'accepted') this.counters.samplesSent += samples.length;
    if (outcome.kind !== 'refused') return;
    if (tMs <= this.options.recoveredMs) {
      // The receiver has newer samples of these series: this boundary was there before the restart.
      this.counters.repeatsRefused++;
      return;
    }
    if (outcome.status === 400 && samples.length > 1 && this.extraRequests < MAX_EXTRA_REQUESTS) {
      // A 1.0 receiver refuses the whole request for one series: the halves find it.
      this.extraRequests += 2;
      const half = samples.length >> 1;
      await this.deliver(samples.slice(0, half), tMs, areZeros, signal);
      await this.deliver(samples.slice(half), tMs, areZeros, signal);
      return;
    }
    if (areZeros) return;
    this.counters.samplesFailed += samples.length;
    this.options.logger.warn(
      {
        tenant: this.options.tenant,
        endpoint: this.options.endpoint.name,
        boundaryMs: tMs,
        samples: samples.length,
        status: outcome.status,
        answer: outcome.message,
      },
      'remote write refused samples',
    );
  }
}
