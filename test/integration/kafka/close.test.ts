// Closing against a real broker: at any moment, whatever is under way, and nothing stays behind. No limit here reaches the times after
// which requests and sessions end by themselves (30 s).

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterEach, expect, it } from 'vitest';
import type { KafkaLogOptions } from '../../../src/log/index.ts';
import { describeWithKafka, useBroker } from './broker.ts';
import { Collector, closeAll, fromStart, open, until } from './support.ts';

const OTLP = Buffer.from([0x0a, 1, 1]);
const record = { partition: 0, tenant: 'a', encoding: 'otlp' as const, bytes: OTLP };
const entry = (claim: number, tMs: number) => ({
  claim,
  tMs,
  digest: 'd',
  offsets: [[0, 1]] as [number, number][],
});

describeWithKafka(
  'a Kafka log that is closed',
  () => {
    const broker = useBroker();
    afterEach(closeAll);
    const group = (topic: string): Partial<KafkaLogOptions> => ({
      group: { id: `g-${topic}`, shards: { count: 1, own: [0] } },
    });

    it('answers all that is under way while its broker stands still', { timeout: 15_000 }, async () => {
      const topic = await broker.createTopic(1);
      const { log } = await open(broker.brokers, topic, group(topic));
      const seen = new Collector();
      log.consume(fromStart(log), seen);
      await log.append([record]);
      await until('the record', () => seen.records.length === 1);
      expect(await log.fence!.commit(entry(1, 1))).toBe('committed');
      broker.freeze();
      try {
        const waiting = [
          log.append([record]),
          log.fence!.committed(),
          log.bounds(0),
          log.identify(0, 0),
          log.startOffset(0),
        ].map((promise) => promise.then(() => 'done').catch((error) => error.code));
        const commit = log.fence!.commit(entry(1, 2));
        await log.close();
        expect(await Promise.all(waiting)).toEqual(Array(5).fill('log_closed'));
        expect(await commit).toBe('refused');
        await expect(log.append([record])).rejects.toMatchObject({ code: 'log_closed' });
        await expect(log.regain()).rejects.toMatchObject({ code: 'log_closed' });
        expect(() => log.consume(fromStart(log), seen)).toThrow(/closed/);
      } finally {
        broker.thaw();
      }
    });

    it('need not wait for its turn in the group, and leaves it', { timeout: 15_000 }, async () => {
      const topic = await broker.createTopic(1);
      const owner = await open(broker.brokers, topic, group(topic));
      const abort = new AbortController();
      const standby = open(broker.brokers, topic, { ...group(topic), signal: abort.signal });
      const members = async () => (await broker.admin().describeGroups([`g-${topic}`])).groups[0]!.members.length;
      standby.catch(() => undefined);
      await until('two members', async () => (await members()) === 2);
      abort.abort();
      await expect(standby).rejects.toMatchObject({ code: 'log_closed' });
      await until('one member', async () => (await members()) === 1);
      expect(await owner.log.fence!.commit(entry(1, 1))).toBe('committed');
      await owner.log.close();
      await until('no member', async () => (await members()) === 0);
    });

    it('lets its process end by itself', { timeout: 30_000 }, async () => {
      const topic = await broker.createTopic(2);
      const script = `
        import { openKafkaLog } from ${JSON.stringify(new URL('../../../src/log/kafka/index.ts', import.meta.url).href)};
        const log = await openKafkaLog({
          brokers: ${JSON.stringify(broker.brokers)}, topic: ${JSON.stringify(topic)}, encoding: 'otlp',
          isTenantId: () => true, start: 'earliest', now: Date.now, group: ${JSON.stringify(group(topic).group)},
        });
        const read = Promise.withResolvers();
        const consumer = log.consume(new Map([[0, 0], [1, 0]]), { onBatch: read.resolve, onEnd() {}, onError: read.reject });
        consumer.pause(1);
        await log.append([{ partition: 0, tenant: 'a', encoding: 'otlp', bytes: Buffer.from([10, 1, 1]) }]);
        await read.promise;
        await log.fence.commit({ claim: 1, tMs: 1, digest: 'd', offsets: [[0, 1]] });
        await log.close();
        console.log('closed');
      `;
      const child = spawn(process.execPath, ['--conditions=source', '--input-type=module', '--eval', script], {
        cwd: new URL('../../../', import.meta.url).pathname,
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      let output = '';
      for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (output += text));
      try {
        const [code] = await once(child, 'close');
        expect([output.trim(), code]).toEqual(['closed', 0]);
      } finally {
        child.kill('SIGKILL');
      }
    });

    it('says that nobody is there when the broker is gone, as often as it is opened', { timeout: 60_000 }, async () => {
      const topic = await broker.createTopic(1);
      await broker.stop('kill');
      try {
        for (let i = 0; i < 2; i++)
          await expect(open(broker.brokers, topic, group(topic))).rejects.toMatchObject({ code: 'log_unavailable' });
      } finally {
        await broker.start();
      }
      const { log } = await open(broker.brokers, topic, group(topic));
      expect(log.partitionIds()).toEqual([0]);
    });
  },
  'own',
);
