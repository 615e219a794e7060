// Offsets and identities, from answers that are given here by hand.

import { describe, expect, it } from 'vitest';
import { crc32c } from '../../../src/log/index.ts';
import { createEnvelopeReader, type Transcode } from '../../../src/log/kafka/envelope.ts';
import { identify } from '../../../src/log/kafka/positions.ts';
import { encodeBatch } from './batches.ts';

/** What record 0 of a partition is told by, where its value is read in this way. */
async function identityOf(value: string, encoding: string, transcode?: Transcode) {
  const records = await encodeBatch([{ value, timestampMs: 5_000 }]);
  const part = { partition: 0, errorCode: 0, lastStable: 1, logStart: 0, aborted: [], records };
  const broker = {
    listOffsets: async (call: { topics: { partitions: { timestamp: string }[] }[] }) => {
      const offset = call.topics[0]!.partitions[0]!.timestamp === '-1' ? '1' : '0';
      return { responses: [{ topic: 't', partitions: [{ partition: 0, offset }] }] };
    },
    connectionPool: { send: async () => ({ errorCode: 0, partitions: [part] }) },
  };
  const connection = {
    topic: 't',
    onLeader: (_: number, run: (of: typeof broker) => unknown) => run(broker),
  } as never;
  const envelopes = createEnvelopeReader({
    encoding,
    isTenantId: () => true,
    ...(transcode === undefined ? {} : { transcode }),
  });
  return identify(connection, envelopes, 0, 0);
}

describe('the identity of a record', () => {
  it('has the CRC of its value where that is delivered as it is', async () => {
    const crc = crc32c(Buffer.from('value'));
    expect(await identityOf('value', 'otlp')).toEqual({ timestampMs: 5_000, crc });
    const passed = await identityOf('value', 'auto', (_, bytes) => ({ encoding: 'otlp', bytes }));
    expect(passed).toEqual({ timestampMs: 5_000, crc });
  });

  it('has none where it is made into something else, which the next version may do in another way', async () => {
    const made = await identityOf('value', 'other', () => ({ encoding: 'otlp', bytes: Buffer.from('made of it') }));
    expect(made).toEqual({ timestampMs: 5_000 });
  });
});
