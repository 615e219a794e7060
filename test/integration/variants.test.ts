// The same load through the whole process with other names, another protocol and other labels: what Prometheus gets is as exact.

import { afterEach, describe, expect, it, vi } from 'vitest';
import { type Account, generate } from './support/generate.ts';
import { Prometheus, type PrometheusOptions, prometheusAbilities, prometheusBinary } from './support/prometheus.ts';
import { sameAsAccount } from './support/same-as-account.ts';
import { Spanmill } from './support/spanmill.ts';
import { waitFor } from './support/wait.ts';

vi.setConfig({ testTimeout: 150_000, hookTimeout: 60_000 });

const why = prometheusBinary() ? '' : ' (skipped: no prometheus binary; install it or set PROMETHEUS_BIN)';
const { speaks2, storesStarts } = prometheusAbilities();
const V2 = 'protobuf_message: io.prometheus.write.v2.Request';
const COLLECTOR_LABELS = ['service_name', 'span_name', 'span_kind', 'status_code'];

describe.skipIf(!prometheusBinary())(`a whole spanmill${why}`, () => {
  const running: { remove?(): Promise<void>; stop(): Promise<unknown> }[] = [];
  afterEach(async () => {
    for (const part of running.splice(0)) await (part.remove ? part.remove() : part.stop());
  });
  /** One spanmill, and as many receivers as are described. */
  const startWith = async (
    receivers: readonly PrometheusOptions[],
    options: { generator?: string; endpoint?: string },
  ) => {
    const all: Prometheus[] = [];
    for (const receiver of receivers) {
      const prometheus = await Prometheus.start(receiver);
      running.push(prometheus);
      all.push(prometheus);
    }
    const spanmill = await Spanmill.start({ remoteWrite: all.map(({ writeUrl }) => writeUrl), ...options });
    running.push(spanmill);
    return { all, spanmill };
  };
  const start = async (options: { generator?: string; endpoint?: string }) => {
    const { all, spanmill } = await startWith([{}], options);
    return { prometheus: all[0]!, spanmill };
  };

  /** A load with a kill -9 in the middle of it. */
  const load = async (spanmill: Spanmill): Promise<Account> => {
    const { account } = generate(['--otlp', spanmill.otlp, '--spans', '5000', '--rate', '1000', '--seed', '5']);
    await new Promise((resolve) => setTimeout(resolve, 2_000));
    await spanmill.kill();
    await spanmill.resume();
    return account;
  };

  const sumsBy = async (prometheus: Prometheus, metric: string, labels: readonly string[]) =>
    new Map(
      (await prometheus.query(`sum by (${labels.join(', ')}) (${metric})`)).map((row) => [
        labels.map((label) => row.labels[label] ?? '').join('|'),
        row.value,
      ]),
    );

  /** Of a batch whose answer the kill cut off it is not known whether it counts. */
  const areCallsOf = (counts: ReadonlyMap<string, number>, account: Account): boolean => {
    const keyOf = (c: Account['calls'][number]) => [c.service, c.span_name, c.span_kind, c.status_code].join('|');
    const least = new Map(account.calls.map((call) => [keyOf(call), call.count]));
    const most = new Map(least);
    for (const call of account.unknown.flatMap((batch) => batch.calls))
      most.set(keyOf(call), (most.get(keyOf(call)) ?? 0) + call.count);
    return (
      [...most].every(([key, count]) => (counts.get(key) ?? 0) <= count) &&
      [...least].every(([key, count]) => (counts.get(key) ?? 0) >= count) &&
      [...counts.keys()].every((key) => most.has(key))
    );
  };

  it("says the collector's names with the counts of generate, through a kill -9, and nothing of Tempo's", async () => {
    const { prometheus, spanmill } = await start({ generator: 'naming: otel' });
    const account = await load(spanmill);
    await waitFor(
      'the counts of generate',
      async () => areCallsOf(await sumsBy(prometheus, 'traces_span_metrics_calls_total', COLLECTOR_LABELS), account),
      60_000,
    );
    const durations = await sumsBy(prometheus, 'traces_span_metrics_duration_milliseconds_count', COLLECTOR_LABELS);
    expect(areCallsOf(durations, account)).toBe(true);
    expect(await prometheus.query('count({__name__=~"traces_spanmetrics_.*"})')).toEqual([]);
    expect(await prometheus.query('sum(resets(traces_span_metrics_calls_total[30m]))')).toMatchObject([{ value: 0 }]);
    // The account of edges is by Tempo's rules: here only that the graph is there, with both outcomes.
    const graph = await prometheus.query('sum by (failed) (traces_service_graph_request_total)');
    expect(graph.map(({ labels }) => labels['failed']).sort()).toEqual(['false', 'true']);
    expect(await spanmill.stop()).toBe(0);
  });

  it('says both names of one count', async () => {
    const { prometheus, spanmill } = await start({ generator: 'naming: both' });
    const account = await load(spanmill);
    await sameAsAccount(prometheus, account);
    const collector = await sumsBy(prometheus, 'traces_span_metrics_calls_total', COLLECTOR_LABELS);
    const tempo = await sumsBy(prometheus, 'traces_spanmetrics_calls_total', ['service', ...COLLECTOR_LABELS.slice(1)]);
    expect(collector).toEqual(tempo);
    expect(await spanmill.stop()).toBe(0);
  });

  it('asked for remote-write 2.0, speaks it or falls back, as each receiver understands, and loses nothing; relabelling is applied', async () => {
    // Of those that can be told so, one takes nothing but 2.0 and the other one nothing but 1.0.
    const receivers: PrometheusOptions[] = speaks2
      ? [{ accepts: 'io.prometheus.write.v2.Request' }, { accepts: 'prometheus.WriteRequest' }]
      : [{}];
    const { all, spanmill } = await startWith(receivers, {
      endpoint: `${V2}, write_relabel_configs: [{target_label: cluster, replacement: east}, {source_labels: [__name__], regex: ".*_size_total", action: drop}]`,
    });
    const account = await load(spanmill);
    for (const prometheus of all) {
      await sameAsAccount(prometheus, account);
      expect(await prometheus.query('count(traces_spanmetrics_calls_total{cluster!="east"})')).toEqual([]);
      expect(await prometheus.query('count(traces_spanmetrics_size_total)')).toEqual([]);
      expect((await prometheus.exemplars('traces_spanmetrics_latency_bucket')).length).toBeGreaterThan(0);
    }
    const own = await (await fetch(`${spanmill.url}/metrics`)).text();
    expect(own).toMatch(/^spanmill_remote_write_samples_not_sent_total\{.*reason="relabel"\} [1-9]/m);
    expectNothingRefused(own, all.length);
    expect(await spanmill.stop()).toBe(0);
  });

  it.each([
    ['1.0', ''],
    ['2.0', V2],
  ])(
    'shows what series had at their first boundary as an increase, over %s, whatever the receiver makes of their starts',
    async (_, endpoint) => {
      const receivers: PrometheusOptions[] = [{}];
      if (speaks2) receivers.push({ features: ['created-timestamp-zero-ingestion'] });
      if (storesStarts) receivers.push({ features: ['st-storage', 'use-start-timestamps'] });
      const { all, spanmill } = await startWith(receivers, { endpoint });
      // As fast as it goes: most series have one boundary in which they grow, and it is their first.
      const account = await generate(['--otlp', spanmill.otlp, '--spans', '3000', '--rate', '0', '--seed', '5'])
        .account;
      expect(account.unknown).toEqual([]);
      const edges = account.edges.reduce((sum, { count }) => sum + count, 0);
      const calls = new Map(
        account.calls.map((c) => [[c.service, c.span_name, c.span_kind, c.status_code].join('|'), c.count]),
      );
      const labels = ['service', ...COLLECTOR_LABELS.slice(1)];
      for (const prometheus of all) {
        await sameAsAccount(prometheus, account);
        // What is extrapolated at the end of a range, half an interval, is less than a tenth then.
        await waitFor('six boundaries', async () => (await boundaries(prometheus)) >= 7);
        const increases = await sumsBy(prometheus, 'increase(traces_spanmetrics_calls_total[10m])', labels);
        expect([...increases.keys()].sort()).toEqual([...calls.keys()].sort());
        for (const [key, count] of calls) {
          expect(increases.get(key)! / count, key).toBeGreaterThanOrEqual(1 - 1e-9);
          expect(increases.get(key)! / count, key).toBeLessThan(1.11);
        }
        const [graph] = await prometheus.query('sum(increase(traces_service_graph_request_total[10m]))');
        expect(graph!.value / edges).toBeGreaterThanOrEqual(1 - 1e-9);
        expect(graph!.value / edges).toBeLessThan(1.11);
        for (const { samples } of await prometheus.raw('traces_spanmetrics_calls_total', '10m')) {
          const [first, second] = samples;
          expect([first![1], second![1] > 0]).toEqual([0, true]);
        }
      }
      const own = await (await fetch(`${spanmill.url}/metrics`)).text();
      expectNothingRefused(own, all.length);
      expect(own).toMatch(/^spanmill_remote_write_zero_samples_refused_total\{.*\} 0$/m);
      expect(await spanmill.stop()).toBe(0);
    },
  );
});

/** The most samples that a series of calls has. */
async function boundaries(prometheus: Prometheus): Promise<number> {
  const [most] = await prometheus.query('max(count_over_time(traces_spanmetrics_calls_total[10m]))');
  return most?.value ?? 0;
}

/** By its own metrics, in its words and in Prometheus'. */
function expectNothingRefused(own: string, endpoints: number): void {
  for (const name of ['spanmill_remote_write_samples_failed_total', 'prometheus_remote_storage_samples_failed_total']) {
    const values = [...own.matchAll(new RegExp(`^${name}\\{.*\\} (.*)$`, 'gm'))].map(([, value]) => Number(value));
    expect([name, ...values]).toEqual([name, ...Array.from({ length: endpoints }, () => 0)]);
  }
  const discarded = [...own.matchAll(/^spanmill_spans_discarded_total\{.*\} [1-9].*$/gm)].map(([line]) => line);
  expect(discarded).toEqual([]);
}
