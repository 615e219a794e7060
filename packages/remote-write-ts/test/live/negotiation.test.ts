// Receivers that take one protocol only, by their own word: a 415 to the other one. A Prometheus without that switch takes only 1.0 and
// says so to nobody: then 2.0 comes back without Written headers.

import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { createSeries, createWriter, type ProtocolChoice, type Writer } from '../../src/index.ts';
import { abilitiesOf, findBinary, type Live, liveTitle, raw, startPrometheus } from './servers.ts';

const PROMETHEUS = findBinary('PROMETHEUS_BIN', 'prometheus');
const { speaks2 } = abilitiesOf(PROMETHEUS);
const SWITCH = '--web.remote-write-receiver.accepted-protobuf-messages';

describe.skipIf(!PROMETHEUS)(
  liveTitle('the protocols of a real Prometheus', PROMETHEUS, 'PROMETHEUS_BIN', 'prometheus'),
  () => {
    const lives = new Map<string, Live>();
    let writer: Writer | undefined;
    afterEach(() => writer?.close());
    afterAll(async () => {
      for (const live of lives.values()) await live.remove();
    });

    async function liveThatTakes(message: string): Promise<Live> {
      const flags = speaks2 ? [`${SWITCH}=${message}`] : [];
      const live = lives.get(message) ?? (await startPrometheus(PROMETHEUS!, '', { flags }));
      lives.set(message, live);
      return live;
    }

    async function writeTwice(live: Live, protocol: ProtocolChoice, name: string) {
      writer = createWriter({ url: `${live.base}/api/v1/write`, userAgent: 'remote-write-ts-test/0.1', protocol });
      const series = createSeries([['__name__', name]]);
      const nowMs = Date.now();
      const first = await writer.write([{ kind: 'sample', series, value: 1, timestampMs: nowMs - 1000 }]);
      const second = await writer.write([{ kind: 'sample', series, value: 2, timestampMs: nowMs }]);
      const values = (await raw(live.base, name, '1m', nowMs)).map(([, value]) => value);
      return { first, second, values };
    }

    it('are found out by `auto` where only 1.0 is taken, and nothing is lost', async () => {
      const live = await liveThatTakes('prometheus.WriteRequest');
      const { first, second, values } = await writeTwice(live, 'auto', 'auto_total');
      expect(first).toMatchObject({ protocol: '1.0', requests: 2, sent: { samples: 1 }, failed: { samples: 0 } });
      expect(second).toMatchObject({ protocol: '1.0', requests: 1, sent: { samples: 1 } });
      expect(values).toEqual([1, 2]);
    });

    it('are found out by `prefer_2.0` where that is said with a 415; elsewhere the loss is counted', async () => {
      const live = await liveThatTakes('prometheus.WriteRequest');
      const { first, second, values } = await writeTwice(live, 'prefer_2.0', 'preferred_total');
      if (speaks2) {
        expect(first).toMatchObject({ protocol: '1.0', requests: 2, sent: { samples: 1 }, failed: { samples: 0 } });
        expect(second).toMatchObject({ protocol: '1.0', requests: 1, sent: { samples: 1 } });
        expect(values).toEqual([1, 2]);
      } else {
        for (const outcome of [first, second]) {
          expect(outcome).toMatchObject({ protocol: '2.0', sent: { samples: 0 }, failed: { samples: 1 } });
          expect(outcome.refusals[0]!.message).toContain('no Written headers');
        }
        expect(values).toEqual([]);
      }
    });

    it('are as they were asked for, though the other one would have been taken', async () => {
      const live = await liveThatTakes('io.prometheus.write.v2.Request');
      const { first, values } = await writeTwice(live, 'auto', 'modern_total');
      expect(first).toMatchObject({ protocol: speaks2 ? '2.0' : '1.0', sent: { samples: 1 }, failed: { samples: 0 } });
      expect(values).toEqual([1, 2]);
      await writer!.close();
      const old = await writeTwice(live, '1.0', 'old_total');
      // Refused by the switch; the answer is final, 1.0 has nothing to fall back on.
      if (speaks2)
        expect(old.first).toMatchObject({ requests: 1, failed: { samples: 1 }, refusals: [{ status: 415 }] });
      else expect(old.first).toMatchObject({ requests: 1, sent: { samples: 1 }, refusals: [] });
    });
  },
);
