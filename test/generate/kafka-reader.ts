// Reads records back: as OTLP requests, whatever their encoding.
import type { KafkaEncoding } from '../../src/generate/kafka/names.ts';
import { type RecordEncoding, transcode } from '../../src/otlp/foreign/index.ts';
import { readPushBytes } from '../../src/otlp/index.ts';

export const wireName = (encoding: KafkaEncoding): RecordEncoding => (encoding === 'otlp_proto' ? 'otlp' : encoding);

export function requestsOf(encoding: KafkaEncoding, value: Uint8Array): Uint8Array[] {
  const { encoding: form, bytes } = transcode(wireName(encoding), value);
  if (form === 'otlp') return [bytes];
  return readPushBytes(bytes).traces.map(({ start, end }) => bytes.subarray(start, end));
}
