import { beforeEach, describe, expect, it } from 'vitest';
import { ENCODINGS, type LogBatch } from '../../src/log/index.ts';
import { TraceWatch } from '../../src/shard/index.ts';

/** An ExportTraceServiceRequest of one span that has nothing but a trace id. */
function request(trace: number): Uint8Array {
  const id = Buffer.alloc(16);
  id.writeUInt32BE(trace, 12);
  const field = (tag: number, body: Uint8Array) => Buffer.concat([Buffer.of(tag, body.length), body]);
  return field(0x0a, field(0x12, field(0x12, field(0x0a, id))));
}

function batch(values: Uint8Array[], readAtMs: number): LogBatch {
  const starts = Uint32Array.of(
    0,
    ...values.map((_, i) => values.slice(0, i + 1).reduce((sum, v) => sum + v.length, 0)),
  );
  return {
    partition: 0,
    count: values.length,
    offsets: Float64Array.from(values, (_, i) => i),
    timestampsMs: Float64Array.from(values, () => readAtMs),
    encodings: Uint8Array.from(values, () => ENCODINGS.indexOf('otlp')),
    tenants: ['a'],
    tenantOf: new Uint16Array(values.length),
    starts,
    bytes: new Uint8Array(Buffer.concat(values)),
    readAtMs,
  };
}

const traces = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => request(from + i));

describe('a watch over traces', () => {
  let warnings: number;
  let watch: TraceWatch;
  beforeEach(() => {
    warnings = 0;
    watch = new TraceWatch(() => {
      warnings++;
    });
  });

  it('says nothing of a topic that is keyed by trace, whatever comes twice to one shard', () => {
    for (let turn = 0; turn < 3; turn++) {
      watch.see(0, batch(traces(0, 500), 6_000));
      watch.see(1, batch(traces(500, 1_000), 6_500));
    }
    expect([watch.splitTraces, warnings]).toEqual([0, 0]);
  });

  it('warns once a look when traces come to several shards', () => {
    watch.see(0, batch(traces(0, 500), 6_000));
    watch.see(1, batch(traces(100, 300), 6_500));
    watch.see(2, batch(traces(100, 300), 6_900));
    expect([watch.splitTraces, warnings]).toEqual([200, 1]);
    watch.see(0, batch(traces(0, 10), 12_000));
    watch.see(1, batch(traces(0, 10), 12_100));
    expect([watch.splitTraces, warnings]).toEqual([210, 2]);
  });

  it('looks only now and then, and forgets between two looks', () => {
    watch.see(0, batch(traces(0, 100), 6_000));
    watch.see(1, batch(traces(0, 100), 8_000));
    watch.see(1, batch(traces(0, 100), 12_000));
    expect(watch.splitTraces).toBe(0);
  });

  it('passes over what is no request', () => {
    watch.see(0, batch([Uint8Array.of(0xff, 0xff), ...traces(0, 5)], 6_000));
    watch.see(1, batch([Uint8Array.of(0x0a, 0x50), ...traces(0, 5)], 6_000));
    expect(watch.splitTraces).toBe(5);
  });
});
