import { afterEach, describe, expect, it, vi } from 'vitest';
import { generate } from './support/generate.ts';
import { Prometheus, prometheusBinary } from './support/prometheus.ts';
import { sameAsAccount } from './support/same-as-account.ts';
import { Spanmill } from './support/spanmill.ts';
import { waitFor } from './support/wait.ts';

vi.setConfig({ testTimeout: 150_000, hookTimeout: 60_000 });

const CALLS = 'sum by (service, span_name, span_kind, status_code) (traces_spanmetrics_calls_total)';

const why = prometheusBinary() ? '' : ' (skipped: no prometheus binary; install it or set PROMETHEUS_BIN)';

describe.skipIf(!prometheusBinary())(`generate → OTLP/HTTP → spanmill → Prometheus${why}`, () => {
  const running: { remove?(): Promise<void>; stop(): Promise<unknown> }[] = [];
  afterEach(async () => {
    for (const part of running.splice(0)) await (part.remove ? part.remove() : part.stop());
  });
  const start = async (message = 'prometheus.WriteRequest') => {
    const prometheus = await Prometheus.start();
    running.push(prometheus);
    const endpoint = `protobuf_message: ${message}`;
    const spanmill = await Spanmill.start({ remoteWrite: [prometheus.writeUrl], endpoint });
    running.push(spanmill);
    return { prometheus, spanmill };
  };

  it('counts exactly what generate says it sent, in calls and in edges', async () => {
    const { prometheus, spanmill } = await start();
    const account = await generate(['--otlp', spanmill.otlp, '--spans', '6000', '--rate', '1500', '--seed', '7'])
      .account;
    expect(account.unknown).toEqual([]);
    await sameAsAccount(prometheus, account);
    expect(await spanmill.stop()).toBe(0);
  });

  it('counts exactly through kill -9 at random moments, and no counter ever goes down', async () => {
    const { prometheus, spanmill } = await start();
    const generation = generate(['--otlp', spanmill.otlp, '--spans', '24000', '--rate', '1200', '--seed', '11']);
    let finished = false;
    const account = generation.account.finally(() => {
      finished = true;
    });
    // The moments are arbitrary, not exact: whatever is under way is cut.
    for (const pauseMs of [2_300, 1_100, 3_700, 900]) {
      await pause(pauseMs);
      await spanmill.kill();
      await spanmill.resume();
    }
    await waitFor('generate to end', () => finished, 90_000);
    await sameAsAccount(prometheus, await account);
    expect(await prometheus.query('sum(resets(traces_spanmetrics_calls_total[30m]))')).toMatchObject([{ value: 0 }]);
    expect(await prometheus.query('sum(resets(traces_spanmetrics_latency_bucket[30m]))')).toMatchObject([{ value: 0 }]);
    expect(await prometheus.query('sum(resets(traces_service_graph_request_total[30m]))')).toMatchObject([
      { value: 0 },
    ]);
    expect(await spanmill.stop()).toBe(0);
  });

  it.each(['prometheus.WriteRequest', 'io.prometheus.write.v2.Request'])(
    'catches up after an outage of Prometheus with every boundary at its own time, with %s',
    async (message) => {
      const { prometheus, spanmill } = await start(message);
      const first = generate(['--otlp', spanmill.otlp, '--spans', '3000', '--rate', '1000', '--seed', '3']);
      await waitFor('samples to arrive', async () => (await prometheus.query(CALLS)).length > 0);
      await prometheus.pause();
      const account = await first.account;
      await pause(4_000);
      await prometheus.resume();
      await sameAsAccount(prometheus, account);
      const series = await prometheus.raw('traces_spanmetrics_calls_total', '10m');
      for (const { samples } of series) {
        const boundaries = samples
          .map(([seconds]) => seconds)
          .filter((seconds) => Number.isInteger(seconds) && seconds % 60 !== 59);
        const gaps = boundaries.slice(1).map((seconds, i) => seconds - boundaries[i]!);
        expect(Math.max(0, ...gaps)).toBeLessThanOrEqual(2);
      }
      expect(await spanmill.stop()).toBe(0);
    },
  );
});

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}
