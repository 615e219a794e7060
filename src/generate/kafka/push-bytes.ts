// Tempo's record: several traces, each a request of its own, and their ids. Its distributor makes a ResourceSpans of each resource and
// scope of a trace, and encodes them as the collector does.
import { ProtoWriter } from '../proto-writer.ts';
import { otlpProto } from './otlp-proto.ts';
import { cutByTrace, type ResourceSpans } from './read-request.ts';

export interface Trace {
  traceId: string;
  resources: ResourceSpans[];
}

/** In the order of the traces' first spans. */
export function tracesOf(resources: readonly ResourceSpans[]): Trace[] {
  const traces = new Map<string, Trace>();
  for (const { traceId, piece } of cutByTrace(resources)) {
    let trace = traces.get(traceId);
    if (trace === undefined) {
      trace = { traceId, resources: [] };
      traces.set(traceId, trace);
    }
    for (const scope of piece.scopes) trace.resources.push({ ...piece, scopes: [scope] });
  }
  return [...traces.values()];
}

/** Fields: 2 traces, 3 trace ids. */
export function pushBytes(traces: readonly Trace[]): Uint8Array {
  const writer = new ProtoWriter(64 * 1024);
  for (const { resources } of traces) writer.field(0x12, otlpProto(resources));
  for (const { traceId } of traces) writer.field(0x1a, Buffer.from(traceId, 'hex'));
  return writer.copy();
}

/** What Tempo chooses a partition by: FNV-1 of the tenant and the trace id, 32 bits. */
export function traceToken(tenant: string, traceId: string): number {
  let hash = 0x811c9dc5;
  for (const byte of Buffer.concat([Buffer.from(tenant), Buffer.from(traceId, 'hex')])) {
    hash = Math.imul(hash, 0x01000193) ^ byte;
  }
  return hash >>> 0;
}
