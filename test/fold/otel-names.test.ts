// `naming: otel` where the recorded cases don't look: limits, events, loads, filters, what the options cost in rows.

import { describe, expect, test } from 'vitest';
import { loadConfig, resolveTenant, type TenantSettings } from '../../src/config/index.ts';
import { Fold } from '../../src/fold/index.ts';
import { type Section, seriesLabels, TenantImage } from '../../src/registry/index.ts';
import { applyAll, imageOf } from './series.ts';
import { type Attributes, type PlainSpan, plainSpan, requestBytes } from './spans.ts';

const T = Date.UTC(2026, 0, 1);
const END = BigInt(T) * 1_000_000n;

function settingsOf(
  spanMetrics: object,
  more: { processor?: object; registry?: object; tenant?: object } = {},
): TenantSettings {
  const text = JSON.stringify({
    metrics_generator: {
      naming: 'otel',
      processor: { span_metrics: more.processor ?? {} },
      registry: more.registry ?? {},
      otel: { span_metrics: spanMetrics },
    },
    overrides: { defaults: { metrics_generator: { processors: ['span-metrics'], ...more.tenant } } },
  });
  return resolveTenant(loadConfig({ text }).config, 'anybody');
}

class Life {
  fold: Fold;
  private readonly settings: TenantSettings;

  constructor(settings: TenantSettings) {
    this.settings = settings;
    this.fold = new Fold({ settingsOf: () => settings, originMs: T });
  }

  push(
    names: readonly string[],
    resource: Attributes = [['service.name', 'web']],
    more: Partial<PlainSpan> = {},
  ): this {
    const spans = names.map((name) => plainSpan({ name, startNs: END - 10_000_000n, endNs: END, ...more }));
    this.fold.push('t', T, T, requestBytes([{ resource, spans }]), false);
    return this;
  }

  /** As after a crash: another fold with what a boundary said of everything. */
  reload(): this {
    this.fold.collect(T);
    const sections: Section[] = structuredClone(this.fold.everything(T));
    this.fold = new Fold({ settingsOf: () => this.settings, originMs: T });
    for (const section of sections) this.fold.load(section, T);
    this.fold.loaded();
    return this;
  }

  /** Values of the calls by one label. */
  calls(label = 'span_name'): Record<string, number> {
    const out: Record<string, number> = {};
    for (const table of imageOf(this.fold.everything(T)).tables.values()) {
      const spec = table.series.find(({ name }) => name.endsWith('calls_total'));
      if (spec === undefined) continue;
      for (const row of table.rows.values()) {
        const labels = seriesLabels(table.schema, row.labels, row.overflow, spec, {});
        out[labels.get(label) ?? ''] = (out[labels.get(label) ?? ''] ?? 0) + row.values[spec.column]!;
      }
    }
    return out;
  }

  get counters() {
    return this.fold.tenant('t').counters;
  }
}

describe('the limit on label sets', () => {
  const limited = () => new Life(settingsOf({ aggregation_cardinality_limit: 2 }));

  test('is one for each job and instance, and spans beyond it are all counted', () => {
    const life = limited().push(['a', 'b', 'c', 'd', 'a']);
    life.push(
      ['x', 'y', 'z'],
      [
        ['service.name', 'web'],
        ['service.instance.id', '2'],
      ],
    );
    expect(life.calls()).toEqual({ a: 2, b: 1, x: 1, y: 1, '': 3 });
    expect(life.calls('otel_metric_overflow')).toEqual({ true: 3, '': 5 });
  });

  test('holds on after a load', () => {
    const life = limited().push(['a', 'c0']).reload().push(['a', 'd', 'e']);
    expect(life.calls()).toEqual({ a: 2, c0: 1, '': 2 });
  });

  test('has room again when label sets have ended', () => {
    const life = limited().push(['a', 'b', 'c']);
    life.fold.advance(T + 2_000_000);
    expect(life.calls()).toEqual({});
    const spans = ['d', 'e', 'f'].map((name) => plainSpan({ name, startNs: END, endNs: END + 2_000_000_000_000n }));
    life.fold.push(
      't',
      T + 2_000_000,
      T + 2_000_000,
      requestBytes([{ resource: [['service.name', 'web']], spans }]),
      false,
    );
    expect(life.calls()).toEqual({ d: 1, e: 1, '': 1 });
  });
});

describe('Tempo’s keys', () => {
  test('for dimensions, mappings, filters and weights go on to mean what they mean', () => {
    const processor = {
      dimensions: ['http.method'],
      dimension_mappings: [{ name: 'where', source_labels: ['zone', 'rack'], join: '/' }],
      filter_policies: [{ exclude: { match_type: 'strict', attributes: [{ key: 'name', value: 'no' }] } }],
      span_multiplier_key: 'ratio',
      intrinsic_dimensions: { span_kind: false },
    };
    const life = new Life(settingsOf({}, { processor })).push(['yes', 'no'], [['service.name', 'web']], {
      attributes: [
        ['http.method', 'GET'],
        ['zone', 'z'],
        ['rack', 'r'],
        ['ratio', 0.25],
      ],
    });
    expect(life.calls()).toEqual({ yes: 4 });
    expect(life.calls('http_method')).toEqual({ GET: 4 });
    expect(life.calls('where')).toEqual({ 'z/r': 4 });
    expect(life.calls('span_kind')).toEqual({ '': 4 });
    expect([...life.counters.discarded]).toEqual([['span_metrics_filtered span-metrics', 1]]);
  });

  test('limit series: what is refused is counted in the overflow series', () => {
    const life = new Life(settingsOf({}, { tenant: { max_active_series: 20 } })).push(['a', 'b', 'b']);
    expect(life.calls('metric_overflow')).toEqual({ '': 1, true: 2 });
  });

  test('end series by the expiration of the collector where there is one', () => {
    expect(settingsOf({ series_expiration: '1h' }).staleDurationMs).toBe(3_600_000);
    expect(settingsOf({}, { registry: { stale_duration: '7m' } }).staleDurationMs).toBe(420_000);
  });
});

describe('rows', () => {
  test('are one for calls and durations while these have the same labels, else one each', () => {
    const rows = (spanMetrics: object) =>
      new Life(settingsOf(spanMetrics)).push(['a']).fold.tenant('t').registry.liveRows;
    expect(rows({})).toBe(1);
    expect(rows({ calls_dimensions: [{ name: 'c' }] })).toBe(2);
    expect(rows({ calls_dimensions: [{ name: 'c' }], histogram: { dimensions: [{ name: 'c' }] } })).toBe(1);
  });

  test('survive a load as they were, in all tables', () => {
    const settings = settingsOf({
      calls_dimensions: [{ name: 'c' }],
      events: { enabled: true, dimensions: [{ name: 'e' }] },
      histogram: { exponential: {} },
    });
    const life = new Life(settings).push(
      ['a', 'b'],
      [
        ['service.name', 'web'],
        ['host', 'h'],
      ],
    );
    life.fold.collect(T);
    const before = life.fold.everything(T);
    expect(before.filter(({ meta }) => meta['holder'] === 'rows').length).toBe(4);
    expect(life.reload().fold.everything(T)).toEqual(before);
  });
});

test('a span without a service is not counted, and that is said', () => {
  const life = new Life(settingsOf({})).push(['a'], [['host', 'h']]);
  expect(life.calls()).toEqual({});
  expect([...life.counters.discarded]).toEqual([['no_service_name span-metrics', 1]]);
});

test('a label set that is no UTF-8 is not counted, and that is said', () => {
  const life = new Life(settingsOf({})).push(['a']);
  const span = plainSpan({ name: 'ZZZZ', startNs: END, endNs: END });
  const request = requestBytes([{ resource: [['service.name', 'web']], spans: [span] }]);
  request[Buffer.from(request).indexOf('ZZZZ')] = 0xff;
  life.fold.push('t', T, T, request, false);
  expect(life.calls()).toEqual({ a: 1 });
  expect([...life.counters.discarded]).toEqual([['invalid_utf8 span-metrics', 1]]);
});

test('both limits together count every span', () => {
  const settings = settingsOf({ aggregation_cardinality_limit: 3 }, { tenant: { max_active_series: 45 } });
  const life = new Life(settings).push(['a', 'b', 'c', 'd', 'e', 'a', 'c', 'f']).reload().push(['c', 'g', 'a']);
  const calls = life.calls();
  expect(Object.values(calls).reduce((sum, count) => sum + count)).toBe(11);
  expect(calls).toMatchObject({ a: 3, b: 1 });
});

test('a change of naming ends the rows of the other names', () => {
  const settings = settingsOf({});
  const tempo = { ...settings, naming: 'tempo' as const };
  const life = new Life(tempo).push(['a']);
  const image = new TenantImage();
  applyAll(image, life.fold.collect(T));
  expect(life.calls()).toEqual({ a: 1 });
  expect(life.fold.configure(() => settings)).toBe(true);
  life.push(['a']);
  applyAll(image, life.fold.collect(T + 15_000));
  const ended = image.replaced.flatMap((table) =>
    table.ended.map((row) => seriesLabels(table.schema, row.labels, row.overflow, table.series[0]!, {})),
  );
  expect(ended.map((labels) => [labels.get('__name__'), labels.get('service')])).toEqual([
    ['traces_spanmetrics_calls_total', 'web'],
  ]);
  expect(life.calls('service_name')).toEqual({ web: 1 });
});
