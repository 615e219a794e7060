import { afterEach, expect, it } from 'vitest';
import { describeWithKafka, useBroker } from './broker.ts';
import { Collector, closeAll, fromStart, open, until } from './support.ts';

describeWithKafka('a topic that is deleted and made anew while it is read', () => {
  const broker = useBroker();
  afterEach(closeAll);

  it('is not read on as if it were the same, also if it is longer at once', async () => {
    const topic = await broker.createTopic(1);
    const value = Buffer.of(0x0a, 0x00);
    const producer = broker.kafka().producer();
    await producer.connect();
    await producer.send({ topic, messages: Array.from({ length: 10 }, () => ({ value })) });
    const { log } = await open(broker.brokers, topic);
    const collector = new Collector();
    log.consume(fromStart(log), collector);
    await until('the records', () => collector.records.length === 10);

    await broker.admin().deleteTopics({ topics: [topic] });
    const make = () => broker.admin().createTopics({ waitForLeaders: true, topics: [{ topic, numPartitions: 1 }] });
    await until('the topic to be gone', async () => make().catch(() => false));
    const again = broker.kafka().producer();
    await again.connect();
    await again.send({ topic, messages: Array.from({ length: 25 }, () => ({ value })) });
    await Promise.all([producer.disconnect(), again.disconnect()]);

    await until('the end of the reading', () => collector.errors.length > 0);
    expect(collector.errors[0]!.error.message).toContain('was deleted and made anew');
    expect(collector.records.length).toBe(10);
  });
});
