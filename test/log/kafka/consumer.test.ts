// What a consumer makes of a broker's answers, which are given here by hand. Against a real broker: test/integration/kafka.

import { afterEach, describe, expect, it } from 'vitest';
import { type LogBatch, LogError } from '../../../src/log/index.ts';
import { KafkaConsumer } from '../../../src/log/kafka/consumer.ts';
import { emptyStats } from '../../../src/log/kafka/counts.ts';
import { createEnvelopeReader } from '../../../src/log/kafka/envelope.ts';
import type { FetchedPartition } from '../../../src/log/kafka/fetch-response.ts';
import { encodeBatch } from './batches.ts';

const UNKNOWN_TOPIC_OR_PARTITION = 3;
const NOT_LEADER = 6;
const stops: (() => Promise<void>)[] = [];

afterEach(async () => {
  await Promise.all(stops.splice(0).map((stop) => stop()));
});

/** A consumer of partition 0 whose fetches are answered, one by one, with what `answer` is given. */
function consume() {
  const waiting: ((part: FetchedPartition) => void)[] = [];
  const fetches: PromiseWithResolvers<void>[] = [];
  const looks: (() => Promise<Buffer>)[] = [];
  const records: string[] = [];
  const errors: Error[] = [];
  const troubles: string[] = [];
  const answerOf = (part: FetchedPartition) => ({
    errorCode: 0,
    bytes: Buffer.alloc(0),
    partitions: [part],
    clientSideThrottleTime: 0,
  });
  const part = (recordBytes: Buffer, more: Partial<FetchedPartition> = {}): FetchedPartition => ({
    partition: 0,
    errorCode: 0,
    lastStable: 100,
    logStart: 0,
    aborted: [],
    records: recordBytes,
    ...more,
  });
  const connection = {
    topic: 't',
    leaderOf: () => 1,
    connect: async () => undefined,
    refresh: async () => undefined,
    recover: async () => undefined,
    onNode: () =>
      new Promise((resolve) => {
        waiting.push((answered) => resolve(answerOf(answered)));
        fetches.at(-1)?.resolve();
      }),
    onLeader: async () => answerOf(part(await looks.shift()!())),
  } as never;
  const consumer = new KafkaConsumer(
    new Map([[0, 0]]),
    {
      onBatch: ({ starts, bytes, count }: LogBatch) => {
        for (let i = 0; i < count; i++) records.push(Buffer.from(bytes.slice(starts[i]!, starts[i + 1]!)).toString());
      },
      onEnd: () => undefined,
      onError: (_, error) => errors.push(error),
    },
    {
      connection,
      topic: 't',
      envelopes: createEnvelopeReader({ encoding: 'otlp', isTenantId: () => true }),
      maxWaitMs: 1,
      partitionBytes: 1024,
      maxBytes: 1024,
      checkCrcs: true,
      stats: emptyStats(),
      now: () => 1_000,
      onSkipped: () => undefined,
      onTrouble: (what) => troubles.push(what),
      onStop: () => undefined,
    },
  );
  stops.push(() => consumer.stop());
  /** When the next fetch is under way, answers it. */
  const answer = async (recordBytes: Buffer, more: Partial<FetchedPartition> = {}) => {
    if (waiting.length === 0) {
      const asked = Promise.withResolvers<void>();
      fetches.push(asked);
      await asked.promise;
    }
    waiting.shift()!(part(recordBytes, more));
    await new Promise(setImmediate);
  };
  return { answer, looks, records, errors, troubles };
}

const NONE = Buffer.alloc(0);
const batch = (value: string, baseOffset: number, timestampMs: number) =>
  encodeBatch([{ value, timestampMs }], { baseOffset });

describe('a partition that was gone for a while', () => {
  it('is read on where its last record is still what it was', async () => {
    const { answer, looks, records, errors } = consume();
    await answer(await batch('a', 0, 1_000));
    await answer(NONE, { errorCode: UNKNOWN_TOPIC_OR_PARTITION });
    looks.push(() => batch('a', 0, 1_000));
    await answer(await batch('b', 1, 2_000));
    await answer(await batch('c', 2, 2_000));
    expect([records, errors, looks]).toEqual([['a', 'b', 'c'], [], []]);
  });

  it('is looked at again where it could not be looked at, before one record of it is delivered', async () => {
    const { answer, looks, records, errors, troubles } = consume();
    await answer(await batch('a', 0, 1_000));
    await answer(NONE, { errorCode: UNKNOWN_TOPIC_OR_PARTITION });
    looks.push(() => Promise.reject(new LogError('log_closed', 'cut')));
    await answer(await batch('b', 1, 2_000));
    expect(troubles.at(-1)).toBe('fetch from broker 1');
    // Said by one that does not lead it any more: nothing to look at.
    await answer(NONE, { errorCode: NOT_LEADER });
    looks.push(() => batch('x', 0, 1_500));
    await answer(await batch('b', 1, 2_000));
    expect(records).toEqual(['a']);
    expect(errors).toMatchObject([{ code: 'log_damaged' }]);
  });
});
