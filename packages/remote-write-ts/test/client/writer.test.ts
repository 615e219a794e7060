// What a writer makes of a batch: the protocol, the fate of each point, the search for what a receiver refuses.

import { afterEach, describe, expect, it } from 'vitest';
import { createExemplar, createWriter, exponentialHistogram, type Point, SenderError } from '../../src/index.ts';
import { type Judge, type Mock, type MockSeries, oldReceiver, written } from './mock.ts';
import { mixture, NOW_MS, sample, samples, series } from './points.ts';
import { closeRigs, protocols, rig } from './writer-rig.ts';

const NONE = { samples: 0, histograms: 0, exemplars: 0 };

afterEach(closeRigs);
const names = (mock: Mock) => mock.requests.map((r) => r.series.map(({ labels }) => labels['__name__']!));

describe('agreeing on a protocol', () => {
  it('takes 2.0 and keeps it when the receiver says what it wrote', async () => {
    const { mock, writer } = await rig();
    expect(writer.protocol).toBeUndefined();
    const outcome = await writer.write(mixture());
    expect(outcome).toMatchObject({
      kind: 'settled',
      protocol: '2.0',
      requests: 1,
      sent: { samples: 2, histograms: 3, exemplars: 2 },
      failed: NONE,
      written: { samples: 2, histograms: 3, exemplars: 2 },
    });
    await writer.write(samples(3));
    expect(writer.protocol).toBe('2.0');
    expect(protocols(mock)).toEqual(['2.0', '2.0']);
  });

  it.each<[string, Judge]>([
    ['no Written headers in a 204', oldReceiver],
    ['no Written headers in a 200', () => ({ status: 200 })],
    ['a 415', ({ protocol }) => (protocol === '2.0' ? { status: 415 } : undefined)],
    ['a 400', ({ protocol }) => (protocol === '2.0' ? { status: 400, body: 'cannot decode' } : undefined)],
  ])('falls back to 1.0 at %s, with the same data, and remembers', async (_title, judge) => {
    const { mock, writer } = await rig(judge);
    const outcome = await writer.write(samples(3));
    expect(outcome).toMatchObject({
      kind: 'settled',
      protocol: '1.0',
      requests: 2,
      sent: { samples: 3 },
      failed: NONE,
    });
    expect(names(mock)[1]).toEqual(names(mock)[0]);
    await writer.write(samples(2));
    expect(protocols(mock)).toEqual(['2.0', '1.0', '1.0']);
    expect(writer.protocol).toBe('1.0');
  });

  it('drops custom buckets, and only them, where 1.0 is all there is', async () => {
    const { mock, writer } = await rig(oldReceiver);
    const outcome = await writer.write(mixture());
    expect(names(mock)).toEqual([
      ['a_total', 'b_total', 'c', 'd', 'e'],
      ['a_total', 'b_total', 'c', 'd'],
    ]);
    expect(outcome).toMatchObject({
      sent: { samples: 2, histograms: 2, exemplars: 2 },
      dropped: { custom_buckets: { samples: 0, histograms: 1, exemplars: 0 } },
    });
  });

  it('does not take a 400 about data for a lack of 2.0', async () => {
    const refusing: Judge = (r) => ({
      status: 400,
      headers: { ...written(r), 'x-prometheus-remote-write-samples-written': '2' },
    });
    const { mock, writer } = await rig(refusing);
    const outcome = await writer.write(samples(5));
    expect(writer.protocol).toBe('2.0');
    expect(outcome).toMatchObject({
      requests: 1,
      sent: { samples: 2 },
      failed: { samples: 3 },
      written: { samples: 2 },
    });
    mock.judge = () => ({ status: 400 });
    expect(await writer.write(samples(1))).toMatchObject({ requests: 1, failed: { samples: 1 } });
    expect(protocols(mock)).toEqual(['2.0', '2.0']);
  });

  it('learns nothing from a 400 to both, and asks twice at most', async () => {
    const { mock, writer } = await rig(() => ({ status: 400, body: 'no' }));
    const outcome = await writer.write(samples(50));
    expect(outcome).toMatchObject({ requests: 2, failed: { samples: 50 }, refusals: [{ status: 400, message: 'no' }] });
    expect(writer.protocol).toBeUndefined();
    await writer.write(samples(1));
    expect(protocols(mock)).toEqual(['2.0', '1.0', '2.0', '1.0']);
  });

  it('learns nothing from errors that say nothing about the protocol', async () => {
    for (const status of [401, 403, 404, 413]) {
      const { mock, writer } = await rig(() => ({ status }));
      expect(await writer.write(samples(2))).toMatchObject({ requests: 1, failed: { samples: 2 } });
      expect(writer.protocol).toBeUndefined();
      expect(protocols(mock)).toEqual(['2.0']);
    }
    const answers: Judge = ({ index }) => (index === 0 ? { status: 503 } : undefined);
    const { mock, writer } = await rig(answers);
    expect(await writer.write(samples(2))).toMatchObject({ requests: 1, attempts: 2, sent: { samples: 2 } });
    expect(protocols(mock)).toEqual(['2.0', '2.0']);
  });

  it('follows a receiver that is replaced by an older one, and tries 2.0 again after a while', async () => {
    const { mock, writer, clock } = await rig(undefined, { reprobeMs: 60_000 });
    await writer.write(samples(1));
    mock.judge = oldReceiver;
    expect(await writer.write(samples(1))).toMatchObject({ protocol: '1.0', requests: 2, sent: { samples: 1 } });
    clock.ms += 59_999;
    await writer.write(samples(1));
    clock.ms += 1;
    await writer.write(samples(1)); // still the older one
    await writer.write(samples(1));
    expect(protocols(mock)).toEqual(['2.0', '2.0', '1.0', '1.0', '2.0', '1.0', '1.0']);
    clock.ms += 60_000;
    mock.judge = () => undefined;
    await writer.write(samples(1));
    await writer.write(samples(1));
    expect(protocols(mock).slice(-2)).toEqual(['2.0', '2.0']);
  });

  it('keeps to the protocol that it is told', async () => {
    const one = await rig(undefined, { protocol: '1.0' });
    expect(await one.writer.write(samples(2))).toMatchObject({ protocol: '1.0', sent: { samples: 2 } });
    const two = await rig(oldReceiver, { protocol: '2.0' });
    const outcome = await two.writer.write(samples(2));
    expect(outcome).toMatchObject({ protocol: '2.0', requests: 1, sent: NONE, failed: { samples: 2 } });
    expect(outcome.refusals[0]!.message).toMatch(/Written/);
    expect(protocols(one.mock)).toEqual(['1.0']);
    expect(protocols(two.mock)).toEqual(['2.0']);
  });
});

describe('a refused 1.0 batch', () => {
  const poisons =
    (...poison: string[]): Judge =>
    (request) =>
      request.series.some(({ labels }) => poison.includes(labels['__name__']!))
        ? { status: 400, body: 'poison' }
        : undefined;

  it('costs only the series at fault, and its order is kept', async () => {
    const { mock, writer } = await rig(poisons('s613'), { protocol: '1.0' });
    const outcome = await writer.write(samples(2000));
    expect(outcome).toMatchObject({ sent: { samples: 1999 }, failed: { samples: 1 } });
    expect(outcome.refusals.map(({ points }) => points.map((p) => p.series.labels[0]![1]))).toEqual([['s613']]);
    expect(outcome.requests).toBeLessThanOrEqual(1 + 2 * 11);
    const stored = mock.requests.filter((r) => poisons('s613')(r) === undefined).flatMap((r) => r.series);
    expect(stored.map(({ labels }) => labels['__name__'])).toEqual(
      samples(2000).flatMap(({ series: { labels } }) => (labels[0]![1] === 's613' ? [] : [labels[0]![1]])),
    );
  });

  it('sends a series that was at fault apart from then on, until it is taken', async () => {
    const { mock, writer } = await rig(poisons('s3', 's40'), { protocol: '1.0' });
    await writer.write(samples(64));
    const before = mock.requests.length;
    expect(await writer.write(samples(64, NOW_MS + 1))).toMatchObject({
      sent: { samples: 62 },
      failed: { samples: 2 },
    });
    expect(names(mock).slice(before)).toEqual([expect.arrayContaining(['s0', 's63']), ['s3', 's40'], ['s3'], ['s40']]);
    mock.judge = () => undefined;
    await writer.write(samples(64, NOW_MS + 2));
    const healed = mock.requests.length;
    await writer.write(samples(64, NOW_MS + 3));
    expect(mock.requests).toHaveLength(healed + 1);
  });

  it('is split into so many requests at most', async () => {
    const bad = Array.from({ length: 500 }, (_, i) => `s${i * 2}`);
    const { mock, writer } = await rig(poisons(...bad), { protocol: '1.0', maxBisectRequests: 20 });
    const outcome = await writer.write(samples(1000));
    expect(outcome.requests).toBeLessThanOrEqual(21);
    expect(mock.requests).toHaveLength(outcome.requests);
    expect(outcome.sent.samples + outcome.failed.samples).toBe(1000);
  });

  it('is not split when the receiver refuses everything, from the second batch on', async () => {
    const { writer, mock } = await rig(() => ({ status: 400 }), { protocol: '1.0' });
    expect((await writer.write(samples(2000))).requests).toBeLessThan(30);
    expect(await writer.write(samples(2000))).toMatchObject({ requests: 1, failed: { samples: 2000 } });
    mock.judge = poisons('s1');
    await writer.write(samples(1));
    expect(await writer.write(samples(4))).toMatchObject({ sent: { samples: 3 }, failed: { samples: 1 } });
  });

  it('is not split when it is a repeat, when told never to, or for another status', async () => {
    const repeat = await rig(poisons('s1'), { protocol: '1.0' });
    expect(await repeat.writer.write(samples(9), { isRepeat: true })).toMatchObject({
      requests: 1,
      failed: { samples: 9 },
    });
    const never = await rig(poisons('s1'), { protocol: '1.0', maxBisectRequests: 0 });
    expect(await never.writer.write(samples(9))).toMatchObject({ requests: 1, failed: { samples: 9 } });
    const other = await rig(() => ({ status: 413 }), { protocol: '1.0' });
    expect(await other.writer.write(samples(9))).toMatchObject({ requests: 1, failed: { samples: 9 } });
  });

  it('is split after the fallback too, where 2.0 was only not understood', async () => {
    const { writer } = await rig((r) => (r.protocol === '2.0' ? { status: 204 } : poisons('s5')(r)));
    expect(await writer.write(samples(16))).toMatchObject({ sent: { samples: 15 }, failed: { samples: 1 } });
  });
});

describe('exemplars of one point', () => {
  it.each(['1.0', '2.0'] as const)('go in the order of their times and values, on %s', async (protocol) => {
    const { mock, writer } = await rig(undefined, { protocol });
    const exemplars = [
      [0.5, 0],
      [0.1, 0],
      [0.3, 0],
      [0.9, -1],
    ].map(([value, ms]) => createExemplar([['trace_id', `t${value}`]], value!, NOW_MS + ms!));
    const histogram = exponentialHistogram({ schema: 3, sum: 5, positive: [[1, 2]] });
    await writer.write([
      { kind: 'sample', series: series('a'), value: 1, timestampMs: NOW_MS, exemplars, startMs: NOW_MS - 9 },
      { kind: 'histogram', series: series('b'), histogram, timestampMs: NOW_MS, exemplars },
    ]);
    const [a, b] = mock.requests[0]!.series;
    for (const one of [a!, b!]) expect(one.exemplars.map(({ value }) => value)).toEqual([0.9, 0.1, 0.3, 0.5]);
    expect(a!.samples[0]!.startMs).toBe(protocol === '2.0' ? NOW_MS - 9 : 0);
    expect(exemplars.map(({ value }) => value)).toEqual([0.5, 0.1, 0.3, 0.9]);
  });
});

describe('a batch that is refused with a 500 for what the receiver will never take', () => {
  const isHistogram = ({ histograms }: MockSeries) => histograms.length > 0;
  const NOTHING = Object.fromEntries(
    ['samples', 'histograms', 'exemplars'].map((kind) => [`x-prometheus-remote-write-${kind}-written`, '0']),
  );
  const takesNone: Judge = ({ series: all }) =>
    all.some(isHistogram) ? { status: 500, body: 'native histograms are disabled\n', headers: NOTHING } : undefined;
  const tooOld: Judge = ({ series: all }) =>
    all.some(({ labels }) => labels['__name__'] === 's613')
      ? { status: 500, body: 'too old sample\n', headers: NOTHING }
      : undefined;

  it.each(['1.0', '2.0'] as const)('costs the others nothing where it takes no histograms, on %s', async (protocol) => {
    const { mock, writer, sleeps } = await rig(takesNone, { protocol });
    const histogram = exponentialHistogram({ schema: 3, sum: 5, positive: [[1, 2]] });
    const native = (name: string): Point => ({
      kind: 'histogram',
      series: series(name),
      histogram,
      timestampMs: NOW_MS,
    });
    const points = samples(20).flatMap((point, i) => [point, native(`h${i}`)]);
    for (let i = 0; i < 2; i++) {
      const outcome = await writer.write(points);
      expect(outcome).toMatchObject({ sent: { samples: 20 }, failed: { samples: 0, histograms: 20 }, requests: 3 });
      expect(outcome.refusals).toMatchObject([{ status: 500, message: 'native histograms are disabled\n' }]);
    }
    expect(sleeps).toEqual([]);
    expect(names(mock)[1]).toEqual(samples(20).map(({ series: { labels } }) => labels[0]![1]));
  });

  it.each(['1.0', '2.0'] as const)('costs only the series that is too old, on %s', async (protocol) => {
    const { writer, sleeps } = await rig(tooOld, { protocol });
    const outcome = await writer.write(samples(2_000));
    expect(outcome).toMatchObject({ sent: { samples: 1_999 }, failed: { samples: 1 } });
    expect(outcome.metadata).toEqual(protocol === '2.0' ? { sent: 1_999, failed: 1 } : { sent: 0, failed: 0 });
    expect(outcome.requests).toBeLessThanOrEqual(1 + 2 * 11);
    expect(sleeps).toEqual([]);
    expect(await writer.write(samples(2_000, NOW_MS + 1))).toMatchObject({ requests: 2, sent: { samples: 1_999 } });
  });
});

describe('the age limit', () => {
  it('drops what is too old before an attempt, and writes the request anew', async () => {
    const { mock, writer } = await rig(({ index }) => (index < 2 ? { status: 500 } : undefined), {
      sampleAgeLimitMs: 1000,
      minBackoffMs: 100,
    });
    const points = [sample('old', 1, NOW_MS - 1001), sample('ageing', 2, NOW_MS - 850), sample('fresh', 3, NOW_MS)];
    const outcome = await writer.write(points);
    expect(names(mock)).toEqual([['ageing', 'fresh'], ['ageing', 'fresh'], ['fresh']]);
    expect(outcome).toMatchObject({
      kind: 'settled',
      sent: { samples: 1 },
      dropped: { too_old: { samples: 2 } },
      attempts: 3,
    });
  });

  it('ends a retry when nothing is left', async () => {
    const { mock, writer, sleeps } = await rig(() => ({ status: 503 }), { sampleAgeLimitMs: 200 });
    const outcome = await writer.write(samples(3));
    expect(outcome).toMatchObject({ kind: 'settled', sent: NONE, failed: NONE, dropped: { too_old: { samples: 3 } } });
    expect(sleeps).toEqual([30, 60, 120]);
    expect(mock.requests).toHaveLength(3);
  });

  it('sends nothing of a batch that is too old from the start', async () => {
    const { mock, writer } = await rig(undefined, { sampleAgeLimitMs: 1000 });
    const outcome = await writer.write(samples(3, NOW_MS - 5000));
    expect(outcome).toMatchObject({ requests: 0, attempts: 0, dropped: { too_old: { samples: 3 } } });
    expect(outcome).not.toHaveProperty('protocol');
    expect(mock.requests).toHaveLength(0);
  });
});

describe('a write', () => {
  it('resends the same bytes, whatever the protocol', async () => {
    for (const protocol of ['1.0', '2.0'] as const) {
      const { mock, writer } = await rig(({ index }) => (index < 2 ? { status: 503 } : undefined), { protocol });
      await writer.write(protocol === '1.0' ? mixture().slice(0, 4) : mixture());
      const [first, ...others] = mock.requests.map(({ body }) => body);
      expect(others.map((body) => Buffer.compare(body, first!))).toEqual([0, 0]);
    }
  });

  it('that is aborted says what has no final fate', async () => {
    const stop = new AbortController();
    const { writer } = await rig(() => ({ status: 500 }), { sleep: async () => stop.abort() });
    const outcome = await writer.write(mixture(), { signal: stop.signal });
    expect(outcome).toMatchObject({
      kind: 'aborted',
      requests: 1,
      sent: NONE,
      failed: NONE,
      unsettled: { samples: 2, histograms: 3, exemplars: 2 },
    });
  });

  it('refuses 429 where it is told not to retry it', async () => {
    const { writer } = await rig(() => ({ status: 429 }), { retryOn429: false });
    expect(await writer.write(samples(2))).toMatchObject({ attempts: 1, failed: { samples: 2 } });
    const patient = await rig(({ index }) =>
      index === 0 ? { status: 429, headers: { 'retry-after': '7' } } : undefined,
    );
    expect(await patient.writer.write(samples(2))).toMatchObject({ attempts: 2, sent: { samples: 2 } });
    expect(patient.sleeps).toEqual([7000]);
  });

  it('of nothing does nothing', async () => {
    const { mock, writer } = await rig();
    expect(await writer.write([])).toMatchObject({ kind: 'settled', requests: 0 });
    expect(mock.requests).toHaveLength(0);
  });

  it('of points that share no order with a neighbour keeps each request whole', async () => {
    const { mock, writer } = await rig(undefined, { protocol: '2.0' });
    const one = series('one_total');
    await writer.write([sample(one, 1, NOW_MS), sample(one, 2, NOW_MS + 1), sample(one, 3, NOW_MS + 2)]);
    expect(mock.requests[0]!.series.flatMap((s) => s.samples.map(({ value }) => value))).toEqual([1, 2, 3]);
  });
});

describe('making a writer', () => {
  it('refuses options that cannot work', () => {
    const base = { url: 'http://127.0.0.1:9/', userAgent: 'test/1.0' };
    for (const bad of [
      { protocol: '3.0' as never },
      { reprobeMs: 0 },
      { sampleAgeLimitMs: -1 },
      { maxBisectRequests: 1.5 },
    ]) {
      expect(() => createWriter({ ...base, ...bad })).toThrow(SenderError);
    }
  });
});
