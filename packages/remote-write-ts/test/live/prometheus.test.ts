// A live check: a real Prometheus with its remote-write receiver takes what this package sends.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createSender, encodeExemplarLabels, encodeLabels, type Sender, WriteRequestBuilder } from '../../src/index.ts';
import { api, findBinary, type Live, liveTitle, startPrometheus } from './servers.ts';

const PROMETHEUS = findBinary('PROMETHEUS_BIN', 'prometheus');
const TITLE = liveTitle('a real Prometheus', PROMETHEUS, 'PROMETHEUS_BIN', 'prometheus');

interface Matrix {
  metric: Record<string, string>;
  values: [number, string][];
}

describe.skipIf(PROMETHEUS === undefined)(TITLE, () => {
  let base = '';
  let live: Live | undefined;
  let sender: Sender;

  beforeAll(async () => {
    live = await startPrometheus(PROMETHEUS!, 'exemplar-storage');
    base = live.base;
    sender = createSender({ url: `${base}/api/v1/write`, userAgent: 'remote-write-ts-test/0.1' });
  });

  afterAll(async () => {
    await sender?.close();
    await live?.remove();
  });

  const query = <T>(path: string, parameters: Record<string, string>) => api<T>(base, path, parameters);

  async function send(fill: (builder: WriteRequestBuilder) => void): Promise<void> {
    const builder = new WriteRequestBuilder();
    fill(builder);
    expect(await sender.send(builder.finish())).toEqual({ kind: 'accepted', status: 204, attempts: 1 });
  }

  it('stores three boundaries of a thousand series with their exact values and times', async () => {
    const series = Array.from({ length: 1000 }, (_, i) =>
      encodeLabels([
        ['__name__', 'boundary_total'],
        ['index', String(i)],
        ['Zone', 'zürich'],
        ['job', 'live'],
      ]),
    );
    const endMs = Math.floor(Date.now() / 15_000) * 15_000 - 15_000;
    const times = [endMs - 30_000, endMs - 15_000, endMs];
    for (const [k, timestampMs] of times.entries()) {
      await send((builder) => {
        for (const [i, labels] of series.entries()) builder.addSample(labels, i + k * 0.25, timestampMs);
      });
    }
    const count = await query<{ result: { value: [number, string] }[] }>('query', {
      query: 'sum(boundary_total)',
      time: String(endMs / 1000),
    });
    expect(count.result[0]!.value[1]).toBe(String(499_500 + 500));
    const one = await query<{ result: Matrix[] }>('query', {
      query: 'boundary_total{index="7"}[1m]',
      time: String(endMs / 1000),
    });
    expect(one.result).toEqual([
      {
        metric: { __name__: 'boundary_total', Zone: 'zürich', index: '7', job: 'live' },
        values: times.map((t, k) => [t / 1000, String(7 + k * 0.25)]),
      },
    ]);
  });

  it('takes a repeated request silently and refuses another value at the same time', async () => {
    const labels = encodeLabels([['__name__', 'repeated_total']]);
    const timestampMs = Date.now();
    await send((builder) => builder.addSample(labels, 1, timestampMs));
    await send((builder) => builder.addSample(labels, 1, timestampMs));
    const builder = new WriteRequestBuilder();
    builder.addSample(labels, 2, timestampMs);
    const outcome = await sender.send(builder.finish());
    expect(outcome).toMatchObject({ kind: 'refused', status: 400, attempts: 1 });
    expect(outcome.kind === 'refused' && outcome.message).toMatch(/\w/);
  });

  it('ends a series at its stale marker, and does not at any other NaN', async () => {
    const ended = encodeLabels([['__name__', 'ended_gauge']]);
    const nan = encodeLabels([['__name__', 'nan_gauge']]);
    const nowMs = Date.now();
    await send((builder) => {
      builder.addSample(ended, 1, nowMs - 2000);
      builder.addSample(nan, 1, nowMs - 2000);
    });
    await send((builder) => {
      builder.addStale(ended, nowMs - 1000);
      builder.addSample(nan, Number.NaN, nowMs - 1000);
    });
    const at = (ms: number) => ({ time: String(ms / 1000) });
    const ask = async (name: string, ms: number) =>
      (await query<{ result: { value: [number, string] }[] }>('query', { query: name, ...at(ms) })).result.map(
        ({ value }) => value[1],
      );
    expect(await ask('ended_gauge', nowMs - 1500)).toEqual(['1']);
    expect(await ask('ended_gauge', nowMs)).toEqual([]);
    expect(await ask('nan_gauge', nowMs)).toEqual(['NaN']);
  });

  it('keeps the exemplars of a sample', async () => {
    const timestampMs = Date.now();
    await send((builder) =>
      builder.addSampleWithExemplars(
        encodeLabels([
          ['__name__', 'latency_bucket'],
          ['le', '0.5'],
        ]),
        3,
        timestampMs,
        [{ labels: encodeExemplarLabels([['trace_id', 'abc123']]), value: 0.25, timestampMs }],
      ),
    );
    const found = await query<{ exemplars: { labels: object; value: string }[] }[]>('query_exemplars', {
      query: 'latency_bucket',
      start: String(timestampMs / 1000 - 60),
      end: String(timestampMs / 1000 + 60),
    });
    expect(found).toHaveLength(1);
    expect(found[0]!.exemplars).toMatchObject([{ labels: { trace_id: 'abc123' }, value: '0.25' }]);
  });
});
