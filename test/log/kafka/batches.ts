// Record batches as another implementation writes them: kafkajs's encoder. Bits that it can't write are set afterwards.

import { createRequire } from 'node:module';
import { crc32c } from '../../../src/log/index.ts';
import { decompress, registerCodecs } from '../../../src/log/kafka/codecs.ts';

const require = createRequire(import.meta.url);
const { RecordBatch } = require('kafkajs/src/protocol/recordBatch/v0') as {
  RecordBatch(options: Record<string, unknown>): Promise<{ buffer: Buffer }>;
};
const encodeRecord = require('kafkajs/src/protocol/recordBatch/record/v0') as (
  options: Record<string, unknown>,
) => unknown;

registerCodecs();

export interface TestRecord {
  value: string | Buffer | null;
  key?: string;
  headers?: Record<string, string>;
  timestampMs?: number;
}

export interface BatchOptions {
  baseOffset?: number;
  codec?: number;
  producerId?: number;
  /** Added to the attributes: 8 append time, 16 transactional, 32 control. */
  attributes?: number;
}

export async function encodeBatch(records: TestRecord[], options: BatchOptions = {}): Promise<Buffer> {
  const { baseOffset = 0, codec = 0, producerId = -1, attributes = 0 } = options;
  const firstMs = records[0]?.timestampMs ?? 1_000;
  const times = records.map(({ timestampMs }) => timestampMs ?? 1_000);
  const { buffer } = await RecordBatch({
    compression: codec,
    firstTimestamp: firstMs,
    maxTimestamp: Math.max(0, ...times),
    producerId,
    producerEpoch: 0,
    firstSequence: 0,
    lastOffsetDelta: records.length - 1,
    records: records.map(({ key, value, headers }, i) =>
      encodeRecord({
        key: key ?? null,
        value: value ?? null,
        headers: headers ?? {},
        offsetDelta: i,
        timestampDelta: times[i]! - firstMs,
      }),
    ),
  });
  const bytes = Buffer.from(buffer);
  bytes.writeBigInt64BE(BigInt(baseOffset), 0);
  bytes.writeInt16BE(bytes.readInt16BE(21) | attributes, 21);
  return sealed(bytes);
}

/** The batch with a CRC that fits its bytes. */
export function sealed(bytes: Buffer): Buffer {
  bytes.writeUInt32BE(crc32c(bytes, 21), 17);
  return bytes;
}

export { decompress };
