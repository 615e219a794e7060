import { randomUUID } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { Decoder, ExtractionPlan } from '../../src/otlp/index.ts';
import { splitMessages } from '../../src/simulate/index.ts';
import { describeWithKafka, useBroker } from './kafka/broker.ts';
import { type Account, generate } from './support/generate.ts';
import { Prometheus, prometheusBinary } from './support/prometheus.ts';
import { sameAsAccount } from './support/same-as-account.ts';
import { Spanmill } from './support/spanmill.ts';
import { waitFor } from './support/wait.ts';

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
      intervalMs = 1_000,
    ): Promise<void> {
      const prometheus = await Prometheus.start();
      try {
        const spanmill = await Spanmill.start({
          remoteWrite: [prometheus.writeUrl],
          intervalMs,
          // Longer than any load here: no series ends.
          staleMs: 7_200_000,
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

    it.each(['push-bytes', 'jaeger_json'])('reads a topic that is configured as %s', async (encoding) => {
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

    it('makes of a backlog what it would have made live: every boundary at its own time, no gap, no spike', async () => {
      const topic = await broker.createTopic(4);
      const MINUTES = 30;
      const INTERVAL_S = 15;
      const endMs = Math.floor(Date.now() / 60_000) * 60_000;
      const startMs = endMs - MINUTES * 60_000;
      const requests = await corpus(MINUTES * 60 * 20, startMs);
      const producer = broker.kafka().producer();
      await producer.connect();
      let spans = 0;
      for (let i = 0; i < requests.length; i += 200) {
        const messages = requests.slice(i, i + 200).map(({ bytes, newestMs, count }) => {
          spans += count;
          return { value: Buffer.from(bytes), timestamp: String(newestMs) };
        });
        await producer.send({ topic, messages });
      }
      await producer.disconnect();
      const test = async (prometheus: Prometheus) => {
        await waitFor(
          'the backlog to be in Prometheus',
          async () => (await prometheus.query('sum(traces_spanmetrics_calls_total)'))[0]?.value === spans,
          90_000,
          500,
        );
        const sums = new Map<number, number>();
        for (const { samples } of await prometheus.raw('traces_spanmetrics_calls_total', '40m'))
          for (const [seconds, value] of samples)
            if (seconds % 60 !== 59) sums.set(seconds, (sums.get(seconds) ?? 0) + value);
        const times = [...sums.keys()].sort((a, b) => a - b).filter((seconds) => seconds * 1_000 <= endMs);
        expect(times).toEqual(Array.from({ length: MINUTES * 4 }, (_, i) => startMs / 1_000 + (i + 1) * INTERVAL_S));
        // What each boundary has more than the one before is what the records of its interval hold: never a pile.
        const perInterval = new Map<number, number>();
        for (const { newestMs, count } of requests) {
          const boundary = (Math.floor(newestMs / (INTERVAL_S * 1_000)) + 1) * INTERVAL_S;
          perInterval.set(boundary, (perInterval.get(boundary) ?? 0) + count);
        }
        expect(times.map((t) => sums.get(t)! - (sums.get(t - INTERVAL_S) ?? 0))).toEqual(
          times.map((t) => perInterval.get(t) ?? 0),
        );
      };
      await running(`topic: ${topic}, encoding: otlp, start: earliest`, test, INTERVAL_S * 1_000);
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
  const all: Account = { seed: 0, spans: 0, traces: 0, calls: [], edges: [], unknown: [], late_edges: [] };
  const calls = new Map<string, Account['calls'][number]>();
  const edges = new Map<string, Account['edges'][number]>();
  for (const account of accounts) {
    all.spans += account.spans;
    all.traces += account.traces;
    all.unknown.push(...account.unknown);
    all.late_edges!.push(...(account.late_edges ?? []));
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

interface Request {
  bytes: Uint8Array;
  /** End of its newest span: when it would have been written to the topic. */
  newestMs: number;
  count: number;
}

/** A load that began at `startMs`, in the order of its writing. */
async function corpus(spans: number, startMs: number): Promise<Request[]> {
  const dir = mkdtempSync(join(tmpdir(), 'spanmill-corpus-'));
  try {
    const file = join(dir, 'corpus.bin');
    const start = new Date(startMs).toISOString();
    await generate(['--file', file, '--spans', String(spans), '--rate', '20', '--start', start]).account;
    const bytes = new Uint8Array(readFileSync(file));
    const decoder = new Decoder(new ExtractionPlan([]));
    return splitMessages(bytes, file)
      .map((message) => {
        const { count, endLow, endHigh } = decoder.decode(message);
        let newestMs = 0;
        for (let i = 0; i < count; i++) newestMs = Math.max(newestMs, (endHigh[i]! * 2 ** 32 + endLow[i]!) / 1e6);
        return { bytes: message, newestMs: Math.floor(newestMs), count };
      })
      .sort((a, b) => a.newestMs - b.newestMs);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}
