// A case: a directory with settings and timed inputs, and the run of it through the real fold on a virtual clock. Time moves only
// where the case says so.

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { resolveReference, type TenantSettings } from '../config/index.ts';
import { Fold, type TenantFold } from '../fold/index.ts';
import { DecodeError, type PushBytes, readPushBytes } from '../otlp/index.ts';
import { OtlpJsonError, transcodeRequestObject } from '../otlp/json/index.ts';
import { INSTANCE_LABEL, type Section, TenantImage } from '../registry/index.ts';
import { histogramJson, zeroHistogramJson } from './native-view.ts';
import { selfMetrics } from './self-metrics.ts';
import { type SeriesView, viewSeries } from './series-view.ts';

/** A case that can't be run: a file is missing or not what it should be. */
export class CaseError extends Error {}

interface CaseConfig {
  tenant: string;
  start_unix_ms: number;
  generator?: unknown;
  overrides?: unknown;
  auto_collect?: boolean;
  final_advance_ms?: number;
}

interface Step {
  advance_ms?: number;
  set_overrides?: unknown;
  resourceSpans?: unknown;
  proto_base64?: string;
  push_bytes_base64?: string;
  skip_metrics_generation?: boolean;
  collect?: boolean;
}

export interface Collection {
  at_ms: number;
  series: Record<string, unknown>[];
}

export interface CaseResult {
  common_labels: Record<string, string>;
  collections: Collection[];
  self_metrics: Record<string, number>;
}

/** Runs the case in `dir`. @throws CaseError for a broken case, ConfigError where the configuration must be refused. */
export function runCase(dir: string, instance: string): CaseResult {
  const config = readJson(join(dir, 'config.json')) as CaseConfig;
  if (typeof config?.tenant !== 'string' || typeof config.start_unix_ms !== 'number') {
    throw new CaseError(`${join(dir, 'config.json')}: needs tenant and start_unix_ms`);
  }
  const input = readJson(join(dir, 'spans.otlp.json'));
  const steps = (Array.isArray(input) ? input : [input]) as Step[];
  if (steps.some((step) => typeof step !== 'object' || step === null)) {
    throw new CaseError(`${join(dir, 'spans.otlp.json')}: neither a request nor a list of steps`);
  }
  const messages = readMessages(join(dir, 'requests.bin'));
  return new CaseRun(config, instance).run(steps, messages);
}

class CaseRun {
  private readonly config: CaseConfig;
  private readonly instance: string;
  private readonly fold: Fold;
  private readonly tenant: TenantFold;
  private readonly image = new TenantImage();
  private readonly collections: Collection[] = [];
  private nowMs: number;
  private collectionsMade = 0;
  private nextAutoMs = Number.POSITIVE_INFINITY;

  constructor(config: CaseConfig, instance: string) {
    this.config = config;
    this.instance = instance;
    this.nowMs = config.start_unix_ms;
    const settings = this.settings(config.overrides);
    this.fold = new Fold({ settingsOf: () => settings, originMs: config.start_unix_ms });
    this.tenant = this.fold.tenant(config.tenant);
    if (config.auto_collect) this.nextAutoMs = this.nowMs + settings.collectionIntervalMs;
  }

  run(steps: readonly Step[], messages: readonly Uint8Array[]): CaseResult {
    let input = 0;
    for (const step of steps) {
      if (step.advance_ms) this.advance(step.advance_ms);
      if (step.set_overrides !== undefined) this.tenant.want(this.settings(step.set_overrides));
      const bytes = messages[input] ?? inputBytes(step, input);
      if (
        bytes &&
        (step.resourceSpans !== undefined || step.proto_base64 !== undefined || step.push_bytes_base64 !== undefined)
      ) {
        this.push(step, bytes, input++);
      }
      if (step.collect) this.collect();
    }
    if (this.config.final_advance_ms) this.advance(this.config.final_advance_ms);
    if (!this.config.auto_collect) this.collect();
    return {
      common_labels: { [INSTANCE_LABEL]: this.instance },
      collections: this.collections,
      self_metrics: selfMetrics(this.tenant, this.collectionsMade),
    };
  }

  private settings(overrides: unknown): TenantSettings {
    return resolveReference(this.config.generator, overrides, this.config.tenant);
  }

  private advance(ms: number): void {
    const untilMs = this.nowMs + ms;
    while (this.nextAutoMs <= untilMs) {
      this.nowMs = this.nextAutoMs;
      this.fold.advance(this.nowMs);
      this.collect();
      this.nextAutoMs += this.tenant.settings.collectionIntervalMs;
    }
    this.nowMs = untilMs;
    this.fold.advance(this.nowMs);
  }

  private push(step: Step, bytes: Uint8Array, input: number): void {
    const skip = step.skip_metrics_generation === true;
    try {
      if (step.push_bytes_base64 === undefined) this.request(bytes, skip);
      else this.record(readPushBytes(bytes), bytes, skip);
    } catch (cause) {
      if (!(cause instanceof DecodeError)) throw cause;
      throw new CaseError(`input ${input}: ${cause.message}`, { cause });
    }
  }

  private request(bytes: Uint8Array, skip: boolean): void {
    this.fold.push(this.config.tenant, this.nowMs, this.nowMs, bytes, skip);
  }

  /** Each trace is a request of its own: one that can't be decoded is passed over, the others count. */
  private record({ traces, skipMetrics }: PushBytes, bytes: Uint8Array, skip: boolean): void {
    for (const { start, end } of traces) {
      try {
        this.request(bytes.subarray(start, end), skip || skipMetrics);
      } catch (error) {
        if (!(error instanceof DecodeError)) throw error;
      }
    }
  }

  private collect(): void {
    if (this.tenant.settings.disableCollection) return;
    this.collectionsMade++;
    this.image.nextBoundary();
    for (const section of this.fold.collect(this.nowMs)) if (isRows(section)) this.image.apply(section);
    const startMs = this.config.start_unix_ms;
    this.collections.push({
      at_ms: this.nowMs - startMs,
      series: viewSeries(this.image, {}).map((series) => seriesJson(series, startMs)),
    });
  }
}

function isRows(section: Section): boolean {
  return section.meta['holder'] === 'rows';
}

function seriesJson(series: SeriesView, startMs: number): Record<string, unknown> {
  const { labels, histogram, value, zeroMs, exemplars } = series;
  const zero = zeroMs === undefined ? {} : { init_zero_t_ms: zeroMs - startMs };
  return {
    labels,
    ...(histogram
      ? {
          type: 'histogram',
          histogram: histogramJson(histogram),
          ...zero,
          ...(zeroMs === undefined ? {} : { init_zero_histogram: zeroHistogramJson(histogram.schema) }),
        }
      : { type: 'sample', value: jsonNumber(value), ...zero }),
    ...(exemplars.length === 0
      ? {}
      : { exemplars: exemplars.map(({ labels, value }) => ({ labels, value: jsonNumber(value) })) }),
  };
}

function jsonNumber(value: number): number | string {
  if (Number.isNaN(value)) return 'NaN';
  return Number.isFinite(value) ? value : value > 0 ? '+Inf' : '-Inf';
}

function inputBytes(step: Step, input: number): Uint8Array | undefined {
  if (step.resourceSpans !== undefined) {
    try {
      return transcodeRequestObject({ resourceSpans: step.resourceSpans }, { profile: 'collector' });
    } catch (cause) {
      if (!(cause instanceof OtlpJsonError)) throw cause;
      throw new CaseError(`input ${input}: ${cause.message}`, { cause });
    }
  }
  const base64 = step.proto_base64 ?? step.push_bytes_base64;
  return base64 === undefined ? undefined : new Uint8Array(Buffer.from(base64, 'base64'));
}

function readJson(path: string): unknown {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    throw new CaseError(`${path}: ${cause instanceof Error ? cause.message : cause}`, { cause });
  }
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new CaseError(`${path}: not JSON: ${cause instanceof Error ? cause.message : cause}`, { cause });
  }
}

function readMessages(path: string): Uint8Array[] {
  return existsSync(path) ? splitMessages(new Uint8Array(readFileSync(path)), path) : [];
}

/** Length-delimited messages: a uint32 (little endian) and that many bytes each. @throws CaseError */
export function splitMessages(bytes: Uint8Array, path: string): Uint8Array[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const messages: Uint8Array[] = [];
  for (let pos = 0; pos < bytes.length; ) {
    const n = pos + 4 <= bytes.length ? view.getUint32(pos, true) : Number.POSITIVE_INFINITY;
    if (n > bytes.length - pos - 4)
      throw new CaseError(`${path}: message ${messages.length} is cut off at byte ${pos}`);
    messages.push(bytes.subarray(pos + 4, pos + 4 + n));
    pos += 4 + n;
  }
  return messages;
}
