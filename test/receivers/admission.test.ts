import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { transcodeRequestObject } from '../../src/otlp/json/index.ts';
import { type BodyFormat, decodeBody } from '../../src/receivers/admission/decode-body.ts';
import { createAdmission } from '../../src/receivers/index.ts';
import { type Zipkin, zipkinJson, zipkinProto } from '../otlp/foreign/encoders.ts';
import { flatten } from '../otlp/split/reference.ts';
import { HeldWorkers } from './admission-threads.ts';
import { until } from './harness.ts';

const stay = () => false;
const inPlace = createAdmission({ mainThreadBytes: Infinity });
const inWorker = createAdmission({ mainThreadBytes: -1 });
afterAll(() => inWorker.stop());

/** What becomes of a body, as plain data. */
async function outcome(admission: typeof inPlace, bytes: Uint8Array, format: BodyFormat, partitions: number) {
  try {
    const { parts, spans, oddIds } = await admission.admit(bytes, { format, partitions, tenant: 't' }, stay);
    return { spans, oddIds, parts: parts.map((part) => [part.partition, Buffer.from(part.bytes).toString('latin1')]) };
  } catch (error) {
    const { name, reason, field, message } = error as Error & { reason?: string; field?: string };
    return { name, reason, field, message };
  }
}

const hex = (length: number) => fc.integer({ min: 1, max: 0xffff }).map((n) => n.toString(16).padStart(length, '0'));
const otlpSpan = fc.record(
  {
    traceId: fc.oneof({ weight: 9, arbitrary: hex(32) }, { weight: 1, arbitrary: fc.constantFrom('', 'abcd', 'x') }),
    spanId: hex(16),
    name: fc.string({ maxLength: 8 }),
    kind: fc.constantFrom(0, 3, 'SPAN_KIND_SERVER', 'SPAN_KIND_NONE'),
    startTimeUnixNano: fc.constantFrom('1760000000000000001', 1760000000000000000, -1),
    attributes: fc.array(fc.record({ key: fc.string(), value: fc.record({ intValue: fc.integer() }) }), {
      maxLength: 3,
    }),
    unknown: fc.jsonValue({ maxDepth: 3 }),
  },
  { requiredKeys: [] },
);
const otlp = fc.array(otlpSpan, { maxLength: 8 }).map((spans) => ({
  resourceSpans: [{ resource: { attributes: [] }, scopeSpans: [{ scope: { name: 's' }, spans }] }],
}));
const zipkinSpans: fc.Arbitrary<Zipkin[]> = fc.array(
  fc.record({
    traceId: hex(16),
    id: hex(16),
    name: fc.string({ maxLength: 8 }),
    timestamp: fc.integer({ min: 0, max: 2 ** 40 }),
    duration: fc.integer({ min: 0, max: 2 ** 20 }),
    localEndpoint: fc.record({ serviceName: fc.string({ maxLength: 4 }) }),
  }),
  { maxLength: 6 },
);
const protobufOf = (value: unknown): Uint8Array => {
  try {
    return transcodeRequestObject(value);
  } catch {
    return Buffer.from('neither one nor the other');
  }
};
const body: fc.Arbitrary<[BodyFormat, Uint8Array]> = fc.oneof(
  otlp.map((value): [BodyFormat, Uint8Array] => ['otlp_proto', protobufOf(value)]),
  otlp.map((value): [BodyFormat, Uint8Array] => ['otlp_json', Buffer.from(JSON.stringify(value))]),
  zipkinSpans.map((spans): [BodyFormat, Uint8Array] => ['zipkin_proto', zipkinProto(spans)]),
  zipkinSpans.map((spans): [BodyFormat, Uint8Array] => ['zipkin_json', Buffer.from(zipkinJson(spans))]),
);
/** Some bytes become others, and the end may be missing. */
const damage = fc.record({
  changes: fc.array(fc.tuple(fc.nat(2_000), fc.nat(255)), { maxLength: 2 }),
  cut: fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.nat(20) }),
});

describe('a body that is decoded in a worker', () => {
  test('becomes the same parts, or is refused with the same words, as on the main thread', async () => {
    const seen = new Set<string>();
    await fc.assert(
      fc.asyncProperty(body, damage, fc.integer({ min: 1, max: 5 }), async ([format, whole], { changes, cut }, n) => {
        const bytes = Uint8Array.from(whole.subarray(0, whole.length - Math.min(cut, whole.length)));
        for (const [position, value] of changes) if (position < bytes.length) bytes[position] = value;
        const expected = await outcome(inPlace, bytes.slice(), format, n);
        expect(await outcome(inWorker, bytes, format, n)).toEqual(expected);
        seen.add('reason' in expected ? `${format} ${expected.reason}` : format);
      }),
      { numRuns: 500 },
    );
    // Of every format some were good and some were not.
    expect([...seen].sort()).toEqual([
      'otlp_json',
      'otlp_json bad_json',
      'otlp_proto',
      'otlp_proto bad_protobuf',
      'zipkin_json',
      'zipkin_json bad_json',
      'zipkin_proto',
      'zipkin_proto bad_protobuf',
    ]);
  });

  test('moves there if it owns its memory, and is copied if it shares it', async () => {
    const bytes = transcodeRequestObject({ resourceSpans: [{ scopeSpans: [{ spans: [{ name: 'a' }] }] }] });
    const shared = Buffer.concat([Buffer.from('before'), bytes]).subarray(6);
    const task = { format: 'otlp_proto', partitions: 1, tenant: 't' } as const;
    const expected = Buffer.from(bytes);
    for (const [given, lengthAfter] of [
      [bytes, 0],
      [shared, expected.length],
    ] as const) {
      const { parts } = await inWorker.admit(given, task, stay);
      expect(Buffer.from(parts[0]!.bytes)).toEqual(expected);
      expect(given.length).toBe(lengthAfter);
    }
  });
});

describe('a body that would take too much to read is refused before it is parsed', () => {
  const faultOf = (bytes: Uint8Array, format: BodyFormat, partitions = 1) => {
    try {
      decodeBody(bytes, { format, partitions, tenant: 't' });
    } catch (error) {
      return error;
    }
    return undefined;
  };
  const tooComplex = (message: RegExp) =>
    expect.objectContaining({ reason: 'too_complex', message: expect.stringMatching(message) });

  test.each(['otlp_json', 'zipkin_json'] as const)('as %s of too many values', (format) => {
    expect(faultOf(Buffer.alloc(17_000_000, '['), format)).toEqual(
      tooComplex(/^the body holds 17000000 values, more than/),
    );
  });

  test('but not for commas and brackets in its texts', () => {
    const name = Buffer.alloc(17_000_000, '[');
    const json = Buffer.concat([
      Buffer.from('{"resourceSpans":[{"scopeSpans":[{"spans":[{"name":"\\"'),
      name,
      Buffer.from('"}]}]}]}'),
    ]);
    expect(faultOf(json, 'otlp_json')).toBeUndefined();
  });

  test('where 64-bit numbers without quotes need a second parse, sooner', () => {
    const of = (time: string) =>
      Buffer.from(
        `{"resourceSpans":[{"scopeSpans":[{"spans":[{"startTimeUnixNano":${time}}]}]}],"x":[${'0,'.repeat(3_100_000)}0]}`,
      );
    expect(faultOf(of('"1760000000000000001"'), 'otlp_json')).toBeUndefined();
    expect(faultOf(of('1760000000000000001'), 'otlp_json')).toEqual(tooComplex(/64-bit numbers without quotes/));
  });

  test('and one whose spans share more than may be copied to their partitions', () => {
    const spans = Array.from({ length: 100 }, (_, i) => ({
      traceId: i.toString(16).padStart(32, 'a'),
      spanId: '0b'.repeat(8),
    }));
    const attributes = [{ key: 'large', value: { stringValue: 'x'.repeat(8_000_000) } }];
    const bytes = transcodeRequestObject({ resourceSpans: [{ resource: { attributes }, scopeSpans: [{ spans }] }] });
    expect(faultOf(bytes, 'otlp_proto', 8)).toBeUndefined();
    expect(faultOf(bytes, 'otlp_proto', 16)).toEqual(tooComplex(/copied into more than 67108864 bytes/));
  });
});

describe('bodies that wait for a worker', () => {
  const named = (name: string, sizeBytes: number) =>
    transcodeRequestObject({
      resourceSpans: [{ scopeSpans: [{ spans: [{ name, traceState: 'x'.repeat(sizeBytes) }] }] }],
    });
  const MIDDLING = 512 * 1024;
  const LARGE = 5 * 1024 * 1024;

  function start() {
    const workers = new HeldWorkers();
    const admission = createAdmission({ startWorker: workers.start, idleMs: 0 });
    const order: string[] = [];
    const admit = async (name: string, sizeBytes: number, tenant = 't', isGone = stay) => {
      const task = { format: 'otlp_proto', partitions: 1, tenant } as const;
      const { parts } = await admission.admit(named(name, sizeBytes), task, isGone);
      order.push(flatten(parts[0]!.bytes)[0]!.span.name!);
    };
    return { workers, admission, order, admit };
  }

  test('take turns by tenant, however many one has sent', async () => {
    const { workers, order, admit } = start();
    const all = [
      admit('a1', MIDDLING, 'a'),
      admit('a2', MIDDLING, 'a'),
      admit('a3', MIDDLING, 'a'),
      admit('b1', MIDDLING, 'b'),
      admit('b2', MIDDLING, 'b'),
      admit('c1', MIDDLING, 'c'),
    ];
    workers.release();
    await Promise.all(all);
    expect(order).toEqual(['a1', 'a2', 'b1', 'c1', 'a3', 'b2']);
    expect(workers.started).toBe(1);
  });

  test('do not wait for a larger one, and small ones wait for none', async () => {
    const large = new HeldWorkers();
    const others = new HeldWorkers();
    others.release();
    const admission = createAdmission({ startWorker: () => (large.started === 0 ? large.start() : others.start()) });
    let isLargeDone = false;
    const task = { format: 'otlp_proto', partitions: 1, tenant: 't' } as const;
    const first = Promise.resolve(admission.admit(named('large', LARGE), task, stay)).then(() => {
      isLargeDone = true;
    });
    expect(await admission.admit(named('middling', MIDDLING), task, stay)).toMatchObject({ spans: 1 });
    expect(admission.admit(named('small', 10), task, stay)).toMatchObject({ spans: 1 });
    expect(isLargeDone).toBe(false);
    large.release();
    await first;
    admission.stop();
  });

  test('are passed over if nobody waits for them any more', async () => {
    const { workers, order, admit } = start();
    const first = admit('first', MIDDLING);
    const gone = admit('gone', MIDDLING, 't', () => true);
    const last = admit('last', MIDDLING);
    workers.release();
    await expect(gone).rejects.toThrow('the client went away');
    await Promise.all([first, last]);
    expect(order).toEqual(['first', 'last']);
  });

  test('have a worker that is started for them, and ends when there is nothing left to do', async () => {
    const { workers, admit } = start();
    workers.release();
    await admit('small', 10);
    expect(workers.started).toBe(0);
    await admit('one', MIDDLING);
    await until(() => workers.exited === 1);
    await admit('two', MIDDLING);
    expect(workers.started).toBe(2);
  });
});
