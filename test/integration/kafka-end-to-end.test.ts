import { randomUUID } from 'node:crypto';
import { describe, expect, it, vi } from 'vitest';
import { describeWithKafka, useBroker } from './kafka/broker.ts';
import { type Account, generate } from './support/generate.ts';
import { Prometheus, prometheusBinary } from './support/prometheus.ts';
import { sameAsAccount } from './support/same-as-account.ts';
import { Spanmill } from './support/spanmill.ts';

vi.setConfig({ testTimeout: 150_000, hookTimeout: 180_000 });

const ENCODINGS = [
  'push-bytes',
  'otlp_proto',
  'otlp_json',
  'jaeger_proto',
  'jaeger_json',
  'zipkin_proto',
  'zipkin_json',
] as const;
const CODECS = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const;

const hasPrometheus = prometheusBinary() !== undefined;
const why = hasPrometheus ? '' : ' (SKIPPED: no prometheus binary; install it or set PROMETHEUS_BIN)';

describe.skipIf(!hasPrometheus)(`generate → Kafka → spanmill → Prometheus${why}`, () => {
  describeWithKafka('on a real broker', () => {
    const broker = useBroker();

    const generateTo = (topic: string, spans: number, seed: number, ...more: string[]) =>
      generate([
        ...['--kafka', broker.brokers.join(','), '--topic', topic],
        ...['--spans', String(spans), '--seed', String(seed), ...more],
      ]);

    /** What the test gets is stopped at its end, whatever happens. */
    async function running(
      kafka: string,
      test: (prometheus: Prometheus, spanmill: Spanmill) => Promise<void>,
    ): Promise<void> {
      const prometheus = await Prometheus.start();
      try {
        const spanmill = await Spanmill.start({
          remoteWrite: [prometheus.writeUrl],
          log: `{ kind: kafka, kafka: { brokers: ["${broker.brokers.join('", "')}"], consumer_group: "${randomUUID()}", ${kafka} } }`,
        });
        try {
          await test(prometheus, spanmill);
          expect(await spanmill.stop()).toBe(0);
        } finally {
          await spanmill.remove();
        }
      } finally {
        await prometheus.stop();
      }
    }

    it('tells every encoding and codec apart, keyed and not, and counts exactly what was acknowledged', async () => {
      const topic = await broker.createTopic(4);
      await running(`topic: ${topic}, encoding: auto, start: earliest`, async (prometheus) => {
        const runs = ENCODINGS.flatMap((encoding) => CODECS.map((codec) => ({ encoding, codec })));
        const accounts: Account[] = [];
        const worker = async () => {
          for (let next = runs.shift(); next; next = runs.shift()) {
            const keys = runs.length % 2 === 0 ? '--keyed' : '--unkeyed';
            const how = ['--encoding', next.encoding, '--codec', next.codec, keys, '--rate', '0'];
            accounts.push(await generateTo(topic, 300, runs.length + 1, ...how).account);
          }
        };
        await Promise.all([worker(), worker(), worker()]);
        expect(accounts.length).toBe(ENCODINGS.length * CODECS.length);
        await sameAsAccount(prometheus, sum(accounts));
      });
    });

    it.each(ENCODINGS)('reads a topic that is configured as %s', async (encoding) => {
      const topic = await broker.createTopic(4);
      await running(`topic: ${topic}, encoding: ${encoding}, start: earliest`, async (prometheus) => {
        const { account } = generateTo(topic, 400, 5, '--encoding', encoding, '--codec', 'snappy', '--rate', '0');
        await sameAsAccount(prometheus, await account);
      });
    });

    it('counts once through kill -9, a broker restart, and a topic that gains partitions', async () => {
      const topic = await broker.createTopic(2);
      await running(`topic: ${topic}, encoding: push-bytes, start: earliest`, async (prometheus, spanmill) => {
        const first = generateTo(topic, 20_000, 21, '--encoding', 'push-bytes', '--codec', 'zstd', '--rate', '800');
        await pause(2_000);
        await spanmill.kill();
        await spanmill.resume();
        await pause(1_000);
        if (broker.isOwn) {
          await broker.stop('clean');
          await broker.start();
        }
        await pause(1_000);
        await broker.admin().createPartitions({ topicPartitions: [{ topic, count: 5 }] });
        await pause(500);
        await spanmill.kill();
        await spanmill.resume();
        const account = await first.account;
        // A producer learns of new partitions at its start.
        const second = await generateTo(topic, 2_000, 22, '--encoding', 'push-bytes', '--rate', '0').account;
        await sameAsAccount(prometheus, sum([account, second]));
        expect(await prometheus.query('sum(resets(traces_spanmetrics_calls_total[30m]))')).toMatchObject([
          { value: 0 },
        ]);
      });
    });

    it('writes to the topic what its receivers take in', async () => {
      const topic = await broker.createTopic(4);
      await running(`topic: ${topic}, encoding: auto, start: latest`, async (prometheus, spanmill) => {
        const account = await generate(['--otlp', spanmill.otlp, '--spans', '2000', '--rate', '0']).account;
        await sameAsAccount(prometheus, account);
        const offsets = await broker.admin().fetchTopicOffsets(topic);
        expect(offsets.every(({ high }) => Number(high) > 0)).toBe(true);
      });
    });
  });
});

function sum(accounts: readonly Account[]): Account {
  const all: Account = { seed: 0, spans: 0, traces: 0, calls: [], edges: [], unknown: [] };
  const calls = new Map<string, Account['calls'][number]>();
  const edges = new Map<string, Account['edges'][number]>();
  for (const account of accounts) {
    all.spans += account.spans;
    all.traces += account.traces;
    all.unknown.push(...account.unknown);
    for (const call of account.calls) {
      const key = JSON.stringify({ ...call, count: 0 });
      calls.set(key, { ...call, count: (calls.get(key)?.count ?? 0) + call.count });
    }
    for (const edge of account.edges) {
      const key = JSON.stringify([edge.client, edge.server, edge.connection_type]);
      const known = edges.get(key);
      edges.set(key, {
        ...edge,
        count: (known?.count ?? 0) + edge.count,
        failed: (known?.failed ?? 0) + edge.failed,
      });
    }
  }
  return { ...all, calls: [...calls.values()], edges: [...edges.values()] };
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}
