// A fold with the collector's names in tests: requests with scopes and events, what its series are, crashes.

import { loadConfig, resolveTenant, type TenantSettings } from '../../src/config/index.ts';
import { Fold } from '../../src/fold/index.ts';
import { INSTANCE_LABEL, type Section, TenantImage } from '../../src/registry/index.ts';
import { type SeriesView, viewSeries } from '../../src/simulate/series-view.ts';
import { encode, type Message } from '../otlp/otlp-proto.ts';
import { applyAll } from './series.ts';
import { type Attributes, type PlainSpan, plainSpan, requestMessage, spanMessage } from './spans.ts';

export const T = Date.UTC(2026, 0, 1);
const INTERVAL_MS = 15_000;

export interface More {
  otel?: object;
  processor?: object;
  registry?: object;
  tenant?: object;
}

export function otelSettings(spanMetrics: object, more: More = {}): TenantSettings {
  const text = JSON.stringify({
    shards: { count: 1 },
    metrics_generator: {
      naming: 'otel',
      processor: { span_metrics: more.processor ?? {} },
      registry: more.registry ?? {},
      otel: { span_metrics: spanMetrics, ...more.otel },
    },
    overrides: { defaults: { metrics_generator: { processors: ['span-metrics'], ...more.tenant } } },
  });
  return resolveTenant(loadConfig({ text }).config, 'anybody');
}

export interface OtelSpan extends Partial<PlainSpan> {
  tookMs?: number;
  scope?: { name: string; version?: string };
  events?: Attributes[];
}

const utf8 = (text: string) => new TextEncoder().encode(text);

/** Each span is in a ScopeSpans of its own. */
export function otelRequest(resource: Attributes, spans: readonly OtelSpan[], nowMs: number): Message {
  const endNs = BigInt(nowMs) * 1_000_000n;
  const [group] = requestMessage([{ resource, spans: [] }])['resourceSpans'] as Message[];
  const scopeSpans = spans.map(({ tookMs = 10, scope, events = [], ...more }): Message => {
    const span = spanMessage(plainSpan({ name: 'op', startNs: endNs - BigInt(tookMs) * 1_000_000n, endNs, ...more }));
    return {
      ...(scope && { scope: { name: utf8(scope.name), version: utf8(scope.version ?? '') } }),
      spans: [{ ...span, events: events.map((attributes) => eventMessage(attributes)) }],
    };
  });
  return { resourceSpans: [{ ...group, scopeSpans }] };
}

function eventMessage(attributes: Attributes): Message {
  return { attributes: spanMessage(plainSpan({ attributes }))['attributes']! };
}

export class OtelLife {
  fold: Fold;
  nowMs = T;
  readonly image = new TenantImage();
  private settings: TenantSettings;
  private base: Section[] = [];
  private baseMs = 0;

  constructor(settings: TenantSettings) {
    this.settings = settings;
    this.fold = new Fold({ settingsOf: () => this.settings, originMs: T });
  }

  push(spans: readonly OtelSpan[], resource: Attributes = [['service.name', 'web']]): this {
    return this.pushBytes(encode('Request', otelRequest(resource, spans, this.nowMs)));
  }

  pushBytes(bytes: Uint8Array): this {
    this.fold.push('t', this.nowMs, this.nowMs, bytes, false);
    // Nothing may be looked at again.
    bytes.fill(0xa5);
    return this;
  }

  /** On to the next boundary, and what it says. */
  boundary(): this {
    this.nowMs += INTERVAL_MS;
    this.fold.advance(this.nowMs);
    applyAll(this.image, this.fold.collect(this.nowMs));
    this.base = structuredClone(this.fold.everything(this.nowMs));
    this.baseMs = this.nowMs;
    return this;
  }

  at(ms: number): this {
    this.nowMs = T + ms;
    this.fold.advance(this.nowMs);
    return this;
  }

  /** Another process, with the state of the last boundary. */
  crash(): this {
    this.fold = new Fold({ settingsOf: () => this.settings, originMs: T });
    for (const section of structuredClone(this.base)) this.fold.load(section, this.baseMs);
    this.fold.loaded();
    return this;
  }

  configure(settings: TenantSettings): boolean {
    this.settings = settings;
    return this.fold.configure(() => settings);
  }

  /** Symbols get new numbers. */
  renumber(): this {
    this.fold.tenant('t').registry.trimSymbols(Number.NEGATIVE_INFINITY);
    return this;
  }

  series(metric: string): SeriesView[] {
    return viewSeries(this.image, { [INSTANCE_LABEL]: 'i' }).filter(({ labels }) => labels['__name__'] === metric);
  }

  /** The calls, with the labels that they have beside the usual ones. */
  calls(metric = 'traces_span_metrics_calls_total'): [labels: Record<string, string>, value: number][] {
    return this.series(metric).map(({ labels, value }) => [
      Object.fromEntries(Object.entries(labels).filter(([name]) => !USUAL.has(name))),
      value,
    ]);
  }

  get discarded(): [string, number][] {
    return [...this.fold.tenant('t').counters.discarded];
  }
}

const USUAL: ReadonlySet<string> = new Set([
  '__name__',
  'collector_instance_id',
  'job',
  'otel_scope_name',
  'service_name',
  'span_kind',
  'span_name',
  'status_code',
]);
