// The same load through the whole process with other names, another protocol and other labels: what Prometheus gets is as exact.

import { afterEach, describe, expect, it, vi } from 'vitest';
import { type Account, generate } from './support/generate.ts';
import { Prometheus, prometheusBinary } from './support/prometheus.ts';
import { sameAsAccount } from './support/same-as-account.ts';
import { Spanmill } from './support/spanmill.ts';
import { waitFor } from './support/wait.ts';

vi.setConfig({ testTimeout: 150_000, hookTimeout: 60_000 });

const why = prometheusBinary() ? '' : ' (skipped: no prometheus binary; install it or set PROMETHEUS_BIN)';
const COLLECTOR_LABELS = ['service_name', 'span_name', 'span_kind', 'status_code'];

describe.skipIf(!prometheusBinary())(`a whole spanmill${why}`, () => {
  const running: { remove?(): Promise<void>; stop(): Promise<unknown> }[] = [];
  afterEach(async () => {
    for (const part of running.splice(0)) await (part.remove ? part.remove() : part.stop());
  });
  const start = async (options: { generator?: string; endpoint?: string }) => {
    const prometheus = await Prometheus.start();
    running.push(prometheus);
    const spanmill = await Spanmill.start({
      remoteWrite: [prometheus.writeUrl],
      ...(options.generator ? { generator: options.generator } : {}),
      ...(options.endpoint ? { endpoint: options.endpoint } : {}),
    });
    running.push(spanmill);
    return { prometheus, spanmill };
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

  it('asked for remote-write 2.0, falls back where it is not understood, and loses nothing; relabelling is applied', async () => {
    const { prometheus, spanmill } = await start({
      endpoint:
        'protobuf_message: io.prometheus.write.v2.Request, write_relabel_configs: [{target_label: cluster, replacement: east}, {source_labels: [__name__], regex: ".*_size_total", action: drop}]',
    });
    const account = await load(spanmill);
    await sameAsAccount(prometheus, account);
    expect(await prometheus.query('count(traces_spanmetrics_calls_total{cluster!="east"})')).toEqual([]);
    expect(await prometheus.query('count(traces_spanmetrics_size_total)')).toEqual([]);
    const own = await (await fetch(`${spanmill.url}/metrics`)).text();
    expect(own).toMatch(/^spanmill_remote_write_samples_not_sent_total\{.*reason="relabel"\} [1-9]/m);
    expect(own).toMatch(/^spanmill_remote_write_samples_failed_total\{.*\} 0$/m);
    expect(await spanmill.stop()).toBe(0);
  });
});
