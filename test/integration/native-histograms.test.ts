import { afterEach, describe, expect, it, vi } from 'vitest';
import { createLoad } from '../../src/generate/index.ts';
import { readRequest } from '../generate/otlp.ts';
import { type Account, generate } from './support/generate.ts';
import { Prometheus, type PrometheusOptions, prometheusAbilities, prometheusBinary } from './support/prometheus.ts';
import { sameAsAccount } from './support/same-as-account.ts';
import { Spanmill } from './support/spanmill.ts';
import { waitFor } from './support/wait.ts';

vi.setConfig({ testTimeout: 150_000, hookTimeout: 60_000 });

const LABELS = ['service', 'span_name', 'span_kind', 'status_code'] as const;
const LATENCY = 'traces_spanmetrics_latency';
const byLabels = (metric: string) => `sum by (${LABELS.join(', ')}) (${metric})`;
const KINDS = ['UNSPECIFIED', 'INTERNAL', 'SERVER', 'CLIENT', 'PRODUCER', 'CONSUMER'];
const CODES = ['UNSET', 'OK', 'ERROR'];
const { storesStarts } = prometheusAbilities();
/** Of `protobuf_message`. A receiver that doesn't understand 2.0 gets 1.0. */
const MESSAGES = ['prometheus.WriteRequest', 'io.prometheus.write.v2.Request'];
/** Buckets of the default factor, 1.1, grow by this. */
const GROWTH = 2 ** (1 / 8);

const why = prometheusBinary() ? '' : ' (skipped: no prometheus binary; install it or set PROMETHEUS_BIN)';

describe.skipIf(!prometheusBinary())(`native histograms in Prometheus${why}`, () => {
  const running: { remove?(): Promise<void>; stop(): Promise<unknown> }[] = [];
  afterEach(async () => {
    for (const part of running.splice(0)) await (part.remove ? part.remove() : part.stop());
  });
  const start = async (
    mode: 'native' | 'both',
    message = '',
    options: PrometheusOptions = { nativeHistograms: true },
  ) => {
    const prometheus = await Prometheus.start(options);
    running.push(prometheus);
    const spanmill = await Spanmill.start({
      remoteWrite: [prometheus.writeUrl],
      endpoint: message && `protobuf_message: ${message}`,
      extra: `overrides: { defaults: { metrics_generator: { generate_native_histograms: ${mode}, processors: [span-metrics, service-graphs] } } }`,
    });
    running.push(spanmill);
    return { prometheus, spanmill };
  };

  it.each(MESSAGES)(
    'cost nothing else where the receiver takes none, and are counted as refused, with %s',
    async (message) => {
      const { prometheus, spanmill } = await start('both', message, {});
      const account = await generate(['--otlp', spanmill.otlp, '--spans', '2000', '--rate', '1500', '--seed', '9'])
        .account;
      await sameAsAccount(prometheus, account);
      expect(await rows(prometheus, byLabels(`${LATENCY}_count`))).toEqual(countsOf(account));
      const own = await (await fetch(`${spanmill.url}/metrics`)).text();
      // Newer ones, such as 3.16, take them without being told to: then there is nothing to refuse.
      if ((await prometheus.rawHistograms(LATENCY, '10m')).length > 0) {
        expect(await rows(prometheus, `histogram_count(${byLabels(LATENCY)})`)).toEqual(countsOf(account));
        expect(own).toMatch(/^spanmill_remote_write_samples_failed_total\{.*\} 0$/m);
      } else {
        expect(own).toMatch(/^spanmill_remote_write_samples_failed_total\{.*\} [1-9]/m);
        expect(spanmill.log).toContain('native histograms are disabled');
      }
    },
  );

  const rows = async (prometheus: Prometheus, promql: string) =>
    new Map((await prometheus.query(promql)).map(({ labels, value }) => [keyOf(labels), value]));

  it.each(MESSAGES)(
    'count what generate says it sent, with sums and quantiles of the durations it made, with %s',
    async (message) => {
      const { prometheus, spanmill } = await start('native', message);
      const account = await generate(['--otlp', spanmill.otlp, '--spans', '6000', '--rate', '1500', '--seed', '7'])
        .account;
      expect(account.unknown).toEqual([]);
      await sameAsAccount(prometheus, account);
      const counts = await rows(prometheus, `histogram_count(${byLabels(LATENCY)})`);
      expect(counts).toEqual(countsOf(account));
      expect(await prometheus.query('histogram_count(sum(traces_service_graph_request_server_seconds))')).toMatchObject(
        [{ value: account.edges.reduce((sum, { count }) => sum + count, 0) }],
      );
      expect(await prometheus.query(`{__name__=~".+_(bucket|sum|count)"}`)).toEqual([]);

      const durations = durationsOf({ seed: 7, spans: 6_000, ratePerSecond: 1_500 });
      const sums = await rows(prometheus, `histogram_sum(${byLabels(LATENCY)})`);
      expect([...sums.keys()].sort()).toEqual([...durations.keys()].sort());
      for (const [key, seconds] of durations) {
        expect(sums.get(key)).toBeCloseTo(
          seconds.reduce((sum, s) => sum + s),
          9,
        );
      }
      for (const q of [0.5, 0.9, 0.99]) {
        const quantiles = await rows(prometheus, `histogram_quantile(${q}, ${byLabels(LATENCY)})`);
        for (const [key, seconds] of durations) {
          // Where q times their number is whole, any value between two observations divides them so: 2.x says the one, 3.x the other.
          const [least, most] = [seconds[Math.ceil(q * seconds.length) - 1]!, seconds[Math.floor(q * seconds.length)]!];
          const answer = quantiles.get(key)!;
          const isWithin = answer > least / GROWTH - 1e-9 && answer < most * GROWTH + 1e-9;
          expect([key, q, isWithin]).toEqual([key, q, true]);
        }
      }

      const exemplars = await prometheus.exemplars(LATENCY);
      expect(exemplars.length).toBeGreaterThan(0);
      for (const { series, labels, value } of exemplars) {
        expect(labels['traceID']).toMatch(/^[1-9a-f][0-9a-f]*$/);
        expect(durations.get(keyOf(series))).toContain(value);
      }
      expect(await spanmill.stop()).toBe(0);
    },
  );

  const receivers: { message: string; features: string[] }[] = [
    { message: 'prometheus.WriteRequest', features: [] },
    { message: 'io.prometheus.write.v2.Request', features: ['created-timestamp-zero-ingestion'] },
  ];
  if (storesStarts) {
    receivers.push({ message: 'io.prometheus.write.v2.Request', features: ['st-storage', 'use-start-timestamps'] });
  }
  it.each(receivers)(
    'agree with classic ones from the same spans through kill -9, and never go down, with $message and $features',
    async ({ message, features }) => {
      const { prometheus, spanmill } = await start('both', message, { nativeHistograms: true, features });
      const generation = generate(['--otlp', spanmill.otlp, '--spans', '9000', '--rate', '1500', '--seed', '11']);
      // The moment is arbitrary: whatever is under way is cut.
      await waitFor('histograms to arrive', async () => (await prometheus.rawHistograms(LATENCY, '5m')).length > 0);
      await spanmill.kill();
      await spanmill.resume();
      const account = await generation.account;
      await sameAsAccount(prometheus, account);
      const calls = await rows(prometheus, byLabels('traces_spanmetrics_calls_total'));
      expect(calls.size).toBeGreaterThan(10);
      expect(await rows(prometheus, `histogram_count(${byLabels(LATENCY)})`)).toEqual(calls);
      expect(await rows(prometheus, byLabels(`${LATENCY}_count`))).toEqual(calls);
      const sums = await rows(prometheus, byLabels(`${LATENCY}_sum`));
      for (const [key, sum] of await rows(prometheus, `histogram_sum(${byLabels(LATENCY)})`)) {
        expect(sum).toBeCloseTo(sums.get(key)!, 9);
      }
      for (const { counts } of await prometheus.rawHistograms(LATENCY, '10m')) {
        expect(counts.map(([, count]) => count)).toEqual(counts.map(([, count]) => count).sort((a, b) => a - b));
        // One that declares the beginning, then every boundary.
        expect(counts[0]![1]).toBe(0);
        const gaps = counts.slice(2).map(([seconds], i) => seconds - counts[i + 1]![0]);
        expect(Math.max(0, ...gaps)).toBeLessThanOrEqual(1);
      }
      // Of both the classic buckets have the exemplars.
      expect(await prometheus.exemplars(LATENCY)).toEqual([]);
      expect((await prometheus.exemplars(`${LATENCY}_bucket`)).length).toBeGreaterThan(0);
      expect(await spanmill.stop()).toBe(0);
    },
  );
});

function keyOf(labels: Record<string, string>): string {
  return LABELS.map((name) => labels[name] ?? '').join('|');
}

function countsOf(account: Account): Map<string, number> {
  return new Map(account.calls.map(({ count, ...labels }) => [keyOf(labels), count]));
}

/** The durations of a load in ascending order, by labels: the same at any start. */
function durationsOf(options: { seed: number; spans: number; ratePerSecond: number }): Map<string, number[]> {
  const load = createLoad({ ...options, startUnixNano: 1_767_225_600_000_000_000n });
  const durations = new Map<string, number[]>();
  for (let request = load.nextRequest(); request !== undefined; request = load.nextRequest()) {
    for (const { service, name, kind, status, startNano, endNano } of readRequest(request.bytes)) {
      const key = [service, name, `SPAN_KIND_${KINDS[kind]}`, `STATUS_CODE_${CODES[status]}`].join('|');
      const list = durations.get(key) ?? [];
      durations.set(key, list);
      list.push(Number(endNano - startNano) / 1e9);
    }
  }
  for (const list of durations.values()) list.sort((a, b) => a - b);
  return durations;
}
