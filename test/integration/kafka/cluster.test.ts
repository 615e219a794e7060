// Three brokers, one of which is killed in the middle of everything.

import { afterEach, expect, it } from 'vitest';
import { plainSpan, requestBytes } from '../../fold/spans.ts';
import { Spanmill } from '../support/spanmill.ts';
import { describeWithKafka, useBroker } from './broker.ts';
import { Collector, closeAll, fromStart, open, until } from './support.ts';

let spans = 0;

function request(name: string): Buffer {
  const endNs = BigInt(Date.now()) * 1_000_000n;
  const id = (++spans).toString(16).padStart(16, '0');
  const span = plainSpan({ name, trace: id + id, id, startNs: endNs - 1_000_000n, endNs });
  return Buffer.from(requestBytes([{ resource: [['service.name', 'shop']], spans: [span] }]));
}

/** Counted calls of a span name. */
async function calls(spanmill: Spanmill, name: string): Promise<number> {
  const text = await spanmill.spanMetrics();
  const found = new RegExp(`^traces_spanmetrics_calls_total\\{.*span_name="${name}".*\\} (\\d+)`, 'm').exec(text);
  return Number(found?.[1] ?? 0);
}

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

    it('does not let partitions without a leader hold up the others', { timeout: 120_000 }, async () => {
      const topic = await broker.createTopic(3, { 'min.insync.replicas': '1' }, 1);
      const record = (partition: number, text: string) => ({
        partition,
        tenant: 'a',
        encoding: 'otlp' as const,
        bytes: Buffer.from(text),
      });
      const writer = await open(broker.brokers, topic);
      await writer.log.append([0, 1, 2].map((partition) => record(partition, 'before')));
      const admin = broker.kafka().admin();
      await admin.connect();
      const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
      await admin.disconnect();
      const leaders = new Map(topics[0]!.partitions.map(({ partitionId, leader }) => [partitionId, leader]));
      const lame = [...leaders].find(([, leader]) => leader === 2)![0];
      const others = [0, 1, 2].filter((partition) => partition !== lame);
      await broker.stop('kill', 2);
      const waiting = writer.log.append([record(lame, 'after')]);
      await writer.log.append(others.map((partition) => record(partition, 'after')));
      // Opened while that partition has no leader.
      const { log } = await open(broker.brokers, topic);
      const seen = new Collector();
      log.consume(fromStart(log), seen);
      await until('what can be read', () => seen.records.length === 4);
      expect(log.partitionIds()).toEqual([0, 1, 2]);
      for (const partition of others) expect(seen.offsets(partition)).toEqual([0, 1]);
      await broker.start();
      await waiting;
      await until('the rest', () => seen.records.length === 6);
      expect(seen.offsets(lame)).toEqual([0, 1]);
      expect(seen.errors).toEqual([]);
    });

    it('starts and goes on, names a partition without a leader, and counts it when it has one', {
      timeout: 240_000,
    }, async () => {
      const topic = await broker.createTopic(3, { 'min.insync.replicas': '1' }, 1);
      const { log } = await open(broker.brokers, topic);
      const write = (partition: number, name: string) =>
        log.append([{ partition, tenant: 'a', encoding: 'otlp', bytes: request(name) }]);
      await Promise.all([0, 1, 2].map((partition) => write(partition, 'before')));
      const { topics } = await broker.admin().fetchTopicMetadata({ topics: [topic] });
      const lame = topics[0]!.partitions.find(({ leader }) => leader === 2)!.partitionId;
      const others = [0, 1, 2].filter((partition) => partition !== lame);
      await broker.stop('kill', 2);
      const spanmill = await Spanmill.start({
        log: `{ kind: kafka, kafka: { brokers: ["${broker.brokers.join('", "')}"], topic: ${topic}, consumer_group: of-${topic}, encoding: otlp, start: earliest } }`,
      });
      try {
        // A first start: it does without it.
        await until('the others', async () => (await calls(spanmill, 'before')) === 2);
        expect(spanmill.log).toMatch(new RegExp(`"partition":${lame},.*"msg":"a partition can not be reached`));
        await broker.start();
        await until('the third one', async () => (await calls(spanmill, 'before')) === 3);
        // With a position of it in the ledger it starts all the same.
        await broker.stop('kill', 2);
        await spanmill.kill();
        await spanmill.resume();
        await Promise.all(others.map((partition) => write(partition, 'while it is away')));
        await broker.start();
        await write(lame, 'while it is away');
        await until('all records', async () => (await calls(spanmill, 'while it is away')) === 3, 90_000);
        expect(await calls(spanmill, 'before')).toBe(3);
        expect(await spanmill.stop()).toBe(0);
      } finally {
        await spanmill.remove();
      }
    });
  },
  'own',
);
