// One tenant's fold, image and encoder: from spans to decoded remote-write requests, boundary by boundary.

import {
  type DecodedSeries,
  decodeWriteRequest,
  type Point,
  snappyUncompress,
  WriteRequestBuilder,
} from 'remote-write-ts';
import type { TenantSettings } from '../../src/config/index.ts';
import { Fold } from '../../src/fold/index.ts';
import { TenantImage } from '../../src/registry/index.ts';
import { BoundaryEncoder } from '../../src/shard/boundary-requests.ts';
import { applyAll } from '../fold/series.ts';
import { type Changes, settingsWith } from '../fold/settings.ts';
import { plainSpan, requestBytes } from '../fold/spans.ts';

/** On a round minute. */
export const T = Date.UTC(2026, 0, 1);

export class Life {
  readonly image = new TenantImage();
  encoder: BoundaryEncoder;
  private readonly fold: Fold;
  private settings: TenantSettings;
  private nowMs = T;

  constructor(changes: Changes, sendExemplars = true) {
    this.settings = settingsWith({ processors: ['span-metrics-latency'], ...changes });
    this.fold = new Fold({ settingsOf: () => this.settings, originMs: T });
    this.encoder = new BoundaryEncoder({}, 2_000, sendExemplars);
  }

  at(ms: number): this {
    this.nowMs = T + ms;
    this.fold.advance(this.nowMs);
    return this;
  }

  /** Spans that took so many ms each. */
  push(tookMs: readonly number[], trace = 'ab'.repeat(16)): this {
    const endNs = BigInt(this.nowMs) * 1_000_000n;
    const spans = tookMs.map((ms) => plainSpan({ name: 'GET', trace, startNs: endNs - BigInt(ms * 1e6), endNs }));
    this.fold.push('t', this.nowMs, this.nowMs, requestBytes([{ resource: [['service.name', 'web']], spans }]), false);
    return this;
  }

  configure(changes: Changes): this {
    this.settings = settingsWith({ processors: ['span-metrics-latency'], ...changes });
    this.fold.configure(() => this.settings);
    return this;
  }

  /** What is sent of a boundary now. */
  boundary(): Record<'zeros' | 'values' | 'stales', DecodedSeries[]> {
    applyAll(this.image, this.fold.collect(this.nowMs));
    const { zeros, values, stales } = this.encoder.requests(this.image, this.nowMs);
    return {
      zeros: zeros.flatMap(overTheWire),
      values: values.flatMap(overTheWire),
      stales: stales.flatMap(overTheWire),
    };
  }
}

function overTheWire(points: readonly Point[]): DecodedSeries[] {
  const builder = new WriteRequestBuilder();
  for (const point of points) {
    const { labelBytes } = point.series;
    if (point.kind === 'stale') builder.addStale(labelBytes, point.timestampMs);
    else if (point.kind === 'stale_histogram') builder.addStaleHistogram(labelBytes, point.timestampMs);
    else if (point.kind === 'histogram') {
      builder.addHistogram(labelBytes, point.histogram, point.timestampMs, point.exemplars);
    } else builder.addSampleWithExemplars(labelBytes, point.value, point.timestampMs, point.exemplars ?? []);
  }
  return decodeWriteRequest(snappyUncompress(builder.finish(), 1e6)).timeseries;
}

export function nameOf({ labels }: DecodedSeries): string {
  return labels.find(([name]) => name === '__name__')![1];
}
