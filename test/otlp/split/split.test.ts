import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { transcodeRequestObject } from '../../../src/otlp/json/index.ts';
import { admitRequest, partitionOf, splitByTrace } from '../../../src/otlp/split/index.ts';
import { decodeRequest, flatten } from './reference.ts';

const hexId = (bytes: number) =>
  fc.uint8Array({ minLength: bytes, maxLength: bytes }).map((id) => Buffer.from(id).toString('hex'));
const traceId = fc.oneof(hexId(16), fc.constantFrom('aa'.repeat(16), '00'.repeat(16), 'ab', '', 'cd'.repeat(20)));
const attributes = fc.array(
  fc.record({
    key: fc.string({ maxLength: 5 }),
    value: fc.oneof(fc.record({ stringValue: fc.string({ maxLength: 200 }) }), fc.constant({})),
  }),
  { maxLength: 3 },
);
const span = fc.record({ traceId, spanId: hexId(8), name: fc.string({ maxLength: 10 }), attributes });
const scopeSpans = fc.record(
  {
    scope: fc.record({ name: fc.string({ maxLength: 5 }) }),
    spans: fc.array(span, { maxLength: 6 }),
    schemaUrl: fc.string({ maxLength: 5 }),
  },
  { requiredKeys: [] },
);
const resourceSpans = fc.record(
  {
    resource: fc.record({ attributes }),
    scopeSpans: fc.array(scopeSpans, { maxLength: 4 }),
    schemaUrl: fc.string({ maxLength: 5 }),
  },
  { requiredKeys: [] },
);
const request = fc
  .tuple(fc.array(resourceSpans, { maxLength: 4 }), fc.constantFrom('plain' as const, 'collector' as const))
  .map(([list, profile]) => transcodeRequestObject({ resourceSpans: list }, { profile }));

const traceOf = (flat: { span: { traceId?: string } }) => Buffer.from(flat.span.traceId ?? '', 'base64');

describe('for any request', () => {
  const check = (predicate: (bytes: Uint8Array, partitions: number, tenant: string) => void) => {
    fc.assert(fc.property(request, fc.integer({ min: 1, max: 9 }), fc.constantFrom('a', 'tenant-é'), predicate), {
      numRuns: 300,
    });
  };

  test('the parts hold its spans, each with what it inherits, and in their order', () => {
    check((bytes, partitions, tenant) => {
      const parts = splitByTrace(bytes, partitions, tenant);
      const whole = flatten(bytes);
      for (const part of parts) {
        expect(flatten(part.bytes)).toEqual(
          whole.filter((flat) => partitionOf(tenant, traceOf(flat), partitions) === part.partition),
        );
      }
      expect(parts.reduce((sum, part) => sum + flatten(part.bytes).length, 0)).toBe(whole.length);
    });
  });

  test('the parts ascend by partition, and none is empty', () => {
    check((bytes, partitions, tenant) => {
      const parts = splitByTrace(bytes, partitions, tenant);
      const ids = parts.map((part) => part.partition);
      expect(ids).toEqual([...new Set(ids)].sort((a, b) => a - b));
      for (const part of parts) expect(flatten(part.bytes).length).toBeGreaterThan(0);
    });
  });

  test('a split part has no scope or resource without a span', () => {
    check((bytes, partitions, tenant) => {
      const parts = splitByTrace(bytes, partitions, tenant);
      if (parts.length < 2) return;
      for (const part of parts) {
        for (const resource of decodeRequest(part.bytes).resourceSpans!) {
          expect(resource.scopeSpans?.length).toBeGreaterThan(0);
          for (const scope of resource.scopeSpans!) expect(scope.spans?.length).toBeGreaterThan(0);
        }
      }
    });
  });

  test('splitting a part again gives the part itself', () => {
    check((bytes, partitions, tenant) => {
      for (const part of splitByTrace(bytes, partitions, tenant)) {
        const again = splitByTrace(part.bytes, partitions, tenant);
        expect(again).toHaveLength(1);
        expect(again[0]!.bytes).toBe(part.bytes);
        expect(again[0]!.partition).toBe(part.partition);
      }
    });
  });

  test('the spans and their odd ids are counted', () => {
    check((bytes, partitions, tenant) => {
      const { spans, oddIds } = admitRequest(bytes, partitions, tenant);
      const whole = flatten(bytes);
      const isOdd = (id: unknown, size: number) => {
        const buffer = Buffer.from((id as string | undefined) ?? '', 'base64');
        return buffer.length !== size || buffer.every((byte) => byte === 0);
      };
      expect(spans).toBe(whole.length);
      expect(oddIds).toBe(whole.filter(({ span: s }) => isOdd(s.traceId, 16) || isOdd(s['spanId'], 8)).length);
    });
  });
});

const spanOf = (trace: string, name: string) => ({ traceId: trace, spanId: '01'.repeat(8), name });

/** Two trace ids that lie in different ones of two partitions. */
function twoTraces(): [string, string] {
  const ids = Array.from({ length: 100 }, (_, i) => Buffer.concat([Buffer.alloc(15, 7), Buffer.from([i])]));
  const first = ids.find((id) => partitionOf('t', id, 2) === 0)!;
  const second = ids.find((id) => partitionOf('t', id, 2) === 1)!;
  return [first.toString('hex'), second.toString('hex')];
}

test('a request whose spans all go to one partition is handed on as it is', () => {
  const [a] = twoTraces();
  const bytes = transcodeRequestObject({
    resourceSpans: [{ scopeSpans: [{ spans: [spanOf(a, 'x'), spanOf(a, 'y')] }, {}] }, {}],
  });
  expect(splitByTrace(bytes, 2, 't')).toEqual([{ partition: 0, bytes }]);
  expect(splitByTrace(bytes, 2, 't')[0]!.bytes).toBe(bytes);
});

test('with one partition everything goes to it, whatever the trace ids', () => {
  const [a, b] = twoTraces();
  const bytes = transcodeRequestObject({
    resourceSpans: [{ scopeSpans: [{ spans: [spanOf(a, 'x'), spanOf(b, 'y')] }] }],
  });
  expect(splitByTrace(bytes, 1, 't')[0]!.bytes).toBe(bytes);
});

test('a request without spans has no parts', () => {
  for (const value of [
    {},
    { resourceSpans: [] },
    { resourceSpans: [{ resource: {}, scopeSpans: [{ scope: { name: 'n' }, spans: [] }] }] },
  ]) {
    expect(admitRequest(transcodeRequestObject(value), 4, 't')).toEqual({ parts: [], spans: 0, oddIds: 0 });
  }
});

test('unknown fields of the request, the resource spans, the scope spans and the spans are kept in every part', () => {
  const [a, b] = twoTraces();
  const unknown = (text: string) => Buffer.concat([Buffer.from([0xfa, 1, text.length]), Buffer.from(text)]);
  const delimited = (number: number, ...body: Buffer[]) => {
    const whole = Buffer.concat(body);
    const size = whole.length < 128 ? [whole.length] : [(whole.length & 127) | 128, whole.length >> 7];
    return Buffer.concat([Buffer.from([number * 8 + 2, ...size]), whole]);
  };
  const spanBytes = (trace: string, name: string) =>
    delimited(2, delimited(1, Buffer.from(trace, 'hex')), delimited(5, Buffer.from(name)), unknown(`in-${name}`));
  const scope = (...spans: Buffer[]) =>
    delimited(2, spans[0]!, unknown('in-scope'), ...spans.slice(1), delimited(3, Buffer.from('url')));
  const bytes = Buffer.concat([
    unknown('before'),
    delimited(1, unknown('in-resource'), scope(spanBytes(a, 'a1'), spanBytes(b, 'b1'), spanBytes(a, 'a2'))),
    unknown('after'),
  ]);
  const parts = splitByTrace(bytes, 2, 't').map((part) => Buffer.from(part.bytes));
  const expected = (...spans: Buffer[]) =>
    Buffer.concat([
      unknown('before'),
      unknown('after'),
      delimited(
        1,
        unknown('in-resource'),
        delimited(2, unknown('in-scope'), delimited(3, Buffer.from('url')), ...spans),
      ),
    ]);
  expect(parts).toEqual([expected(spanBytes(a, 'a1'), spanBytes(a, 'a2')), expected(spanBytes(b, 'b1'))]);
});

test('a trace id that stands in the span twice counts as the last one', () => {
  const [a, b] = twoTraces();
  const id = (trace: string) => [10, 16, ...Buffer.from(trace, 'hex')];
  const body = [...id(a), ...id(b)];
  const bytes = Uint8Array.from([10, body.length + 4, 18, body.length + 2, 18, body.length, ...body]);
  expect(splitByTrace(bytes, 2, 't')).toEqual([{ partition: 1, bytes }]);
});

test('parts longer than 16383 bytes have right lengths', () => {
  const [a, b] = twoTraces();
  const long = (trace: string) => ({ ...spanOf(trace, 'n'.repeat(3000)) });
  const spans = Array.from({ length: 20 }, (_, i) => long(i % 2 ? a : b));
  const parts = splitByTrace(transcodeRequestObject({ resourceSpans: [{ scopeSpans: [{ spans }] }] }), 2, 't');
  expect(parts.map((part) => flatten(part.bytes).length)).toEqual([10, 10]);
});

test('more spans than fit the first buffers are split as well', () => {
  const [a, b] = twoTraces();
  const spans = Array.from({ length: 70_000 }, (_, i) => ({ traceId: i % 3 ? a : b }));
  const { parts, spans: count } = admitRequest(
    transcodeRequestObject({ resourceSpans: [{ scopeSpans: [{ spans }] }] }),
    2,
    't',
  );
  expect(count).toBe(70_000);
  expect(parts.map((part) => decodeRequest(part.bytes).resourceSpans![0]!.scopeSpans![0]!.spans!.length)).toEqual([
    46_666, 23_334,
  ]);
});

describe('the partition of a trace', () => {
  test('is FNV-1a of 32 bits over the tenant and the id, modulo the partitions', () => {
    // Published vectors of the hash: "a" and "foobar".
    expect(partitionOf('a', new Uint8Array(0), 2 ** 32)).toBe(0xe40c292c);
    expect(partitionOf('foo', Buffer.from('bar'), 2 ** 32)).toBe(0xbf9cf968);
    expect(partitionOf('', new Uint8Array(0), 2 ** 32)).toBe(0x811c9dc5);
    expect(partitionOf('foo', Buffer.from('bar'), 10)).toBe(0xbf9cf968 % 10);
  });

  test('spreads random ids evenly', () => {
    let seed = 1;
    const random = () => {
      seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
      return seed >>> 24;
    };
    for (const partitions of [4, 7, 16]) {
      const counts = new Array<number>(partitions).fill(0);
      for (let i = 0; i < 16_000; i++) {
        const partition = partitionOf('tenant', Uint8Array.from({ length: 16 }, random), partitions);
        counts[partition] = counts[partition]! + 1;
      }
      const mean = 16_000 / partitions;
      for (const count of counts) expect(Math.abs(count - mean)).toBeLessThan(mean * 0.15);
    }
  });
});
