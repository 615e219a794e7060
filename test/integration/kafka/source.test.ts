// The source against a real broker: every codec and encoding, order, offsets, pauses, ends, restarts, growth.

import { createRequire } from 'node:module';
import net, { type Socket } from 'node:net';
import { CompressionTypes } from 'kafkajs';
import { afterEach, expect, it } from 'vitest';
import { type KafkaLogOptions, type LogConsumer, pushBytes } from '../../../src/log/index.ts';
import { plainSocketFactory } from '../../../src/log/kafka/kafkajs.ts';
import { describeWithKafka, useBroker } from './broker.ts';
import { Collector, closeAll, fromStart, open, until } from './support.ts';

const CODECS = [
  CompressionTypes.None,
  CompressionTypes.GZIP,
  CompressionTypes.Snappy,
  CompressionTypes.LZ4,
  CompressionTypes.ZSTD,
];
const otlp = (text: string) => Buffer.concat([Buffer.from([0x0a, text.length]), Buffer.from(text)]);

const FETCH = 1;

/** How many fetches each socket waits for at once, at most, and which are open. */
function fetchWatch() {
  const atOnce = new Map<Socket, number>();
  const open = new Set<Socket>();
  const socketFactory: NonNullable<KafkaLogOptions['socketFactory']> = ({ host, port, onConnect }) => {
    const socket = net.connect({ host, port }, onConnect);
    const unanswered = new Set<number>();
    let bytes = Buffer.alloc(0);
    const write = socket.write.bind(socket);
    socket.write = ((request: Buffer, ...rest: []) => {
      if (Buffer.isBuffer(request) && request.readInt16BE(4) === FETCH) {
        open.add(socket);
        unanswered.add(request.readInt32BE(8));
        atOnce.set(socket, Math.max(atOnce.get(socket) ?? 0, unanswered.size));
      }
      return write(request, ...rest);
    }) as never;
    socket.on('data', (chunk: Buffer) => {
      bytes = Buffer.concat([bytes, chunk]);
      while (bytes.length >= 8 && bytes.length >= 4 + bytes.readInt32BE(0)) {
        unanswered.delete(bytes.readInt32BE(4));
        bytes = bytes.subarray(4 + bytes.readInt32BE(0));
      }
    });
    socket.on('close', () => open.delete(socket));
    return socket;
  };
  return { socketFactory, atOnce, open };
}

describeWithKafka('a Kafka topic as a log', () => {
  const broker = useBroker();
  afterEach(closeAll);

  async function produce(
    topic: string,
    messages: Parameters<ReturnType<ReturnType<typeof broker.kafka>['producer']>['send']>[0]['messages'],
    compression = CompressionTypes.None,
  ): Promise<void> {
    const { Partitioners } = createRequire(import.meta.url)('kafkajs') as typeof import('kafkajs');
    const producer = broker.kafka().producer({ createPartitioner: Partitioners.DefaultPartitioner });
    await producer.connect();
    await producer.send({ topic, compression, messages });
    await producer.disconnect();
  }

  it('reads by a connection of each consumer: no idle fetch of one holds up another, and a stop closes it', async () => {
    const topic = await broker.createTopic(8);
    const watch = fetchWatch();
    const { log } = await open(broker.brokers, topic, { socketFactory: watch.socketFactory });
    const readers = Array.from(fromStart(log), ([partition, offset]) => {
      const seen = new Collector();
      return { partition, seen, consumer: log.consume(new Map([[partition, offset]]), seen) };
    });
    const idle = () => readers.every(({ seen }) => seen.marks.length >= 3);
    await until('three looks of each at its end', idle);
    await produce(
      topic,
      readers.map(({ partition }) => ({ partition, value: otlp('record') })),
    );
    await until('a record of each', () => readers.every(({ seen }) => seen.records.length === 1));
    expect([...watch.atOnce.values()]).toEqual(Array(8).fill(1));
    expect(watch.open.size).toBe(8);
    await Promise.all(readers.slice(1).map(({ consumer }) => consumer.stop()));
    await until('closed connections', () => watch.open.size === 1);
    await produce(topic, [{ partition: 0, value: otlp('another') }]);
    await until('a record of the one that is left', () => readers[0]!.seen.records.length === 2);
  });

  it('delivers every record of every codec and encoding once, in order, with its tenant', async () => {
    const topic = await broker.createTopic(4);
    const { log } = await open(broker.brokers, topic, { encoding: 'auto' });
    let made = 0;
    for (const codec of CODECS) {
      for (const encoding of ['otlp', 'push-bytes'] as const) {
        const messages = Array.from({ length: 40 }, (_, i) => {
          const body = otlp(`${encoding} ${codec} ${made++}`);
          return encoding === 'otlp'
            ? { partition: i % 4, value: body, headers: { 'x-scope-orgid': `h${i % 3}` } }
            : { partition: i % 4, key: `k${i % 3}`, value: pushBytes(body) };
        });
        await produce(topic, messages, codec);
      }
    }
    const seen = new Collector();
    log.consume(fromStart(log), seen);
    await until('400 records', () => seen.records.length >= 400);
    await until('ends', () => new Set(seen.marks.map(({ partition }) => partition)).size === 4);
    expect(seen.records).toHaveLength(400);
    for (let partition = 0; partition < 4; partition++)
      expect(seen.offsets(partition)).toEqual(Array.from({ length: 100 }, (_, i) => i));
    expect(new Set(seen.records.map(({ text }) => text.slice(text.search(/otlp|push/)))).size).toBe(400);
    for (const { encoding, tenant, text } of seen.records) {
      expect(text).toContain(encoding);
      expect(tenant).toMatch(encoding === 'otlp' ? /^h[012]$/ : /^k[012]$/);
    }
    expect([...log.lag().values()]).toEqual(Array(4).fill({ records: 0, seconds: 0 }));
  });

  it("reads what Kafka's own producer compresses", async () => {
    const topic = await broker.createTopic(1);
    const properties = (codec: string) => [
      `bootstrap.servers=${broker.brokers.join(',')}`,
      `compression.type=${codec}`,
      'batch.size=200000',
      'linger.ms=50',
    ];
    const codecs = ['snappy', 'lz4', 'zstd', 'gzip'];
    for (const codec of codecs) {
      await broker.tool(
        'perf-producer',
        '--topic',
        topic,
        '--num-records',
        '200',
        '--record-size',
        '1000',
        '--throughput',
        '-1',
        '--producer-props',
        ...properties(codec),
      );
    }
    const { log, skipped } = await open(broker.brokers, topic);
    const seen = new Collector();
    log.consume(fromStart(log), seen);
    await until('800 records', () => seen.records.length === 800);
    expect(skipped).toEqual([]);
    expect(seen.offsets(0)).toEqual(Array.from({ length: 800 }, (_, i) => i));
    // It fills its records with capital letters.
    for (const { text, sizeBytes } of seen.records)
      expect([sizeBytes, /^[A-Z]{200}$/.test(text)]).toEqual([1000, true]);
  });

  it('delivers nothing more of a partition that is paused, and goes on at the next record', async () => {
    const topic = await broker.createTopic(2);
    const value = otlp('x'.repeat(100));
    const big = Buffer.concat(Array(2000).fill(value));
    for (let i = 0; i < 3; i++)
      await produce(
        topic,
        Array.from({ length: 20 }, (_, n) => ({ partition: n % 2, value: big })),
        CompressionTypes.GZIP,
      );
    const { log } = await open(broker.brokers, topic);
    const seen = new Collector();
    const paused = new Map<number, number>();
    let consumer: LogConsumer | undefined;
    let late = 0;
    seen.onEachBatch = ({ partition }) => {
      if (paused.has(partition)) late++;
      paused.set(partition, seen.offsets(partition).length);
      consumer!.pause(partition);
    };
    consumer = log.consume(fromStart(log), seen);
    while (seen.records.length < 60) {
      await until('a pause of each unfinished partition', () =>
        [0, 1].every((partition) => paused.has(partition) || seen.offsets(partition).length === 30),
      );
      const partition = [...paused.keys()][0]!;
      expect(seen.offsets(partition)).toHaveLength(paused.get(partition)!);
      paused.delete(partition);
      consumer.resume(partition);
    }
    expect(late).toBe(0);
    expect(seen.batches.length).toBeGreaterThan(6);
    for (const partition of [0, 1]) expect(seen.offsets(partition)).toEqual(Array.from({ length: 30 }, (_, i) => i));
  });

  it('says again and again that an empty partition has ended, also while it is paused', async () => {
    const topic = await broker.createTopic(2);
    const { log } = await open(broker.brokers, topic);
    const seen = new Collector();
    const consumer = log.consume(fromStart(log), seen);
    consumer.pause(1);
    await until('three marks of each', () =>
      [0, 1].every((p) => seen.marks.filter(({ partition }) => partition === p).length >= 3),
    );
    const mine = seen.marks.filter(({ partition }) => partition === 1);
    expect(mine.every(({ end }) => end === 0)).toBe(true);
    for (let i = 1; i < mine.length; i++) expect(mine[i]!.wallMs).toBeGreaterThanOrEqual(mine[i - 1]!.wallMs);
    await consumer.stop();
    const count = seen.marks.length;
    await broker.admin().fetchTopicOffsets(topic);
    expect(seen.marks).toHaveLength(count);
  });

  it.skipIf(!broker.isOwn)('goes on by itself after the broker was killed and started again', async () => {
    const topic = await broker.createTopic(2);
    await produce(
      topic,
      Array.from({ length: 10 }, (_, i) => ({ partition: i % 2, value: otlp(`before ${i}`) })),
    );
    const { log } = await open(broker.brokers, topic);
    const seen = new Collector();
    log.consume(fromStart(log), seen);
    await until('the first ten', () => seen.records.length === 10);
    await broker.stop('kill');
    await broker.start();
    await produce(
      topic,
      Array.from({ length: 10 }, (_, i) => ({ partition: i % 2, value: otlp(`after ${i}`) })),
    );
    // The test's producer may have sent a request twice: the log's own ends say how many records there are.
    const ends = await Promise.all([0, 1].map((partition) => log.bounds(partition)));
    await until('all records', () => [0, 1].every((p) => seen.offsets(p).length >= ends[p]!.end));
    expect(seen.errors).toEqual([]);
    for (const partition of [0, 1])
      expect(seen.offsets(partition)).toEqual(Array.from({ length: ends[partition]!.end }, (_, i) => i));
    const texts = new Set(seen.records.map(({ text }) => text.slice(2)));
    expect([...texts].toSorted()).toEqual(
      ['after', 'before'].flatMap((when) => Array.from({ length: 10 }, (_, i) => `${when} ${i}`)),
    );
  });

  it('tells of a partition that the topic gains, which begins at its first record', async () => {
    const topic = await broker.createTopic(1);
    const gained: number[] = [];
    const { log } = await open(broker.brokers, topic, {
      start: 'latest',
      onPartition: (partition) => gained.push(partition),
    });
    const seen = new Collector();
    const consumer = log.consume(new Map([[0, await log.startOffset(0)]]), seen);
    await broker.admin().createPartitions({ topicPartitions: [{ topic, count: 3 }] });
    await produce(topic, [{ partition: 2, value: otlp('early') }]);
    await until('two partitions', () => gained.length === 2);
    expect(gained.toSorted()).toEqual([1, 2]);
    for (const partition of gained) consumer.add!(new Map([[partition, await log.startOffset(partition)]]));
    await until('the record', () => seen.records.length === 1);
    expect(seen.records[0]).toMatchObject({ partition: 2, offset: 0 });
    await until('ends of all', () => new Set(seen.marks.map(({ partition }) => partition)).size === 3);
    expect(log.partitions).toBe(1);
    expect(log.partitionIds()).toEqual([0, 1, 2]);
  });

  it('passes tombstones, tenants that can not be and transactions that were aborted, and counts them', async () => {
    const topic = await broker.createTopic(1);
    await produce(topic, [
      { partition: 0, value: otlp('one') },
      { partition: 0, key: 'k', value: null },
      { partition: 0, value: otlp('two'), headers: { 'X-Scope-OrgID': 'no/such' } },
    ]);
    const producer = broker
      .kafka()
      .producer({ transactionalId: `tx-${topic}`, maxInFlightRequests: 1, idempotent: true });
    await producer.connect();
    const aborted = await producer.transaction();
    await aborted.send({ topic, messages: [{ partition: 0, value: otlp('aborted') }] });
    await aborted.abort();
    const kept = await producer.transaction();
    await kept.send({ topic, messages: [{ partition: 0, value: otlp('kept') }] });
    await kept.commit();
    await producer.disconnect();
    const { log, skipped } = await open(broker.brokers, topic);
    const seen = new Collector();
    log.consume(fromStart(log), seen);
    await until('the end', () => seen.marks.some(({ end }) => end === 7));
    expect(seen.records.map(({ offset, text }) => [offset, text.slice(2)])).toEqual([
      [0, 'one'],
      [5, 'kept'],
    ]);
    expect(skipped.map(({ reason, offset }) => [offset, reason])).toEqual([
      [1, 'tombstone'],
      [2, 'invalid_tenant'],
      [3, 'aborted'],
      [4, 'control'],
      [6, 'control'],
    ]);
    expect(log.stats().skipped).toMatchObject({ tombstone: 1, invalid_tenant: 1, aborted: 1, control: 2 });
  });

  it('passes a record of no known encoding, and tells where it is', async () => {
    const topic = await broker.createTopic(2);
    const values = [otlp('one'), Buffer.from('{"not":"ours"}'), otlp('two'), Buffer.from([0xff, 0xff]), otlp('three')];
    const messages = values.flatMap((value) => [0, 1].map((partition) => ({ partition, value })));
    await produce(topic, messages, CompressionTypes.LZ4);
    const { log, skipped } = await open(broker.brokers, topic, { encoding: 'auto' });
    const seen = new Collector();
    log.consume(fromStart(log), seen);
    await until('six records', () => seen.records.length === 6);
    for (const partition of [0, 1]) {
      expect(seen.offsets(partition)).toEqual([0, 2, 4]);
      expect(skipped.filter((event) => event.partition === partition)).toMatchObject([
        { reason: 'undecodable', offset: 1, count: 1 },
        { reason: 'undecodable', offset: 3, count: 1 },
      ]);
    }
    expect(log.stats().skipped.undecodable).toBe(4);
    expect(await log.identify(0, 1)).toBeUndefined();
    expect(seen.errors).toEqual([]);
  });

  it('reads a record of 10 MB with a small fetch size, and its neighbours', async () => {
    const topic = await broker.createTopic(1, { 'max.message.bytes': '20971520' });
    const large = Buffer.alloc(10 * 1024 * 1024, 'x');
    await produce(topic, [{ partition: 0, value: otlp('a') }]);
    await produce(topic, [{ partition: 0, value: large }]);
    await produce(topic, [{ partition: 0, value: otlp('b') }]);
    const { log } = await open(broker.brokers, topic, { fetch: { partitionBytes: 10_000, maxBytes: 20_000 } });
    const seen = new Collector();
    log.consume(fromStart(log), seen);
    await until('three records', () => seen.records.length === 3);
    expect(seen.records.map(({ sizeBytes }) => sizeBytes)).toEqual([3, large.length, 3]);
    expect(seen.batches.every(({ sizeBytes, count }) => count === 1 || sizeBytes < 2 ** 20)).toBe(true);
  });

  it('keeps the times of its records, from the past and from the future, and begins where it is told', async () => {
    const topic = await broker.createTopic(1);
    const now = Date.now();
    const times = [now - 3_600_000, now - 60_000, now + 3_600_000];
    await produce(
      topic,
      times.map((time) => ({ partition: 0, value: otlp(String(time)), timestamp: String(time) })),
    );
    const { log } = await open(broker.brokers, topic, { start: { agoMs: 600_000 } });
    const seen = new Collector();
    log.consume(fromStart(log), seen);
    await until('three records', () => seen.records.length === 3);
    expect(seen.records.map(({ timestampMs }) => timestampMs)).toEqual(times);
    expect(await log.startOffset(0)).toBe(1);
    const never = await open(broker.brokers, topic, { start: { agoMs: -7_200_000 } });
    expect(await never.log.startOffset(0)).toBe(3);
    const latest = await open(broker.brokers, topic, { start: 'latest' });
    expect(await latest.log.startOffset(0)).toBe(3);
    const earliest = await open(broker.brokers, topic, { start: 'earliest' });
    expect(await earliest.log.startOffset(0)).toBe(0);
    expect(earliest.log.identity).toBe(log.identity);
    expect(await log.bounds(0)).toEqual({ start: 0, end: 3 });
    expect(await log.identify(0, 3)).toBeUndefined();
    const second = await log.identify(0, 1);
    expect(second?.timestampMs).toBe(times[1]);
    expect(second?.crc).not.toBe((await log.identify(0, 0))?.crc);
  });

  it('asks many things at once over few connections', async () => {
    const topic = await broker.createTopic(4);
    await produce(
      topic,
      Array.from({ length: 40 }, (_, i) => ({ partition: i % 4, value: otlp(`${i}`) })),
    );
    const plain = plainSocketFactory();
    let sockets = 0;
    const { log } = await open(broker.brokers, topic, {
      socketFactory: (target) => {
        sockets++;
        return plain(target);
      },
    });
    const asked = Array.from({ length: 40 }, (_, i) => log.identify(i % 4, Math.floor(i / 4)));
    const crcs = (await Promise.all(asked)).map((record) => record?.crc);
    expect(new Set(crcs).size).toBe(40);
    expect(crcs).not.toContain(undefined);
    // kafkajs has one for fetches and one for the rest.
    expect(sockets).toBe(2);
  });

  it('never goes on elsewhere by itself when its offset is outside the log', async () => {
    const topic = await broker.createTopic(1);
    await produce(
      topic,
      Array.from({ length: 5 }, (_, i) => ({ partition: 0, value: otlp(`${i}`) })),
    );
    // The admin client deletes only in topics that it has looked at.
    await broker.admin().fetchTopicOffsets(topic);
    await broker.admin().deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '3' }] });
    const { log } = await open(broker.brokers, topic);
    await until('records deleted', async () => (await log.bounds(0)).start === 3);
    const seen = new Collector();
    const consumer = log.consume(new Map([[0, 1]]), seen);
    await until('the error', () => seen.errors.length === 1);
    expect(seen.errors[0]!.error).toMatchObject({ code: 'offset_out_of_range' });
    expect(seen.records).toEqual([]);
    await consumer.stop();
    const good = new Collector();
    log.consume(new Map([[0, 3]]), good);
    await until('the rest', () => good.records.length === 2);
    expect(good.offsets(0)).toEqual([3, 4]);
  });
});
