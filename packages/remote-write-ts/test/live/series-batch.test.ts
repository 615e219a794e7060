// Patched bodies against real receivers, which read them with their own snappy and protobuf: exact sums, push after push, and one
// series that is refused.

import { setTimeout } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  createSeries,
  createSeriesBatch,
  createWriter,
  type Protocol,
  type Series,
  type Writer,
} from '../../src/index.ts';
import { randomFrom } from '../batch/random.ts';
import {
  abilitiesOf,
  findBinary,
  instant,
  type Live,
  liveTitle,
  startPrometheus,
  startVictoriaMetrics,
} from './servers.ts';

const PROMETHEUS = findBinary('PROMETHEUS_BIN', 'prometheus');
const { speaks2 } = abilitiesOf(PROMETHEUS);
const VICTORIA = findBinary('VICTORIA_METRICS_BIN', 'victoria-metrics');
const SERIES = 5_000;
const GROUPS = 7;

function counters(name: string, count: number): Series[] {
  return Array.from({ length: count }, (_, i) =>
    createSeries(
      [
        ['__name__', name],
        ['group', String(i % GROUPS)],
        ['span_name', `GET /resource/${i >> 4}`],
        ['zone', 'zürich'],
        ['index', String(i)],
      ],
      { type: 'counter', help: 'Calls.' },
    ),
  );
}

/** Counts whose sums are exact, whatever the order in which they are added up. */
function counts(seed: number, count: number): Float64Array {
  const random = randomFrom(seed);
  return Float64Array.from({ length: count }, () => Math.floor(random() * 2 ** 33) / 8);
}

function sumsByGroup(values: Float64Array): Map<string, number> {
  const sums = new Map<string, number>();
  for (const [i, value] of values.entries()) sums.set(String(i % GROUPS), (sums.get(String(i % GROUPS)) ?? 0) + value);
  return sums;
}

function boundaries(count: number): number[] {
  const lastMs = Math.floor(Date.now() / 15_000) * 15_000 - 15_000;
  return Array.from({ length: count }, (_, k) => lastMs - (count - 1 - k) * 15_000);
}

function writerTo(live: Live): Writer {
  return createWriter({ url: `${live.base}/api/v1/write`, userAgent: 'remote-write-ts-test/0.1', maxBackoffMs: 200 });
}

/** What VictoriaMetrics took becomes visible a little later, and not all at once. */
async function untilVisible(live: Live, name: string, samples: number, atMs: number): Promise<void> {
  for (let i = 0; i < 50; i++) {
    await fetch(`${live.base}/internal/force_flush`);
    const seen = await instant(live.base, `sum(count_over_time(${name}[10m]))`, atMs);
    if (seen.get('') === samples) return;
    await setTimeout(100);
  }
}

async function expectExactSums(live: Live, writer: Writer, name: string, protocol: Protocol): Promise<void> {
  const batch = createSeriesBatch(writer, counters(name, SERIES));
  const pushes = boundaries(12).map((timestampMs, k) => ({ timestampMs, values: counts(k + 1, SERIES) }));
  const outcomes = await Promise.all(pushes.map(({ values, timestampMs }) => batch.push(values, timestampMs)));
  for (const outcome of outcomes) {
    expect(outcome).toMatchObject({ kind: 'settled', protocol, sent: { samples: SERIES }, refusals: [] });
    expect(outcome.written?.samples).toBe(protocol === '2.0' ? SERIES : undefined);
  }
  // Three for each push; to a receiver of 1.0 the first one goes twice, as it doesn't understand 2.0.
  expect(outcomes.map(({ requests }) => requests)).toEqual([
    protocol === '2.0' ? 3 : 4,
    ...Array.from({ length: 11 }, () => 3),
  ]);
  await untilVisible(live, name, SERIES * pushes.length, pushes.at(-1)!.timestampMs);
  for (const { values, timestampMs } of pushes) {
    expect(await instant(live.base, `sum by (group) (${name})`, timestampMs, 'group')).toEqual(sumsByGroup(values));
    expect(await instant(live.base, `count(${name})`, timestampMs)).toEqual(new Map([['', SERIES]]));
  }
}

describe.skipIf(!PROMETHEUS)(
  liveTitle('patched bodies and a real Prometheus', PROMETHEUS, 'PROMETHEUS_BIN', 'prometheus'),
  () => {
    let live: Live;
    let writer: Writer;

    beforeAll(async () => {
      live = await startPrometheus(PROMETHEUS!, 'exemplar-storage');
      writer = writerTo(live);
    });
    afterAll(async () => {
      await writer?.close();
      await live?.remove();
    });

    it('agree on the sum of each group at each time', async () => {
      await expectExactSums(live, writer, 'patched_total', speaks2 ? '2.0' : '1.0');
    });

    it('disagree on one series without harm to the others, and agree on it again', async () => {
      const name = 'poisoned_total';
      const series = counters(name, 300);
      const batch = createSeriesBatch(writer, series);
      const times = boundaries(6);
      // Somebody else is ahead of the batch by two boundaries: until then, samples of this series are out of order.
      await writer.write([{ kind: 'sample', series: series[123]!, value: 1, timestampMs: times[2]! }]);
      const asides: number[] = [];
      for (const [k, timestampMs] of times.entries()) {
        const values = counts(k + 100, 300);
        const outcome = await batch.push(values, timestampMs);
        const isRefused = k <= 2;
        expect(outcome.failed.samples, `boundary ${k}`).toBe(isRefused ? 1 : 0);
        asides.push(batch.asideCount);
        if (isRefused) values[123] = k === 2 ? 1 : 0;
        const sum = values.reduce((total, value) => total + value, 0);
        expect((await instant(live.base, `sum(${name})`, timestampMs)).get('')).toBe(sum);
      }
      // A receiver of 2.0 takes what is good of a request: nothing has to go apart.
      expect(asides).toEqual(speaks2 ? [0, 0, 0, 0, 0, 0] : [1, 1, 1, 0, 0, 0]);
    });
  },
);

describe.skipIf(!VICTORIA)(
  liveTitle('patched bodies and a real VictoriaMetrics', VICTORIA, 'VICTORIA_METRICS_BIN', 'victoria-metrics'),
  () => {
    let live: Live;
    let writer: Writer;

    beforeAll(async () => {
      live = await startVictoriaMetrics(VICTORIA!);
      writer = writerTo(live);
    });
    afterAll(async () => {
      await writer?.close();
      await live?.remove();
    });

    it('agree on the sum of each group at each time', async () => {
      await expectExactSums(live, writer, 'patched_total', '1.0');
    });
  },
);
