import { afterEach, expect, it } from 'vitest';
import { describeWithKafka, useBroker } from './broker.ts';
import { Collector, closeAll, open, until } from './support.ts';

describeWithKafka('records that nobody can read', () => {
  const broker = useBroker();
  afterEach(closeAll);

  it('are copied with their key, value and headers, and with where they came from', async () => {
    const [topic, dead] = [await broker.createTopic(2), await broker.createTopic(1)];
    const producer = broker.kafka().producer();
    await producer.connect();
    const good = Buffer.of(0x0a, 0x00);
    const bad = Buffer.from('no protobuf at all');
    await producer.send({
      topic,
      messages: [
        { partition: 1, value: good },
        { partition: 1, key: 'k', value: bad, headers: { origin: 'somewhere' } },
        { partition: 1, value: good, headers: { 'X-Scope-OrgID': '../..' } },
        { partition: 1, value: good },
      ],
    });
    await producer.disconnect();
    const { log } = await open(broker.brokers, topic, { encoding: 'auto', deadLetterTopic: dead });
    const letters: { key: string | undefined; value: Buffer; headers: Record<string, string> }[] = [];
    const consumer = broker.kafka().consumer({ groupId: `dead-${dead}` });
    try {
      const collector = new Collector();
      const reading = log.consume(new Map([[1, 0]]), collector);
      await until('the good ones', () => collector.records.length === 2);
      // What the fold finds wrong is copied too.
      log.deadLetter({ partition: 1, offset: 3, reason: 'truncated' });
      log.deadLetter({ partition: 1, offset: 99, reason: 'truncated' });
      await until('the copies', () => log.stats().deadLetters === 3 && log.stats().lostDeadLetters === 1);
      await reading.stop();
      await consumer.connect();
      await consumer.subscribe({ topic: dead, fromBeginning: true });
      await consumer.run({
        eachMessage: async ({ message: { key, value, headers } }) => {
          const texts = Object.entries(headers ?? {}).map(([name, text]) => [name, String(text)]);
          letters.push({ key: key?.toString(), value: value!, headers: Object.fromEntries(texts) });
        },
      });
      await until('the letters', () => letters.length === 3);
    } finally {
      await consumer.disconnect();
    }
    const from = { 'spanmill.topic': topic, 'spanmill.partition': '1' };
    letters.sort((a, b) => Number(a.headers['spanmill.offset']) - Number(b.headers['spanmill.offset']));
    expect(letters).toEqual([
      {
        key: 'k',
        value: bad,
        headers: { ...from, origin: 'somewhere', 'spanmill.offset': '1', 'spanmill.reason': 'undecodable' },
      },
      {
        key: undefined,
        value: good,
        headers: { ...from, 'X-Scope-OrgID': '../..', 'spanmill.offset': '2', 'spanmill.reason': 'invalid_tenant' },
      },
      { key: undefined, value: good, headers: { ...from, 'spanmill.offset': '3', 'spanmill.reason': 'truncated' } },
    ]);
  });

  it('cost nothing else where their topic is missing', async () => {
    const topic = await broker.createTopic(1);
    const producer = broker.kafka().producer();
    await producer.connect();
    await producer.send({ topic, messages: [{ value: 'rubbish' }, { value: Buffer.of(0x0a, 0x00) }] });
    await producer.disconnect();
    const { log } = await open(broker.brokers, topic, { encoding: 'auto', deadLetterTopic: 'nobody-made-it' });
    const collector = new Collector();
    log.consume(new Map([[0, 0]]), collector);
    await until('the good one', () => collector.records.length === 1);
    await until('the loss to be counted', () => log.stats().lostDeadLetters === 1);
    expect(collector.errors).toEqual([]);
  });
});
