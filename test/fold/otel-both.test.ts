// `naming: both`: one row, said under two names. Tempo's series must be what they are alone.

import { describe, expect, test } from 'vitest';
import { loadConfig, resolveTenant, type TenantSettings } from '../../src/config/index.ts';
import { Fold } from '../../src/fold/index.ts';
import { INSTANCE_LABEL, seriesLabels, TenantImage } from '../../src/registry/index.ts';
import { type SeriesView, viewSeries } from '../../src/simulate/series-view.ts';
import { applyAll } from './series.ts';
import { type PlainSpan, plainSpan, requestBytes } from './spans.ts';

const T = Date.UTC(2026, 0, 1);

function settingsOf(
  naming: string,
  processor: object = {},
  spanMetrics: object = {},
  tenant: object = {},
): TenantSettings {
  const text = JSON.stringify({
    metrics_generator: {
      naming,
      processor: { span_metrics: processor },
      ...(naming === 'tempo' ? {} : { otel: { span_metrics: spanMetrics } }),
    },
    overrides: { defaults: { metrics_generator: { processors: ['span-metrics', 'service-graphs'], ...tenant } } },
  });
  return resolveTenant(loadConfig({ text }).config, 'anybody');
}

const DURATIONS_MS = [0, 1, 2, 2.000001, 3, 5, 7, 9, 40, 60, 512, 900, 1400, 3000, 16_384, 20_000];

function run(settings: TenantSettings, more: Partial<PlainSpan> = {}): { series: SeriesView[]; fold: Fold } {
  const fold = new Fold({ settingsOf: () => settings, originMs: T });
  const endNs = BigInt(T) * 1_000_000n;
  const spans = DURATIONS_MS.map((ms, i) => {
    const trace = `0123456789abcdef01234567890000${(16 + i).toString(16)}`;
    return plainSpan({ trace, startNs: endNs - BigInt(Math.round(ms * 1e6)), endNs, ...more });
  });
  const resource: [string, string][] = [
    ['service.name', 'web'],
    ['host', 'h1'],
  ];
  fold.push('t', T, T, requestBytes([{ resource, spans }]), false);
  const image = new TenantImage();
  applyAll(image, fold.collect(T));
  return { series: viewSeries(image, { [INSTANCE_LABEL]: 'shard-0' }), fold };
}

const isTempo = ({ labels }: SeriesView) => INSTANCE_LABEL in labels;
const sampleOf = (series: readonly SeriesView[], metric: string, le?: string) =>
  series.find(({ labels }) => labels['__name__'] === metric && labels['le'] === le)?.value;
/** Of several exemplars of one bucket the last is sent. */
const sent = (series: readonly SeriesView[]) =>
  series.map((one) => ({ ...one, exemplars: one.exemplars.slice(-1).map(({ labels, value }) => ({ labels, value })) }));

describe('rows under both names', () => {
  test('have the series that Tempo has alone, exemplars too', () => {
    const processor = { dimensions: ['http.method'], enable_target_info: true };
    const alone = run(settingsOf('tempo', processor)).series;
    const both = run(settingsOf('both', processor)).series;
    expect(alone.length).toBeGreaterThan(15);
    expect(sent(both.filter(isTempo))).toEqual(sent(alone));
  });

  test('have the series that the collector has alone', () => {
    const both = run(settingsOf('both')).series.filter((series) => !isTempo(series));
    const alone = run(settingsOf('otel')).series;
    const spanMetrics = alone.filter(({ labels }) => labels['__name__']!.startsWith('traces_span_metrics_'));
    const comparable = (series: readonly SeriesView[]) =>
      series.map(({ labels: { job: _, ...labels }, value }) => [labels, Number(value.toPrecision(12))]);
    expect(spanMetrics.length).toBe(20);
    expect(comparable(both)).toEqual(comparable(spanMetrics));
  });

  test('are one row, counted as many series as are sent', () => {
    const { series, fold } = run(settingsOf('both'));
    expect(fold.tenant('t').registry.liveRows).toBe(1);
    expect(fold.tenant('t').registry.activeSeries).toBe(series.length);
  });

  test('have each its own buckets and unit', () => {
    const { series } = run(
      settingsOf(
        'both',
        { histogram_buckets: [0.003, 1] },
        { histogram: { explicit: { buckets: ['2ms', '3ms', '5s'] } } },
      ),
    );
    const tempo = (le: string) => sampleOf(series, 'traces_spanmetrics_latency_bucket', le);
    const otel = (le: string) => sampleOf(series, 'traces_span_metrics_duration_milliseconds_bucket', le);
    expect(['0.003', '1', '+Inf'].map(tempo)).toEqual([5, 12, 16]);
    expect(['2', '3', '5000', '+Inf'].map(otel)).toEqual([3, 5, 14, 16]);
    expect(['0.002', '5'].map(tempo)).toEqual([undefined, undefined]);
    const total = DURATIONS_MS.reduce((a, b) => a + b);
    expect(sampleOf(series, 'traces_spanmetrics_latency_sum')).toBeCloseTo(total / 1000, 9);
    expect(sampleOf(series, 'traces_span_metrics_duration_milliseconds_sum')).toBeCloseTo(total, 6);
  });

  test('have the collector’s label names, and two labels stay two', () => {
    const attributes: [string, string][] = [
      ['service_name', 'claimed'],
      ['_lead', 'l'],
      ['a.b', '1'],
    ];
    const { series } = run(settingsOf('both', { dimensions: ['service_name', '_lead', 'a.b'] }), { attributes });
    const calls = series.find(({ labels }) => labels['__name__'] === 'traces_span_metrics_calls_total')!;
    expect(calls.labels).toMatchObject({
      collector_instance_id: 'shard-0',
      otel_scope_name: 'spanmetricsconnector',
      a_b: '1',
      key_lead: 'l',
      service_name: 'web',
      service_name_2: 'claimed',
    });
  });

  test('have native histograms under both names where the unit is one', () => {
    const { series } = run(
      settingsOf('both', {}, { histogram: { unit: 's' } }, { generate_native_histograms: 'native' }),
    );
    const natives = series.filter(({ histogram }) => histogram !== undefined);
    expect(natives.map(({ labels }) => labels['__name__']).sort()).toEqual([
      'traces_span_metrics_duration_seconds',
      'traces_spanmetrics_latency',
    ]);
    expect(natives[0]!.histogram).toBe(natives[1]!.histogram);
  });

  test('survive a load as they were', () => {
    const settings = settingsOf('both', { dimensions: ['http.method'] });
    const { fold } = run(settings);
    const sections = structuredClone(fold.everything(T));
    const loaded = new Fold({ settingsOf: () => settings, originMs: T });
    for (const section of sections) loaded.load(section, T);
    loaded.loaded();
    expect(loaded.everything(T)).toEqual(fold.everything(T));
    expect(loaded.tenant('t').registry.activeSeries).toBe(fold.tenant('t').registry.activeSeries);
  });

  test('of a table without second names have one name', () => {
    const { fold } = run(settingsOf('both'), { kind: 3, attributes: [['db.name', 'orders']] });
    const image = new TenantImage();
    applyAll(image, fold.everything(T));
    const graph = image.tables.get('service-graphs')!;
    expect(graph.rows.size).toBe(1);
    expect(graph.series.filter(({ second }) => second)).toEqual([]);
    expect(seriesLabels(graph.schema, [], false, graph.series[0]!, {}).get('__name__')).toBe(
      'traces_service_graph_request_total',
    );
  });
});
