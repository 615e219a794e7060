// The command against a real broker. What is on the topic is read by a consumer of kafkajs, and counted apart from the generator.
import { createRequire } from 'node:module';
import { connect, createServer, type Socket } from 'node:net';
import { gunzipSync, zstdDecompressSync } from 'node:zlib';
import type { Kafka, KafkaMessage } from 'kafkajs';
import { decompressFrameSync } from 'lz4-napi';
import { uncompress } from 'snappyjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { createLoad, type LoadResult } from '../../src/generate/index.ts';
import { openKafkaExporter } from '../../src/generate/kafka/exporter.ts';
import { CODECS, ENCODINGS, type KafkaCodec, type KafkaEncoding } from '../../src/generate/kafka/names.ts';
import { Session, type SocketFactory } from '../../src/generate/kafka/session.ts';
import { describeWithKafka, useBroker } from '../integration/kafka/broker.ts';
import { generate } from './fake-receiver.ts';
import { requestsOf } from './kafka-reader.ts';
import { callsOf, countCalls, countEdges, edgesOf } from './model.ts';
import { type ReadSpan, readRequest } from './otlp.ts';

const PARTITIONS = 3;
const never = new AbortController().signal;

interface ReadRecord {
  partition: number;
  message: KafkaMessage;
}

/** Everything that is on the topic now. */
async function readTopic(kafka: Kafka, topic: string): Promise<ReadRecord[]> {
  const admin = kafka.admin();
  await admin.connect();
  const left = new Map(
    (await admin.fetchTopicOffsets(topic)).map(({ partition, high }) => [partition, Number(high)] as const),
  );
  await admin.disconnect();
  const records: ReadRecord[] = [];
  for (const [partition, high] of left) if (high === 0) left.delete(partition);
  if (left.size === 0) return records;
  const consumer = kafka.consumer({ groupId: `read-${topic}` });
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  const done = Promise.withResolvers<void>();
  await consumer.run({
    async eachBatch({ batch }) {
      for (const message of batch.messages) records.push({ partition: batch.partition, message });
      if (Number(batch.lastOffset()) + 1 >= left.get(batch.partition)!) left.delete(batch.partition);
      if (left.size === 0) done.resolve();
    },
  });
  consumer.on('consumer.crash', ({ payload }) => done.reject(payload.error));
  await done.promise;
  await consumer.disconnect();
  return records;
}

/** Numbers of the codecs that batches had, since it was last emptied. */
const codecsSeen = new Set<number>();

function teachCodecs(): void {
  const { CompressionCodecs } = createRequire(import.meta.url)('kafkajs') as typeof import('kafkajs');
  const codecs = CompressionCodecs as Record<number, () => object>;
  const teach = (id: number, decompress: (bytes: Buffer) => Uint8Array) => {
    const before = codecs[id]!;
    codecs[id] = () => {
      let known = {};
      try {
        known = before();
      } catch {
        // Not implemented.
      }
      return {
        ...known,
        decompress: async (bytes: Buffer) => {
          codecsSeen.add(id);
          return Buffer.from(decompress(bytes));
        },
      };
    };
  };
  teach(CODECS.gzip, (bytes) => gunzipSync(bytes));
  teach(CODECS.snappy, (bytes) => uncompress(bytes));
  teach(CODECS.lz4, (bytes) => decompressFrameSync(bytes));
  teach(CODECS.zstd, (bytes) => zstdDecompressSync(bytes));
}

const spansOf = (records: readonly ReadRecord[], encoding: KafkaEncoding): ReadSpan[] =>
  records.flatMap(({ message }) => requestsOf(encoding, message.value!).flatMap((bytes) => readRequest(bytes)));

/** How often each span is there. */
function copies(spans: readonly ReadSpan[]): number[] {
  const counts = new Map<string, number>();
  for (const { spanId } of spans) counts.set(spanId, (counts.get(spanId) ?? 0) + 1);
  return [...new Set(counts.values())];
}

describeWithKafka('spanmill generate --kafka', () => {
  beforeAll(teachCodecs);
  const broker = useBroker();

  const run = async (topic: string, ...more: string[]) =>
    await generate(['--kafka', broker.brokers.join(','), '--topic', topic, '--rate', '0', ...more]);

  const cases: [KafkaEncoding, KafkaCodec][] = [
    ...ENCODINGS.flatMap((encoding) => [[encoding, 'none'] as const, [encoding, 'zstd'] as const]),
    ...(['gzip', 'snappy', 'lz4'] as const).map((codec) => ['otlp_proto', codec] as const),
  ].map(([encoding, codec]) => [encoding, codec]);

  it.each(cases)('writes what it prints, in %s with %s', async (encoding, codec) => {
    const topic = await broker.createTopic(PARTITIONS);
    const { code, result, stderr } = await run(topic, '--spans', '2000', '--encoding', encoding, '--codec', codec);
    expect(stderr).toBe('');
    expect(code).toBe(0);
    expect(result).toMatchObject({ seed: 1, spans: 2000, unknown: [], uncertain_edges: 0 });
    codecsSeen.clear();
    const records = await readTopic(broker.kafka(), topic);
    const spans = spansOf(records, encoding);
    expect(spans.length).toBe(2000);
    expect(copies(spans)).toEqual([1]);
    expect(countCalls(spans)).toEqual(callsOf(result.calls));
    expect(countEdges(spans).edges).toEqual(edgesOf(result.edges));
    expect(new Set(records.map(({ partition }) => partition)).size).toBe(PARTITIONS);
    expect([...codecsSeen]).toEqual(codec === 'none' ? [] : [CODECS[codec]]);
  });

  it('keys by trace, or takes partitions in turn, and says the tenant', async () => {
    const keyed = await broker.createTopic(PARTITIONS);
    await run(keyed, '--spans', '500', '--tenant', 'shop');
    const partitionOf = new Map<string, Set<number>>();
    for (const { partition, message } of await readTopic(broker.kafka(), keyed)) {
      expect(String(message.headers!['X-Scope-OrgID'])).toBe('shop');
      const key = String(message.key);
      expect(key).toMatch(/^[0-9a-f]{32}$/);
      partitionOf.set(key, (partitionOf.get(key) ?? new Set()).add(partition));
    }
    expect([...partitionOf.values()].every((partitions) => partitions.size === 1)).toBe(true);

    const unkeyed = await broker.createTopic(PARTITIONS);
    await run(unkeyed, '--spans', '500', '--unkeyed');
    const records = await readTopic(broker.kafka(), unkeyed);
    const counts = [0, 1, 2].map((p) => records.filter(({ partition }) => partition === p).length);
    expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
    expect(records.every(({ message }) => message.key === null && Object.keys(message.headers!).length === 0)).toBe(
      true,
    );

    const tempo = await broker.createTopic(PARTITIONS);
    await run(tempo, '--spans', '500', '--encoding', 'push-bytes', '--tenant', 'shop');
    for (const { message } of await readTopic(broker.kafka(), tempo)) {
      expect([String(message.key), Object.keys(message.headers!)]).toEqual(['shop', []]);
    }
  });

  it('is the same for the same seed and start', async () => {
    const argv = ['--spans', '600', '--start', '2026-03-01T10:00:00Z', '--concurrency', '1'];
    const values: string[][] = [];
    for (let i = 0; i < 2; i++) {
      const topic = await broker.createTopic(1);
      await run(topic, ...argv);
      values.push((await readTopic(broker.kafka(), topic)).map(({ message }) => message.value!.toString('hex')));
    }
    expect(values[1]).toEqual(values[0]);
  });

  it('says in one line that there is no such topic', async () => {
    const { code, stdout, stderr } = await run('nowhere', '--spans', '10');
    expect([code, stdout, stderr]).toEqual([1, '', 'spanmill generate: there is no topic "nowhere"\n']);
  });

  it('counts as refused what the topic is too small for', async () => {
    const topic = await broker.createTopic(1, { 'max.message.bytes': '2000' });
    const { result } = await run(topic, '--spans', '300', '--unkeyed');
    expect(result).toMatchObject({ spans: 0, unknown: [], refused: { spans: 300 } });
    expect(await readTopic(broker.kafka(), topic)).toEqual([]);
  });

  it.skipIf(!broker.isOwn)('loses and doubles nothing when the broker is killed and comes back', async () => {
    const topic = await broker.createTopic(PARTITIONS);
    const running = run(topic, '--spans', '12000', '--rate', '3000');
    const written = async () =>
      (await broker.admin().fetchTopicOffsets(topic)).reduce((sum, { high }) => sum + Number(high), 0);
    while ((await written()) === 0);
    await broker.stop('kill');
    await broker.start();
    const { result } = await running;
    expect(result).toMatchObject({ spans: 12_000, unknown: [], unsent: { requests: 0 } });
    const spans = spansOf(await readTopic(broker.kafka(), topic), 'otlp_proto');
    expect(copies(spans)).toEqual([1]);
    expect(countCalls(spans)).toEqual(callsOf(result.calls));
  });

  describe('over connections that break', () => {
    /** Requests reach the broker; of its answers to `lose`, the connection is cut instead. */
    const lossy =
      (lose: () => boolean): SocketFactory =>
      (host, port, onConnect) => {
        const socket = connect({ host, port, noDelay: true }, onConnect);
        const emit = socket.emit.bind(socket);
        socket.emit = ((event: string, ...args: unknown[]) => {
          if (event === 'data' && lose()) {
            socket.destroy(new Error('cut by the test'));
            return true;
          }
          return emit(event as 'data', args[0] as Buffer);
        }) as Socket['emit'];
        return socket;
      };

    async function deliverOver(topic: string, socketFactory: SocketFactory, answerTimeoutMs: number, spans: number) {
      const exporter = await openKafkaExporter({
        brokers: broker.brokers,
        topic,
        encoding: 'otlp_proto',
        codec: 'none',
        isKeyed: true,
        tenant: '',
        answerTimeoutMs,
        socketFactory,
      });
      const load = createLoad({ seed: 5, startUnixNano: 1_767_225_600_000_000_000n, ratePerSecond: 500, spans });
      for (let request = load.nextRequest(); request !== undefined; request = load.nextRequest()) {
        let attempt = await exporter.send(request.bytes, request.spans, never);
        for (let tries = 0; attempt.type === 'retry' && tries < 50; tries++)
          attempt = await exporter.send(request.bytes, request.spans, never);
        const reason = attempt.type === 'acknowledged' ? '' : attempt.reason;
        load.account.settle(request, attempt.type === 'retry' ? 'unsent' : attempt.type, reason);
      }
      exporter.close();
      return load.account.result();
    }

    it('writes every span once, though answers are lost', async () => {
      const topic = await broker.createTopic(PARTITIONS);
      let answers = 0;
      let lost = 0;
      const result = await deliverOver(
        topic,
        lossy(() => ++answers > 20 && answers % 7 === 0 && ++lost > 0),
        30_000,
        1_500,
      );
      expect(lost).toBeGreaterThan(5);
      expect(result).toMatchObject({ spans: 1_500, unknown: [] });
      const spans = spansOf(await readTopic(broker.kafka(), topic), 'otlp_proto');
      expect(copies(spans)).toEqual([1]);
      expect(countCalls(spans)).toEqual(callsOf(result.calls));
    });

    it('lists as unknown what has no answer, does not send it again, and goes on', async () => {
      const topic = await broker.createTopic(PARTITIONS);
      const open: Socket[] = [];
      let answers = 0;
      // From the 60th answer on, the sockets that are open then are deaf; new ones hear.
      const deafening: SocketFactory = (host, port, onConnect) => {
        const socket = connect({ host, port, noDelay: true }, onConnect);
        open.push(socket);
        const emit = socket.emit.bind(socket);
        let isDeaf = false;
        socket.emit = ((event: string, ...args: unknown[]) => {
          if (event === 'data' && ++answers === 60) isDeaf = true;
          if (event === 'data' && isDeaf) return true;
          return emit(event as 'data', args[0] as Buffer);
        }) as Socket['emit'];
        return socket;
      };
      const result = await deliverOver(topic, deafening, 1_000, 1_500);
      expect(result.unknown.length).toBe(1);
      const [unknown] = result.unknown as [LoadResult['unknown'][number]];
      expect(unknown).toMatchObject({ requests: 1, reason: 'no answer in time' });
      expect(result.spans + unknown.spans).toBe(1_500);
      const spans = spansOf(await readTopic(broker.kafka(), topic), 'otlp_proto');
      expect(copies(spans)).toEqual([1]);
      const found = countCalls(spans);
      const [sure, maybe] = [callsOf(result.calls), callsOf(unknown.calls)];
      for (const [key, count] of found) {
        expect(count).toBeGreaterThanOrEqual(sure.get(key) ?? 0);
        expect(count).toBeLessThanOrEqual((sure.get(key) ?? 0) + (maybe.get(key) ?? 0));
      }
    });
  });
});

describe('without a broker', () => {
  it('says so in one line', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as { port: number };
    await new Promise((resolve) => server.close(resolve));
    const { code, stdout, stderr } = await generate(['--kafka', `127.0.0.1:${port}`, '--topic', 't', '--spans', '10']);
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toMatch(
      new RegExp(`^spanmill generate: no broker answers at 127\\.0\\.0\\.1:${port} \\([^\\n]*\\)\\n$`),
    );
  });

  it('ends a session that was never opened, twice', async () => {
    const session = new Session({ brokers: ['127.0.0.1:1'], topic: 't', codec: 'none', answerTimeoutMs: 1 });
    await session.close();
    await session.close();
  });
});
