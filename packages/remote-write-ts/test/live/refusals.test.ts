// What real receivers refuse for good though they say 500, which is to be tried again: it must cost neither the rest of the batch nor
// what comes behind it. Which of them do so depends on their version; the outcome must not.

import { afterEach, describe, expect, it } from 'vitest';
import { createSeries, createWriter, exponentialHistogram, type Point, type Writer } from '../../src/index.ts';
import { findBinary, instant, type Live, liveTitle, type PrometheusOptions, raw, startPrometheus } from './servers.ts';

const PROMETHEUS = findBinary('PROMETHEUS_BIN', 'prometheus');
const WINDOW = 'global: {}\nstorage: { tsdb: { out_of_order_time_window: 10m } }\n';
const PROTOCOLS = ['auto', '1.0'] as const;

describe.skipIf(!PROMETHEUS)(
  liveTitle('what a real Prometheus never takes', PROMETHEUS, 'PROMETHEUS_BIN', 'prometheus'),
  () => {
    let live: Live;
    let writer: Writer;
    afterEach(async () => {
      await writer?.close();
      await live?.remove();
    });

    async function start(protocol: (typeof PROTOCOLS)[number], features: string, options?: PrometheusOptions) {
      live = await startPrometheus(PROMETHEUS!, features, options);
      writer = createWriter({ url: `${live.base}/api/v1/write`, userAgent: 'remote-write-ts-test/0.1', protocol });
    }

    const sample = (name: string, timestampMs: number): Point => {
      return { kind: 'sample', series: createSeries([['__name__', name]]), value: 1, timestampMs };
    };
    const native = (name: string, timestampMs: number): Point => {
      const histogram = exponentialHistogram({ schema: 3, sum: 5, positive: [[1, 2]] });
      return { kind: 'histogram', series: createSeries([['__name__', name]]), histogram, timestampMs };
    };

    it.each(PROTOCOLS)(
      'leaves the samples of the same batch alone where it takes no histograms, on %s',
      async (protocol) => {
        await start(protocol, '');
        const nowMs = Date.now();
        const outcome = await writer.write([sample('a', nowMs), native('b', nowMs), sample('c', nowMs)]);
        expect(outcome).toMatchObject({ kind: 'settled', sent: { samples: 2 }, failed: { samples: 0 } });
        const stored = (await raw(live.base, 'b', '1m', nowMs)).length;
        expect([outcome.sent.histograms, outcome.failed.histograms]).toEqual([stored, 1 - stored]);
        expect((await instant(live.base, '{__name__=~"a|c"}', nowMs)).size).toBe(2);
      },
    );

    it.each(PROTOCOLS)(
      'is older than its out-of-order window, and the rest of the batch is stored, on %s',
      async (protocol) => {
        await start(protocol, 'native-histograms', { config: WINDOW });
        const nowMs = Date.now();
        const oldMs = nowMs - 3_600_000;
        await writer.write([sample('a', nowMs), native('b', nowMs)]);
        for (const old of [sample('a', oldMs), native('b', oldMs)]) {
          const others = ['c', 'd', 'e'].map((name) => sample(`${name}_${old.kind}`, nowMs));
          const outcome = await writer.write([...others, old]);
          expect(outcome).toMatchObject({ kind: 'settled', sent: { samples: 3, histograms: 0 } });
          expect(outcome.failed.samples + outcome.failed.histograms).toBe(1);
          expect(outcome.refusals).toHaveLength(1);
        }
      },
    );
  },
);
