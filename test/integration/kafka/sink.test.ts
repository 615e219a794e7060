// The sink against a real broker: acknowledged means stored, once, in the partition that was asked for.

import net, { type Socket } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import type { AppendRecord, KafkaLogOptions } from '../../../src/log/index.ts';
import { describeWithKafka, useBroker } from './broker.ts';
import { Collector, closeAll, fromStart, open, until } from './support.ts';

const otlp = (text: string) => Buffer.concat([Buffer.from([0x0a, text.length & 0x7f]), Buffer.from(text)]);
const record = (partition: number, text: string, tenant = 'a'): AppendRecord => ({
  partition,
  tenant,
  encoding: 'otlp',
  bytes: otlp(text),
});

describeWithKafka('a Kafka topic as the sink of receivers', () => {
  const broker = useBroker();
  afterEach(closeAll);

  for (const compression of ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const) {
    it(`writes what it reads again, compressed with ${compression}`, async () => {
      const topic = await broker.createTopic(3);
      const { log } = await open(broker.brokers, topic, { sink: { compression } });
      const appends = Array.from({ length: 60 }, (_, i) =>
        log.append([record(i % 3, `first ${i}`, `t${i % 2}`), record((i + 1) % 3, `second ${i}`)]),
      );
      await Promise.all(appends);
      const ends = await Promise.all([0, 1, 2].map((partition) => log.bounds(partition)));
      expect(ends.map(({ end }) => end)).toEqual([40, 40, 40]);
      const seen = new Collector();
      log.consume(fromStart(log), seen);
      await until('120 records', () => seen.records.length === 120);
      for (let i = 0; i < 60; i++) {
        expect(seen.records.filter(({ text }) => text.slice(2) === `first ${i}`)).toMatchObject([
          { partition: i % 3, tenant: `t${i % 2}`, encoding: 'otlp' },
        ]);
        expect(seen.records.filter(({ text }) => text.slice(2) === `second ${i}`)).toMatchObject([
          { partition: (i + 1) % 3, tenant: 'a' },
        ]);
      }
      expect(log.stats()).toMatchObject({ appendedRecords: 120, failedAppends: 0 });
    });
  }

  it('writes push-bytes with the tenant as key where the topic is read as push-bytes', async () => {
    const topic = await broker.createTopic(1);
    const { log } = await open(broker.brokers, topic, { encoding: 'push-bytes' });
    await log.append([record(0, 'x'.repeat(100), 'team')]);
    const seen = new Collector();
    log.consume(fromStart(log), seen);
    await until('the record', () => seen.records.length === 1);
    expect(seen.records[0]).toMatchObject({ tenant: 'team', encoding: 'push-bytes' });
    expect(seen.records[0]!.text).toBe(`\x12\x66\x0a\x64${'x'.repeat(100)}`);
  });

  it('refuses a record that the topic does not take, without harm to the others', async () => {
    const topic = await broker.createTopic(1, { 'max.message.bytes': '100000' });
    const { log } = await open(broker.brokers, topic, { sink: { batchBytes: 90_000 } });
    const large = log.append([{ partition: 0, tenant: 'a', encoding: 'otlp', bytes: Buffer.alloc(200_000) }]);
    const small = log.append([record(0, 'small')]);
    await expect(large).rejects.toMatchObject({ code: 'record_too_large' });
    await small;
    expect((await log.bounds(0)).end).toBe(1);
  });

  it('writes records one by one that are too large for the topic only together', async () => {
    const topic = await broker.createTopic(1, { 'max.message.bytes': '100000' });
    const { log } = await open(broker.brokers, topic);
    const appends = Array.from({ length: 10 }, (_, i) =>
      log.append([record(0, `${i}`), record(0, 'x'.repeat(30_000))]),
    );
    const large = log.append([record(0, 'x'.repeat(200_000))]);
    await expect(large).rejects.toMatchObject({ code: 'record_too_large' });
    await Promise.all(appends);
    const seen = new Collector();
    log.consume(fromStart(log), seen);
    await until('20 records', () => seen.records.length === 20);
    const small = seen.records.filter(({ sizeBytes }) => sizeBytes < 10);
    expect(small.map(({ text }) => text.slice(2))).toEqual(Array.from({ length: 10 }, (_, i) => `${i}`));
    expect(log.stats()).toMatchObject({ appendedRecords: 20, failedAppends: 1 });
  });

  it('takes nothing that its own readers could not read', async () => {
    const topic = await broker.createTopic(1);
    const { log } = await open(broker.brokers, topic, { encoding: 'jaeger_proto' });
    await expect(log.append([record(0, 'x')])).rejects.toMatchObject({ code: 'log_incompatible' });
    expect((await log.bounds(0)).end).toBe(0);
  });

  it('stores each record once although answers are lost and connections break', async () => {
    const topic = await broker.createTopic(2);
    const PRODUCE = 0;
    let produces = 0;
    const socketFactory: KafkaLogOptions['socketFactory'] = ({ host, port, onConnect }) => {
      const socket: Socket = net.connect({ host, port }, onConnect);
      const write = socket.write.bind(socket);
      socket.write = ((bytes: Buffer, ...rest: []) => {
        if (Buffer.isBuffer(bytes) && bytes.readInt16BE(4) === PRODUCE && ++produces % 4 === 2) {
          // The broker stores it; its answer gets lost.
          socket.removeAllListeners('data');
          socket.once('data', () => socket.destroy(Object.assign(new Error('cut'), { code: 'ECONNRESET' })));
        }
        return write(bytes, ...rest);
      }) as never;
      return socket;
    };
    const { log } = await open(broker.brokers, topic, { socketFactory });
    for (let i = 0; i < 20; i++) await log.append([record(0, `a${i}`), record(1, `b${i}`)]);
    expect(produces).toBeGreaterThan(20);
    const seen = new Collector();
    log.consume(fromStart(log), seen);
    await until('ends', () => new Set(seen.marks.map(({ partition }) => partition)).size === 2);
    expect(seen.records.map(({ text }) => text.slice(2)).toSorted()).toEqual(
      Array.from({ length: 20 }, (_, i) => [`a${i}`, `b${i}`])
        .flat()
        .toSorted(),
    );
  });

  it.skipIf(!broker.isOwn)(
    'waits for a broker that is away, and refuses with a reason after it is closed',
    async () => {
      const topic = await broker.createTopic(1);
      const { log } = await open(broker.brokers, topic);
      await log.append([record(0, 'before')]);
      await broker.stop('clean');
      const waiting = log.append([record(0, 'meanwhile')]);
      await broker.start();
      await waiting;
      expect((await log.bounds(0)).end).toBe(2);
      await log.close();
      await expect(log.append([record(0, 'late')])).rejects.toMatchObject({ code: 'log_closed' });
    },
  );
});
