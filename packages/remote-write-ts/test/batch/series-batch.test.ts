import { afterEach, describe, expect, it } from 'vitest';
import {
  BatchError,
  createSeries,
  createSeriesBatch,
  createWriter,
  type Point,
  SenderError,
  type Series,
  type Writer,
  type WriterOptions,
} from '../../src/index.ts';
import {
  closeMocks,
  type Judge,
  type Mock,
  type MockRequest,
  oldReceiver,
  startMock,
  written,
} from '../client/mock.ts';
import { NOW_MS } from '../client/points.ts';

const writers: Writer[] = [];

afterEach(async () => {
  for (const writer of writers.splice(0)) await writer.close();
  await closeMocks();
});

async function setUp(judge: Judge, options: Partial<WriterOptions> = {}): Promise<{ mock: Mock; writer: Writer }> {
  const mock = await startMock(judge);
  const writer = createWriter({ url: mock.url, userAgent: 'test/1', ...options });
  writers.push(writer);
  return { mock, writer };
}

function counters(count: number): Series[] {
  return Array.from({ length: count }, (_, i) =>
    createSeries(
      [
        ['__name__', 'calls_total'],
        ['index', String(i)],
      ],
      { type: 'counter', help: 'Calls.' },
    ),
  );
}

function values(count: number, first = 0): Float64Array {
  return Float64Array.from({ length: count }, (_, i) => first + i);
}

/** What a request holds, as `index: value at time`. */
function contents({ series }: MockRequest): string[] {
  return series.map(({ labels, samples }) => `${labels['index']}: ${samples[0]!.value} at ${samples[0]!.timestampMs}`);
}

function indexes({ series }: MockRequest): number[] {
  return series.map(({ labels }) => Number(labels['index']));
}

function expected(indexes: readonly number[], first: number, timestampMs: number): string[] {
  return indexes.map((i) => `${i}: ${first + i} at ${timestampMs}`);
}

function upTo(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i);
}

/** Knows only 1.0 and refuses requests that hold one of these series. */
function refusing(poison: ReadonlySet<number>): Judge {
  return (request) => {
    if (request.protocol === '2.0') return { status: 204 };
    const isPoisoned = request.series.some(({ labels }) => poison.has(Number(labels['index'])));
    return isPoisoned ? { status: 400, body: 'out of bounds' } : { status: 204 };
  };
}

describe('a batch of series', () => {
  it('sends each push as one request of 2.0 with metadata and starts, and says what was written', async () => {
    const { mock, writer } = await setUp(() => undefined);
    const batch = createSeriesBatch(writer, counters(5), { startMs: [0, 1000, 2000, 3000, 4000] });
    for (const push of [0, 1, 2]) {
      const outcome = await batch.push(values(5, push * 10), NOW_MS + push);
      expect(outcome).toMatchObject({ kind: 'settled', protocol: '2.0', requests: 1, sent: { samples: 5 } });
      expect(outcome.metadata.sent).toBe(5);
    }
    expect(mock.requests.map(contents)).toEqual([0, 1, 2].map((push) => expected(upTo(5), push * 10, NOW_MS + push)));
    expect(mock.requests[2]!.series.map(({ samples }) => samples[0]!.startMs)).toEqual([0, 1000, 2000, 3000, 4000]);
    expect(mock.requests[2]!.series[4]!.metadata).toEqual({ type: 'COUNTER', help: 'Calls.', unit: '' });
  });

  it('sends as 1.0 what a receiver does not understand as 2.0, and from then on at once', async () => {
    const { mock, writer } = await setUp(oldReceiver);
    const batch = createSeriesBatch(writer, counters(3));
    expect(await batch.push(values(3), NOW_MS)).toMatchObject({ protocol: '1.0', requests: 2, sent: { samples: 3 } });
    expect(await batch.push(values(3, 7), NOW_MS + 1)).toMatchObject({ requests: 1, sent: { samples: 3 } });
    expect(mock.requests.map(({ protocol }) => protocol)).toEqual(['2.0', '1.0', '1.0']);
    expect(contents(mock.requests[2]!)).toEqual(expected(upTo(3), 7, NOW_MS + 1));
  });

  it('goes back to 2.0, with metadata and starts, when the receiver has learnt it', async () => {
    let isOld = true;
    let nowMs = NOW_MS;
    const { mock, writer } = await setUp((request) => (isOld ? oldReceiver(request) : undefined), {
      reprobeMs: 1000,
      now: () => nowMs,
    });
    const batch = createSeriesBatch(writer, counters(2), { startMs: [5, 6] });
    await batch.push(values(2), NOW_MS);
    isOld = false;
    nowMs += 2000;
    await batch.push(values(2), NOW_MS + 1); // tries 2.0
    await batch.push(values(2, 3), NOW_MS + 2);
    const last = mock.requests.at(-1)!;
    expect(last.protocol).toBe('2.0');
    expect(contents(last)).toEqual(expected(upTo(2), 3, NOW_MS + 2));
    expect(last.series.map(({ samples }) => samples[0]!.startMs)).toEqual([5, 6]);
    expect(last.series[0]!.metadata!.help).toBe('Calls.');
  });

  it('loses no more than the one series that a 1.0 receiver refuses', async () => {
    const { mock, writer } = await setUp(refusing(new Set([37])));
    const batch = createSeriesBatch(writer, counters(100));
    const first = await batch.push(values(100), NOW_MS);
    expect(first).toMatchObject({ kind: 'settled', sent: { samples: 99 }, failed: { samples: 1 } });
    const stored = new Set(
      mock.requests.filter((r) => !contents(r).some((c) => c.startsWith('37:'))).flatMap(contents),
    );
    expect([...stored].filter((c) => c.endsWith(String(NOW_MS)))).toHaveLength(100 - 1);
  });

  it('sends that series apart from then on: two requests a push, of which one is refused', async () => {
    const { mock, writer } = await setUp(refusing(new Set([37])));
    const batch = createSeriesBatch(writer, counters(100));
    await batch.push(values(100), NOW_MS);
    expect(batch.asideCount).toBe(1);
    const before = mock.requests.length;
    const outcome = await batch.push(values(100, 1000), NOW_MS + 1);
    expect(outcome).toMatchObject({ requests: 2, sent: { samples: 99 }, failed: { samples: 1 } });
    expect(mock.requests.slice(before).map(contents)).toEqual([
      expected(
        upTo(100).filter((i) => i !== 37),
        1000,
        NOW_MS + 1,
      ),
      expected([37], 1000, NOW_MS + 1),
    ]);
  });

  it('takes it back when the receiver takes it, but not the others that are still refused', async () => {
    const poison = new Set([3, 8]);
    const { mock, writer } = await setUp(refusing(poison));
    const batch = createSeriesBatch(writer, counters(10));
    await batch.push(values(10), NOW_MS);
    expect(batch.asideCount).toBe(2);
    poison.delete(3);
    const outcome = await batch.push(values(10), NOW_MS + 1);
    expect(outcome).toMatchObject({ sent: { samples: 9 }, failed: { samples: 1 } });
    expect(batch.asideCount).toBe(1);
    poison.clear();
    await batch.push(values(10), NOW_MS + 2);
    expect(batch.asideCount).toBe(0);
    const before = mock.requests.length;
    expect(await batch.push(values(10, 50), NOW_MS + 3)).toMatchObject({ requests: 1, sent: { samples: 10 } });
    expect(contents(mock.requests[before]!)).toEqual(expected(upTo(10), 50, NOW_MS + 3));
  });

  it.each([1_000, 40])(
    'takes back exactly what has healed of many, in parts of %i series',
    async (maxSamplesPerSend) => {
      const poison = new Set(Array.from({ length: 30 }, (_, i) => i * 5 + (i % 3)));
      const healed = [...poison].filter((_, i) => i % 5 < 2);
      const { mock, writer } = await setUp(refusing(poison));
      const batch = createSeriesBatch(writer, counters(160), { maxSamplesPerSend });
      let timestampMs = NOW_MS;
      const pushUntil = async (asideCount: number) => {
        for (let push = 0; push < 20 && batch.asideCount !== asideCount; push++) {
          await batch.push(values(160), ++timestampMs);
        }
        expect(batch.asideCount).toBe(asideCount);
      };
      await pushUntil(30);
      for (const index of healed) poison.delete(index);
      await pushUntil(30 - healed.length);
      expect(healed).toHaveLength(12);
      const before = mock.requests.length;
      expect(await batch.push(values(160), ++timestampMs)).toMatchObject({
        sent: { samples: 160 - 18 },
        failed: { samples: 18 },
      });
      const bodies = mock.requests.slice(before).filter(({ series }) => series.length > 18);
      expect(bodies).toHaveLength(Math.ceil(160 / maxSamplesPerSend));
      expect(bodies.flatMap(indexes)).toEqual(upTo(160).filter((i) => !poison.has(i)));
      expect(batch.asideCount).toBe(18);
    },
  );

  it.each([0, 11, 22, 33, 39])('finds the one of forty that has healed, wherever it stands (%i)', async (place) => {
    const poison = new Set(upTo(40).map((i) => i * 4));
    const { writer } = await setUp(refusing(poison));
    const batch = createSeriesBatch(writer, counters(160));
    let timestampMs = NOW_MS;
    for (let push = 0; push < 20 && batch.asideCount < 40; push++) await batch.push(values(160), ++timestampMs);
    expect(batch.asideCount).toBe(40);
    poison.delete(place * 4);
    for (let push = 0; push < 20 && batch.asideCount === 40; push++) await batch.push(values(160), ++timestampMs);
    expect(batch.asideCount).toBe(39);
  });

  it('searches a body for another series at fault though all that are set aside are refused again', async () => {
    const poison = new Set(upTo(20).map((i) => i * 4));
    const { writer } = await setUp(refusing(poison));
    const batch = createSeriesBatch(writer, counters(160));
    for (let push = 0; push < 10; push++) await batch.push(values(160), NOW_MS + push);
    expect(batch.asideCount).toBe(20);
    poison.add(159);
    expect(await batch.push(values(160), NOW_MS + 10)).toMatchObject({
      sent: { samples: 139 },
      failed: { samples: 21 },
    });
    expect(batch.asideCount).toBe(21);
  });

  it('tells who pushes of every point that was refused', async () => {
    const poison = new Set(upTo(25).map((i) => i * 2));
    const { writer } = await setUp(refusing(poison));
    const batch = createSeriesBatch(writer, counters(60), { maxSamplesPerSend: 20 });
    const refused: Point[] = [];
    const onRefused = (points: readonly Point[]) => refused.push(...points);
    const { failed } = await batch.push(values(60), NOW_MS, { onRefused });
    expect(failed.samples).toBeGreaterThanOrEqual(25);
    expect(refused).toHaveLength(failed.samples);
  });

  it('sets nothing aside for a receiver that refuses everything', async () => {
    const { writer } = await setUp(refusing(new Set(upTo(6))));
    const batch = createSeriesBatch(writer, counters(6));
    for (const push of [0, 1]) {
      expect(await batch.push(values(6), NOW_MS + push)).toMatchObject({
        sent: { samples: 0 },
        failed: { samples: 6 },
      });
    }
    expect(batch.asideCount).toBe(0);
  });

  it('leaves the good part of a 2.0 request alone', async () => {
    const { mock, writer } = await setUp((request) => ({
      status: 400,
      headers: { ...written(request), 'x-prometheus-remote-write-samples-written': '4' },
      body: 'one is bad',
    }));
    const batch = createSeriesBatch(writer, counters(5));
    const outcome = await batch.push(values(5), NOW_MS);
    expect(outcome).toMatchObject({ requests: 1, sent: { samples: 4 }, failed: { samples: 1 } });
    expect(mock.requests).toHaveLength(1);
    expect(batch.asideCount).toBe(0);
  });

  it('is cut into requests of no more than so many samples, and adds up what came of them', async () => {
    const { mock, writer } = await setUp((request) => ({ status: 204, headers: written(request) }));
    const batch = createSeriesBatch(writer, counters(25), { maxSamplesPerSend: 10, startMs: upTo(25) });
    const outcome = await batch.push(values(25), NOW_MS);
    expect(outcome).toMatchObject({ requests: 3, attempts: 3, sent: { samples: 25 }, written: { samples: 25 } });
    expect(mock.requests.map(({ series }) => series.length)).toEqual([10, 10, 5]);
    expect(mock.requests.flatMap(contents)).toEqual(expected(upTo(25), 0, NOW_MS));
    expect(mock.requests.flatMap(({ series }) => series.map(({ samples }) => samples[0]!.startMs))).toEqual(upTo(25));
  });

  it('has one request on its way at a time, and keeps pushes in order through retries', async () => {
    let underWay = 0;
    let most = 0;
    let failures = 2;
    const { mock, writer } = await setUp(
      async (request) => {
        most = Math.max(most, ++underWay);
        await new Promise(setImmediate);
        underWay--;
        if (failures-- > 0) return { status: 503 };
        return { status: 204, headers: written(request) };
      },
      { sleep: async () => {} },
    );
    const batch = createSeriesBatch(writer, counters(4), { maxSamplesPerSend: 2 });
    const given = values(4);
    const pushes = upTo(5).map((push) => {
      given.fill(push);
      return batch.push(given, NOW_MS + push); // copied: the array is used again at once
    });
    const outcomes = await Promise.all(pushes);
    expect(most).toBe(1);
    expect(outcomes.map(({ attempts }) => attempts)).toEqual([4, 2, 2, 2, 2]);
    const stored = mock.requests.slice(2).map(contents);
    expect(stored).toEqual(
      upTo(5).flatMap((push) => [
        [`0: ${push} at ${NOW_MS + push}`, `1: ${push} at ${NOW_MS + push}`],
        [`2: ${push} at ${NOW_MS + push}`, `3: ${push} at ${NOW_MS + push}`],
      ]),
    );
  });

  it('refuses a push too many, and takes one again when another has its outcome', async () => {
    const { mock, writer } = await setUp(() => undefined);
    const batch = createSeriesBatch(writer, counters(2), { maxPending: 2 });
    const first = batch.push(values(2), NOW_MS);
    const second = batch.push(values(2), NOW_MS + 1);
    await expect(batch.push(values(2), NOW_MS + 2)).rejects.toMatchObject({ name: 'BatchError', code: 'busy' });
    await Promise.all([first, second]);
    await batch.push(values(2), NOW_MS + 3);
    expect(mock.requests).toHaveLength(3);
  });

  it('ends a push as aborted by its signal, and goes on with the next', async () => {
    let isHanging = true;
    const { mock, writer } = await setUp((request) =>
      isHanging ? 'hang' : { status: 204, headers: written(request) },
    );
    const batch = createSeriesBatch(writer, counters(4), { maxSamplesPerSend: 2 });
    const stop = new AbortController();
    const aborted = batch.push(values(4), NOW_MS, { signal: stop.signal });
    const next = batch.push(values(4, 9), NOW_MS + 1);
    await mock.arrived(1);
    isHanging = false;
    stop.abort();
    expect(await aborted).toMatchObject({ kind: 'aborted', unsettled: { samples: 4 } });
    expect(await next).toMatchObject({ kind: 'settled', sent: { samples: 4 } });
  });

  it('drops a push that is too old, and counts it', async () => {
    const { mock, writer } = await setUp(() => undefined, { sampleAgeLimitMs: 1000, now: () => NOW_MS });
    const batch = createSeriesBatch(writer, counters(3));
    expect((await batch.push(values(3), NOW_MS - 1001)).dropped.too_old.samples).toBe(3);
    expect(mock.requests).toHaveLength(0);
  });

  it('rejects a push that no request could carry before anything of it is sent', async () => {
    const { mock, writer } = await setUp(() => undefined);
    const batch = createSeriesBatch(writer, counters(4), { maxSamplesPerSend: 2, startMs: [0, 0, 0, NOW_MS] });
    await expect(batch.push(values(3), NOW_MS)).rejects.toBeInstanceOf(BatchError);
    await expect(batch.push(values(4), 1.5)).rejects.toBeInstanceOf(RangeError);
    await expect(batch.push(values(4), NOW_MS - 1)).rejects.toBeInstanceOf(RangeError);
    expect(mock.requests).toHaveLength(0);
  });

  it('refuses options that can not work, and the same series twice, in whichever requests they would go', () => {
    const writer = createWriter({ url: 'http://localhost:1/', userAgent: 'test/1' });
    writers.push(writer);
    const twice = [...counters(3), counters(1)[0]!];
    expect(() => createSeriesBatch(writer, twice, { maxSamplesPerSend: 2 })).toThrow(BatchError);
    expect(() => createSeriesBatch(writer, [])).toThrow(BatchError);
    expect(() => createSeriesBatch(writer, counters(2), { startMs: [1] })).toThrow(BatchError);
    expect(() => createSeriesBatch(writer, counters(2), { maxSamplesPerSend: 0 })).toThrow(SenderError);
    expect(() => createSeriesBatch(writer, counters(2), { startMs: [1, Number.NaN] })).toThrow(RangeError);
  });
});
