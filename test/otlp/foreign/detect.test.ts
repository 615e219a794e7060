import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  detectEncoding,
  RECORD_ENCODINGS,
  RecordDecodeError,
  type RecordEncoding,
  transcode,
} from '../../../src/otlp/foreign/index.ts';
import { transcodeRequestObject } from '../../../src/otlp/json/index.ts';
import { flatten } from '../split/reference.ts';
import { type Jaeger, jaegerJson, jaegerProto, type Zipkin, zipkinJson, zipkinProto } from './encoders.ts';

const hex = (bytes: number) =>
  fc.uint8Array({ minLength: bytes, maxLength: bytes }).map((id) => Buffer.from(id).toString('hex'));
const name = fc.string({ unit: 'grapheme', maxLength: 200 });
const tags = fc.dictionary(name, name, { maxKeys: 5 });
const micros = fc.integer({ min: 1, max: 2_000_000_000_000_000 });

const zipkins: fc.Arbitrary<Zipkin[]> = fc.array(
  fc.record(
    {
      traceId: fc.oneof(hex(16), hex(8)),
      id: hex(8),
      parentId: hex(8),
      name,
      kind: fc.constantFrom('CLIENT', 'SERVER', 'PRODUCER', 'CONSUMER'),
      timestamp: micros,
      duration: fc.nat(),
      localEndpoint: fc.record({ serviceName: name }),
      tags,
    },
    { requiredKeys: ['traceId', 'id'] },
  ) as fc.Arbitrary<Zipkin>,
  { minLength: 1, maxLength: 4 },
);

const jaegers: fc.Arbitrary<Jaeger> = fc.record(
  {
    traceId: hex(16),
    spanId: hex(8),
    operationName: name,
    startNano: micros.map((us) => BigInt(us) * 1000n),
    flags: fc.nat(3),
    tags: tags.map((map) => Object.entries(map).map(([key, value]) => ({ key, value }))),
    process: fc.record({ serviceName: name }),
  },
  { requiredKeys: ['traceId', 'spanId', 'operationName'] },
);

const requests = fc.array(
  fc.record({
    resource: fc.record({ attributes: attributes() }),
    schemaUrl: fc.constantFrom('', 'https://opentelemetry.io/schemas/1.6.1'),
    scopeSpans: fc.array(
      fc.record({ scope: fc.record({ name }), spans: fc.array(fc.record({ traceId: hex(16), spanId: hex(8), name })) }),
      { maxLength: 3 },
    ),
  }),
  { maxLength: 3 },
);

function attributes() {
  return tags.map((map) => Object.entries(map).map(([key, value]) => ({ key, value: { stringValue: value } })));
}

type Requests = typeof requests extends fc.Arbitrary<infer T> ? T : never;
const otlp = (resourceSpans: Requests, profile: 'plain' | 'collector') =>
  transcodeRequestObject({ resourceSpans }, { profile });

function pushBytes(traces: readonly Uint8Array[], flag: boolean): Uint8Array {
  const field = (tag: number, body: Uint8Array) => {
    const head = [tag];
    let size = body.length;
    for (; size >= 128; size >>>= 7) head.push((size & 127) | 128);
    return Buffer.concat([Buffer.from([...head, size]), body]);
  };
  const ids = traces.map((_, i) => field(0x1a, Buffer.alloc(16, i + 1)));
  return Buffer.concat([...traces.map((trace) => field(0x12, trace)), ...ids, Buffer.from(flag ? [0x28, 1] : [])]);
}

describe('a record is told to be', () => {
  const told = <T>(
    encoding: RecordEncoding,
    arbitrary: fc.Arbitrary<T>,
    encode: (value: T) => Uint8Array,
    from = '',
  ) => {
    it(`${encoding}${from}`, () => {
      fc.assert(
        fc.property(arbitrary, (value) => {
          const bytes = encode(value);
          expect(detectEncoding(bytes)).toBe(encoding);
          expect(() => transcode(encoding, bytes)).not.toThrow();
        }),
        { numRuns: 300 },
      );
    });
  };
  told('otlp', requests, (value) => otlp(value, 'plain'));
  told('otlp', requests, (value) => otlp(value, 'collector'), ' from a collector, whose fields descend');
  told('otlp_json', requests, (resourceSpans) => Buffer.from(JSON.stringify({ resourceSpans })));
  told('push-bytes', fc.tuple(fc.array(requests, { minLength: 1, maxLength: 3 }), fc.boolean()), ([values, flag]) =>
    pushBytes(
      values.map((value) => otlp(value, 'plain')),
      flag,
    ),
  );
  told('jaeger_proto', jaegers, jaegerProto);
  told('jaeger_json', jaegers, jaegerJson);
  told('zipkin_proto', zipkins, zipkinProto);
  told('zipkin_json', zipkins, zipkinJson);
  told(
    'zipkin_json',
    zipkins,
    (value) => Buffer.from(`\ufeff\n ${JSON.stringify(value, null, 2)}`),
    ' with space around it and a mark before it',
  );
});

describe('what is told apart', () => {
  const detectText = (text: string) => detectEncoding(Buffer.from(text));

  it.each<[string, RecordEncoding | undefined]>([
    ['', 'otlp'],
    ['{}', 'otlp_json'],
    ['{"resource_spans":[]}', 'otlp_json'],
    ['{"later":{"a":["}",{}],"b":"\\"{"},"resourceSpans":[]}', 'otlp_json'],
    ['[]', 'zipkin_json'],
    ['null', 'zipkin_json'],
    ['nulls', undefined],
    ['\n{"resourceSpans":[]}', 'otlp_json'],
    ['{"traceId":"AAAAAAAAAAAAAAAAAAAAAQ=="}', 'jaeger_json'],
    ['{"tags":[{"key":"resourceSpans"}],"operation_name":"x"}', 'jaeger_json'],
    ['{"hello":"world"}', undefined],
    ['{"traceId":"a"', undefined],
    ['{"traceId"', undefined],
    ['{"a', undefined],
    ['{', undefined],
    ['[', undefined],
    ['[1]', undefined],
    ['"text"', undefined],
    ['hello', undefined],
    [' ', undefined],
  ])('%j is %s', (text, encoding) => expect(detectText(text)).toBe(encoding));

  it('a newline before JSON is not taken for a tag, nor a tag for a newline', () => {
    // A ResourceSpans of 123 bytes: the record begins with "\n{".
    const scopeSpans = [{ scope: { name: 'x'.repeat(117) } }];
    const bytes = transcodeRequestObject({ resourceSpans: [{ scopeSpans }] });
    expect([...bytes.subarray(0, 2)]).toEqual([0x0a, 0x7b]);
    expect(detectEncoding(bytes)).toBe('otlp');
  });

  it('a Zipkin span of nothing but ids is Zipkin’s', () => {
    const bytes = zipkinProto([{ traceId: '11'.repeat(16), parentId: '22'.repeat(8), id: '33'.repeat(8) }]);
    expect(detectEncoding(bytes)).toBe('zipkin_proto');
  });

  it('a record that is cut off is none, unless the cut is between two fields', () => {
    const whole = zipkinProto([{ traceId: '11'.repeat(16), id: '33'.repeat(8), kind: 'CLIENT', name: 'x' }]);
    for (let size = 1; size < whole.length; size++) expect(detectEncoding(whole.subarray(0, size))).toBeUndefined();
  });

  it('random bytes are hardly ever anything, and never an exception', () => {
    let told = 0;
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 200 }), (bytes) => {
        const encoding = detectEncoding(bytes);
        if (encoding === undefined) return;
        told++;
        attempt(encoding, bytes);
      }),
      { numRuns: 5000, seed: 7 },
    );
    expect(told).toBeLessThan(50);
  });
});

function attempt(encoding: RecordEncoding, bytes: Uint8Array): void {
  try {
    const { encoding: to, bytes: out } = transcode(encoding, bytes);
    if (to === 'otlp' && encoding !== 'otlp') flatten(out);
  } catch (error) {
    expect(error).toBeInstanceOf(RecordDecodeError);
    expect((error as RecordDecodeError).encoding).toBe(encoding);
  }
}

describe('transcoding', () => {
  it('passes otlp and push-bytes through as they are', () => {
    const bytes = Uint8Array.of(1, 2, 3);
    expect(transcode('otlp', bytes)).toEqual({ encoding: 'otlp', bytes });
    expect(transcode('push-bytes', bytes).bytes).toBe(bytes);
  });

  it('of any bytes in any encoding ends in a request or in a RecordDecodeError', () => {
    const anything = fc.oneof(
      fc.uint8Array({ maxLength: 100 }),
      fc.json().map((text) => Buffer.from(text)),
    );
    fc.assert(
      fc.property(anything, fc.constantFrom(...RECORD_ENCODINGS), (bytes, encoding) => attempt(encoding, bytes)),
      { numRuns: 3000 },
    );
  });

  it('of a record with one byte changed ends in a request or in a RecordDecodeError', () => {
    const good = fc.oneof(
      jaegers.map((value) => ['jaeger_proto', jaegerProto(value)] as const),
      jaegers.map((value) => ['jaeger_json', jaegerJson(value)] as const),
      zipkins.map((value) => ['zipkin_proto', zipkinProto(value)] as const),
      zipkins.map((value) => ['zipkin_json', zipkinJson(value)] as const),
    );
    fc.assert(
      fc.property(good, fc.nat(), fc.nat(255), ([encoding, whole], at, byte) => {
        const bytes = Uint8Array.from(whole);
        bytes[at % bytes.length] = byte;
        attempt(encoding, bytes);
        detectEncoding(bytes);
      }),
      { numRuns: 2000 },
    );
  });
});
