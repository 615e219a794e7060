// Turns a request into the records that an exporter would write of it: what one record holds, its key, and its partition. The partition
// is chosen here, once: a client that chose again when it repeats a record would make a second one of it.

import { jaegerJson } from './jaeger-json.ts';
import { type JaegerSpan, jaegerSpans } from './jaeger-model.ts';
import { jaegerProto } from './jaeger-proto.ts';
import type { KafkaEncoding } from './names.ts';
import { otlpJson } from './otlp-json.ts';
import { otlpProto } from './otlp-proto.ts';
import { pushBytes, type Trace, tracesOf, traceToken } from './push-bytes.ts';
import { cutByTrace, type ResourceSpans, readRequest } from './read-request.ts';
import { zipkinJson } from './zipkin-json.ts';
import { zipkinSpans } from './zipkin-model.ts';
import { zipkinProto } from './zipkin-proto.ts';

export interface KafkaRecord {
  partition: number;
  key: string | null;
  value: Uint8Array;
  headers: Record<string, string>;
}

export interface RecordOptions {
  encoding: KafkaEncoding;
  /** By trace id: a trace's records share a partition. Otherwise each record goes to the next one. */
  isKeyed: boolean;
  /** Empty for none. */
  tenant: string;
  partitions: number;
}

const TENANT_HEADER = 'X-Scope-OrgID';
/** Tempo's name of the tenant where there are none. */
const NO_TENANT = 'single-tenant';

export function recordMaker(options: RecordOptions): (request: Uint8Array) => KafkaRecord[] {
  const { encoding, isKeyed, tenant, partitions } = options;
  const headers: Record<string, string> = tenant === '' ? {} : { [TENANT_HEADER]: tenant };
  let turn = 0;
  const nextPartition = () => turn++ % partitions;
  const record = (value: Uint8Array, traceId?: string): KafkaRecord =>
    traceId === undefined
      ? { partition: nextPartition(), key: null, value, headers }
      : { partition: keyPartition(traceId, partitions), key: traceId, value, headers };

  if (encoding === 'push-bytes') {
    const key = tenant || NO_TENANT;
    const pushRecord = (partition: number, traces: readonly Trace[]): KafkaRecord => {
      return { partition, key, value: pushBytes(traces), headers: {} };
    };
    return (request) => {
      const traces = tracesOf(readRequest(request));
      if (!isKeyed) return [pushRecord(nextPartition(), traces)];
      const groups = Map.groupBy(traces, ({ traceId }) => traceToken(key, traceId) % partitions);
      return Array.from(groups, ([partition, group]) => pushRecord(partition, group));
    };
  }
  if (encoding === 'jaeger_proto' || encoding === 'jaeger_json') {
    const encode: (span: JaegerSpan) => Uint8Array = encoding === 'jaeger_proto' ? jaegerProto : jaegerJson;
    return (request) =>
      Array.from(jaegerSpans(readRequest(request)), (span) => record(encode(span), isKeyed ? span.traceId : undefined));
  }
  const encode = ENCODERS[encoding];
  return (request) => {
    const resources = readRequest(request);
    if (!isKeyed) return [record(encode(resources))];
    return cutByTrace(resources).map(({ traceId, piece }) => record(encode([piece]), traceId));
  };
}

const ENCODERS = {
  otlp_proto: otlpProto,
  otlp_json: otlpJson,
  zipkin_proto: (resources: readonly ResourceSpans[]) => zipkinProto(zipkinSpans(resources)),
  zipkin_json: (resources: readonly ResourceSpans[]) => zipkinJson(zipkinSpans(resources)),
};

/** As the collector's default partitioner does (`sticky_key` with `sarama_compat`): FNV-1a as a signed number, without its sign. */
export function keyPartition(key: string, partitions: number): number {
  let hash = 0x811c9dc5 | 0;
  for (const byte of Buffer.from(key)) hash = Math.imul(hash ^ byte, 0x01000193);
  return Math.abs(hash % partitions);
}
