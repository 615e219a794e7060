// The decoder against protobufjs: what it reads, what it measures, what it refuses.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { DecodeError, Decoder, ExtractionPlan, type SpanBatch } from '../../src/otlp/index.ts';
import { KEYS, request, span } from './arbitrary.ts';
import { choices, noisy, varint } from './noisy-encoder.ts';
import { decode, encode, type FieldValue, type Message } from './otlp-proto.ts';

const PLAN_KEYS = ['http.method', 'db.system', 'abc', 'ab', 'x'.repeat(130), 'never.sent'];
const EMPTY = new Uint8Array(0);
const text = (s: string) => new TextEncoder().encode(s);

function decoder(): Decoder {
  return new Decoder(new ExtractionPlan(PLAN_KEYS));
}

/** One request with one span, without a resource. */
function requestOf(spanBytes: Uint8Array): Uint8Array {
  const field = (tag: number, body: Uint8Array) =>
    new Uint8Array(Buffer.concat([varint(tag), varint(body.length), body]));
  return field(10, field(18, field(18, spanBytes)));
}

function list(value: FieldValue | undefined): Message[] {
  return (value ?? []) as Message[];
}

/** The spans of a request as the batch should have them: read by protobufjs. */
function expectedSpans(message: Message): { span: Message; resource: Message; group: number }[] {
  return list(message['resourceSpans']).flatMap((rs, group) =>
    list(rs['scopeSpans']).flatMap((ss) =>
      list(ss['spans']).map((one) => ({ span: one, resource: (rs['resource'] ?? {}) as Message, group })),
    ),
  );
}

function slice(batch: SpanBatch, start: number, end: number): Uint8Array {
  return batch.bytes.slice(start, end);
}

function firstValue(attributes: Message[], key: string): Uint8Array | undefined {
  const found = attributes.find((a) => Buffer.compare((a['key'] ?? EMPTY) as Uint8Array, text(key)) === 0);
  return found && (found['value'] === undefined ? EMPTY : encode('AnyValue', found['value'] as Message));
}

/** Everything the batch holds of span i, in the words of the message. */
function readBack(d: Decoder, i: number): Record<string, unknown> {
  const b = d.batch;
  const at = (start: Int32Array, length: Int32Array) => slice(b, start[i]!, start[i]! + length[i]!);
  const resource = d.resources.get(b.resource[i]!);
  return {
    traceId: at(b.traceStart, b.traceLength),
    spanId: at(b.idStart, b.idLength),
    parentSpanId: at(b.parentStart, b.parentLength),
    name: slice(b, b.nameStart[i]!, b.nameEnd[i]!),
    traceState: slice(b, b.stateStart[i]!, b.stateEnd[i]!),
    message: slice(b, b.messageStart[i]!, b.messageEnd[i]!),
    kind: b.kind[i],
    code: b.status[i],
    start: BigInt(b.startHigh[i]!) * 2n ** 32n + BigInt(b.startLow[i]!),
    end: BigInt(b.endHigh[i]!) * 2n ** 32n + BigInt(b.endLow[i]!),
    size: b.sizeBytes[i],
    group: b.group[i],
    resourceSize: resource.sizeBytes,
    slots: PLAN_KEYS.map((_, s) => {
      const start = b.slotStart[i * b.slots + s]!;
      return start < 0 ? undefined : canonical(slice(b, start, b.slotEnd[i * b.slots + s]!));
    }),
    resourceSlots: PLAN_KEYS.map((_, s) => {
      const start = resource.slotStart[s]!;
      return start < 0 ? undefined : canonical(resource.bytes.slice(start, resource.slotEnd[s]!));
    }),
  };
}

function canonical(value: Uint8Array): Uint8Array {
  return encode('AnyValue', decode('AnyValue', value));
}

function wanted({
  span: s,
  resource,
  group,
}: {
  span: Message;
  resource: Message;
  group: number;
}): Record<string, unknown> {
  const status = (s['status'] ?? {}) as Message;
  return {
    traceId: s['traceId'] ?? EMPTY,
    spanId: s['spanId'] ?? EMPTY,
    parentSpanId: s['parentSpanId'] ?? EMPTY,
    name: s['name'] ?? EMPTY,
    traceState: s['traceState'] ?? EMPTY,
    message: status['message'] ?? EMPTY,
    kind: s['kind'] ?? 0,
    code: status['code'] ?? 0,
    start: s['startTimeUnixNano'] ?? 0n,
    end: s['endTimeUnixNano'] ?? 0n,
    size: encode('Span', s).length,
    group,
    resourceSize: encode('Resource', resource).length,
    slots: PLAN_KEYS.map((key) => firstValue(list(s['attributes']), key)),
    resourceSlots: PLAN_KEYS.map((key) => firstValue(list(resource['attributes']), key)),
  };
}

function check(bytes: Uint8Array, message: Message, d = decoder()): void {
  const batch = d.decode(bytes);
  const spans = expectedSpans(message);
  expect(batch.count).toBe(spans.length);
  spans.forEach((one, i) => {
    expect(readBack(d, i)).toEqual(wanted(one));
  });
  const sizes = list(message['resourceSpans']).map((rs) => encode('ResourceSpans', rs).length);
  expect(d.requestSizeBytes).toBe(sizes.reduce((a, b) => a + b, 0));
  expect(batch.groups).toBe(sizes.length);
}

describe('a decoded request', () => {
  test('is what protobufjs reads, and has the size that protobufjs writes, for canonical bytes', () => {
    const d = decoder();
    fc.assert(
      fc.property(request, (message) => {
        const bytes = encode('Request', message);
        check(bytes, decode('Request', bytes), d);
      }),
      { numRuns: 400 },
    );
  });

  test('is the same for any order of fields, repeated scalars, padded varints and unknown fields', () => {
    const d = decoder();
    fc.assert(
      fc.property(request, fc.integer(), (message, seed) => {
        const bytes = noisy('Request', message, choices(seed));
        const read = decode('Request', bytes);
        // The noise changes nothing of the meaning: else the test itself would be wrong.
        expect(encode('Request', read)).toEqual(encode('Request', message));
        check(bytes, read, d);
      }),
      { numRuns: 600 },
    );
  });

  test('is the same where the bytes are a window into a larger buffer', () => {
    fc.assert(
      fc.property(request, fc.nat(9), fc.nat(9), (message, before, after) => {
        const bytes = encode('Request', message);
        const larger = new Uint8Array(before + bytes.length + after).fill(10);
        larger.set(bytes, before);
        check(larger.subarray(before, before + bytes.length), message);
      }),
      { numRuns: 100 },
    );
  });

  test('has the seconds between start and end, and 0 where the end is first', () => {
    fc.assert(
      fc.property(fc.bigInt(0n, 2n ** 64n - 1n), fc.bigInt(0n, 2n ** 64n - 1n), (start, end) => {
        const d = decoder();
        d.decode(requestOf(encode('Span', { startTimeUnixNano: start, endTimeUnixNano: end })));
        expect(d.batch.seconds[0]).toBe(end > start ? Number(end - start) / 1e9 : 0);
      }),
    );
  });

  test('merges the parts of a resource that comes in several, whatever stands between them', () => {
    fc.assert(
      fc.property(request, fc.integer(), (message, seed) => {
        const below = choices(seed);
        const groups = list(message['resourceSpans']).map((rs) => {
          const attributes = list((rs['resource'] as Message | undefined)?.['attributes']);
          const cut = below(attributes.length + 1);
          const field = (tag: number, body: Uint8Array) => Buffer.concat([varint(tag), varint(body.length), body]);
          const scopes = list(rs['scopeSpans']).map((ss) => field(18, encode('ScopeSpans', ss)));
          const first = field(10, encode('Resource', { attributes: attributes.slice(0, cut) }));
          const second = field(10, encode('Resource', { attributes: attributes.slice(cut) }));
          const body = below(2) === 0 ? [first, ...scopes, second] : [...scopes, first, second];
          return {
            bytes: field(10, Buffer.concat(body)),
            merged: { resource: { attributes }, scopeSpans: list(rs['scopeSpans']) },
          };
        });
        check(new Uint8Array(Buffer.concat(groups.map((g) => g.bytes))), {
          resourceSpans: groups.map((g) => g.merged),
        });
      }),
      { numRuns: 200 },
    );
  });

  test('merges a status that comes in several parts', () => {
    const parts = [encode('Status', { code: 2 }), encode('Status', { message: text('no') }), encode('Status', {})];
    const bytes = Buffer.concat(parts.map((part) => Buffer.concat([varint(122), varint(part.length), part])));
    const d = decoder();
    d.decode(requestOf(new Uint8Array(bytes)));
    expect(d.batch.status[0]).toBe(2);
    expect(slice(d.batch, d.batch.messageStart[0]!, d.batch.messageEnd[0]!)).toEqual(text('no'));
    expect(d.batch.sizeBytes[0]).toBe(encode('Span', { status: { code: 2, message: text('no') } }).length);
  });

  test('counts an empty parent id as nothing and an empty status as two bytes', () => {
    const d = decoder();
    d.decode(requestOf(Uint8Array.of(0x22, 0, 0x7a, 0)));
    expect(d.batch.sizeBytes[0]).toBe(2);
  });

  test('lists every attribute of a key in order, for those that look past the first', () => {
    const attributes = [1n, 2n, 3n].map(
      (intValue, i): Message => ({ key: text(i === 1 ? 'other' : 'k'), value: { intValue } }),
    );
    const d = decoder();
    const bytes = requestOf(encode('Span', { attributes, name: text('n') }));
    d.decode(bytes);
    const values = d.batch
      .duplicates(0, text('k'))
      .map(([start, end]) => decode('AnyValue', bytes.slice(start, end))['intValue']);
    expect(values).toEqual([1n, 3n]);
  });

  test('leaves nothing of a larger request behind in a smaller one', () => {
    const d = decoder();
    fc.assert(
      fc.property(request, request, (before, message) => {
        d.decode(encode('Request', before));
        check(encode('Request', message), message, d);
      }),
      { numRuns: 100 },
    );
  });
});

describe('bytes that are no request', () => {
  /** protobufjs and the decoder may differ in these only: see the reference page on deviations. */
  function readable(bytes: Uint8Array): boolean {
    try {
      decode('Request', bytes);
      return true;
    } catch {
      return false;
    }
  }

  test('every truncation of a message is refused, or is itself a message that reads the same', () => {
    fc.assert(
      fc.property(request, fc.integer(), fc.boolean(), (message, seed, isNoisy) => {
        const bytes = isNoisy ? noisy('Request', message, choices(seed)) : encode('Request', message);
        for (let n = 0; n < bytes.length; n += 1 + Math.floor(bytes.length / 300)) {
          const cut = bytes.slice(0, n);
          const d = decoder();
          let refused = false;
          try {
            d.decode(cut);
          } catch (error) {
            expect(error).toBeInstanceOf(DecodeError);
            refused = true;
          }
          expect(refused).toBe(!readable(cut));
          if (!refused) check(cut, decode('Request', cut));
        }
      }),
      { numRuns: 60 },
    );
  });

  test('every truncation inside a span is refused, or is a span that reads the same', () => {
    fc.assert(
      fc.property(span, fc.integer(), fc.boolean(), (message, seed, isNoisy) => {
        const bytes = isNoisy ? noisy('Span', message, choices(seed)) : encode('Span', message);
        for (let n = 0; n < bytes.length; n += 1 + Math.floor(bytes.length / 300)) {
          const cut = requestOf(bytes.slice(0, n));
          const isReadable = readable(cut);
          if (isReadable) check(cut, decode('Request', cut));
          else expect(() => decoder().decode(cut)).toThrow(DecodeError);
        }
      }),
      { numRuns: 80 },
    );
  });

  test('an attribute tag as the last byte of a span is a truncated message', () => {
    for (const before of [new Uint8Array(0), encode('Span', { name: text('n') })]) {
      const bytes = requestOf(new Uint8Array([...before, 74]));
      expect(() => decoder().decode(bytes)).toThrow(expect.objectContaining({ reason: 'truncated' }));
    }
  });

  test('a length that reaches past its message is refused, also if the request goes on behind it', () => {
    const inner = Uint8Array.of(42, 5, 97);
    const bytes = new Uint8Array([...requestOf(inner), ...requestOf(encode('Span', { name: text('long enough') }))]);
    expect(() => decoder().decode(bytes)).toThrow(DecodeError);
  });

  test('changed bytes are refused or read as protobufjs reads them, and nothing else is thrown', () => {
    const d = decoder();
    fc.assert(
      fc.property(
        request,
        fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 3 }),
        (message, changes) => {
          const bytes = encode('Request', message);
          fc.pre(bytes.length > 0);
          for (const [at, value] of changes) bytes[at % bytes.length] = value;
          let refused = false;
          try {
            d.decode(bytes);
          } catch (error) {
            expect(error).toBeInstanceOf(DecodeError);
            refused = true;
          }
          // protobufjs passes over what the decoder refuses (groups, wrong wire types, overlong varints); never the reverse.
          if (!readable(bytes)) expect(refused).toBe(true);
        },
      ),
      { numRuns: 1500 },
    );
  });

  test('random bytes are refused or read, and nothing else is thrown', () => {
    const d = decoder();
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        try {
          d.decode(bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(DecodeError);
        }
      }),
      { numRuns: 3000 },
    );
  });

  test('values nested deeper than 64 are refused, 64 are read', () => {
    const field = (tag: number, body: Uint8Array) => Buffer.concat([varint(tag), varint(body.length), body]);
    const bytes = (depth: number) => {
      let value: Uint8Array = Uint8Array.of(16, 1);
      for (let i = 0; i < depth; i++) value = field(42, field(10, value));
      return requestOf(field(74, Buffer.concat([field(10, text('k')), field(18, value)])));
    };
    expect(() => decoder().decode(bytes(64))).not.toThrow();
    expect(() => decoder().decode(bytes(65))).toThrow(expect.objectContaining({ reason: 'depth' }));
    expect(() => decoder().decode(bytes(3_000))).toThrow(expect.objectContaining({ reason: 'depth' }));
  });

  test('a damaged resource is refused each time it comes', () => {
    const broken = Uint8Array.of(10, 4, 10, 2, 10, 9);
    const d = decoder();
    for (let i = 0; i < 3; i++) expect(() => d.decode(broken)).toThrow(DecodeError);
    check(encode('Request', { resourceSpans: [{ resource: {} }] }), { resourceSpans: [{ resource: {} }] }, d);
  });
});

describe('a resource', () => {
  test('is worked out once for equal bytes and apart for different ones', () => {
    const d = decoder();
    const of = (name: string) => ({
      resource: { attributes: [{ key: text('service.name'), value: { stringValue: text(name) } }] },
    });
    const names = Array.from({ length: 3000 }, (_, i) => `service-${i % 1500}`);
    const batch = d.decode(encode('Request', { resourceSpans: names.map(of) }));
    expect(d.resources.count).toBe(1500);
    names.forEach((name, g) => {
      expect(d.resources.get(batch.groupResource[g]!).text(text('service.name'))).toEqual(text(name));
    });
  });

  test('is forgotten with all others once there are too many, between requests only', () => {
    const d = decoder();
    const of = (i: number) => ({
      resource: { attributes: [{ key: text('service.name'), value: { intValue: BigInt(i) } }] },
    });
    d.decode(encode('Request', { resourceSpans: Array.from({ length: 17_000 }, (_, i) => of(i)) }));
    expect(d.resources.count).toBe(17_000);
    const { generation } = d.resources;
    d.decode(encode('Request', { resourceSpans: [of(5)] }));
    expect(d.resources.count).toBe(1);
    expect(d.resources.generation).toBeGreaterThan(generation);
    expect(d.resources.get(d.batch.groupResource[0]!).text(text('service.name'))).toEqual(text('5'));
  });
});

test('the keys of these tests include ones that the plan has and ones that it has not', () => {
  expect(KEYS.some((key) => PLAN_KEYS.includes(key))).toBe(true);
  expect(KEYS.some((key) => !PLAN_KEYS.includes(key))).toBe(true);
});
