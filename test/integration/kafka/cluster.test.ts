// Three brokers, one of which is killed in the middle of everything.

import { afterEach, expect, it } from 'vitest';
import { describeWithKafka, useBroker } from './broker.ts';
import { Collector, closeAll, fromStart, open, until } from './support.ts';

describeWithKafka(
  'a cluster that loses a broker',
  () => {
    const broker = useBroker(() => ['--nodes', '3', '--heap', '256m']);
    afterEach(closeAll);

    it('goes on with reading, writing and committing, each record once', { timeout: 120_000 }, async () => {
      const topic = await broker.createTopic(3);
      const group = { id: `g-${topic}`, shards: { count: 1, own: [0] }, sessionTimeoutMs: 6_000 };
      const { log } = await open(broker.brokers, topic, { group });
      const seen = new Collector();
      log.consume(fromStart(log), seen);
      let made = 0;
      const append = async (count: number) => {
        for (let i = 0; i < count; i++) {
          const text = `r${made++}`;
          await log.append(
            [0, 1, 2].map((partition) => ({
              partition,
              tenant: 'a',
              encoding: 'otlp' as const,
              bytes: Buffer.from(text),
            })),
          );
        }
      };
      await append(10);
      await until('the first records', () => seen.records.length === 30);
      // With three partitions on three brokers, each leads one.
      await broker.stop('kill', 1);
      await append(10);
      await until('records after the crash', () => seen.records.length === 60);
      expect(
        await log.fence!.commit({
          claim: 1,
          tMs: 15_000,
          digest: 'd',
          offsets: [
            [0, 20],
            [1, 20],
            [2, 20],
          ],
        }),
      ).toBe('committed');
      await broker.start();
      await append(5);
      await until('records after its return', () => seen.records.length === 75);
      for (const partition of [0, 1, 2]) {
        expect(seen.offsets(partition)).toEqual(Array.from({ length: 25 }, (_, i) => i));
        const texts = seen.records.filter((record) => record.partition === partition).map(({ text }) => text);
        expect(texts).toEqual(Array.from({ length: 25 }, (_, i) => `r${i}`));
      }
      expect(seen.errors).toEqual([]);
      expect(await log.fence!.commit({ claim: 1, tMs: 30_000, digest: 'd', offsets: [[0, 25]] })).toBe('committed');
    });
  },
  'own',
);
