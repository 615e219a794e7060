// Random OTLP messages for property tests: sizes around the edges of one- and two-byte lengths, enum values out of range, values of
// every type.

import fc from 'fast-check';
import type { Message } from './otlp-proto.ts';

const encoder = new TextEncoder();
const bytes = (max: number) => fc.uint8Array({ maxLength: max });

/** Keys that a plan in a test may name, and others. */
export const KEYS = [
  'http.method',
  'http.route',
  'db.system',
  'peer.service',
  'a',
  'ab',
  'abc',
  'k8s.pod.name',
  'x'.repeat(130),
];

const key = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(...KEYS).map((text) => encoder.encode(text)) },
  { weight: 1, arbitrary: bytes(6) },
);
const text = fc.oneof(
  { weight: 5, arbitrary: fc.string({ maxLength: 12, unit: 'grapheme' }).map((s) => encoder.encode(s)) },
  { weight: 1, arbitrary: bytes(8) },
  {
    weight: 1,
    arbitrary: fc
      .constantFrom(123, 124, 125, 126, 127, 128, 129, 16_379, 16_384)
      .map((n) => new Uint8Array(n).fill(97)),
  },
);
const int64 = fc.oneof(
  fc.constantFrom(0n, 1n, -1n, 127n, 128n, 2n ** 53n + 1n, 2n ** 63n - 1n, -(2n ** 63n)),
  fc.bigInt(-1000n, 1000n),
);
const fixed64 = fc.oneof(fc.constantFrom(0n, 1n, 2n ** 32n, 2n ** 64n - 1n), fc.bigInt(0n, 2n ** 63n));
const count = fc.oneof(fc.constantFrom(0, 1, 127, 128, 2 ** 32 - 1), fc.nat(1000));
const int32 = fc.oneof(fc.constantFrom(0, 1, 2, 3, 4, 5, 6, 127, 128, -1, -(2 ** 31), 2 ** 31 - 1), fc.nat(5));

export const anyValue: fc.Arbitrary<Message> = fc.letrec<{ value: Message; pair: Message }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    { weight: 6, arbitrary: text.map((stringValue): Message => ({ stringValue })) },
    { weight: 1, arbitrary: fc.constant<Message>({}) },
    { weight: 1, arbitrary: fc.boolean().map((boolValue): Message => ({ boolValue })) },
    { weight: 2, arbitrary: int64.map((intValue): Message => ({ intValue })) },
    { weight: 1, arbitrary: fc.double().map((doubleValue): Message => ({ doubleValue })) },
    { weight: 1, arbitrary: bytes(140).map((bytesValue): Message => ({ bytesValue })) },
    { weight: 1, arbitrary: int32.map((stringValueStrindex): Message => ({ stringValueStrindex })) },
    {
      weight: 1,
      arbitrary: fc.array(tie('value'), { maxLength: 3 }).map((values): Message => ({ arrayValue: { values } })),
    },
    {
      weight: 1,
      arbitrary: fc.array(tie('pair'), { maxLength: 3 }).map((values): Message => ({ kvlistValue: { values } })),
    },
  ),
  pair: record({
    key,
    value: tie('value'),
    keyStrindex: fc.oneof({ weight: 9, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: int32 }),
  }),
})).value;

/** Every field present or not. */
function record(fields: Record<string, fc.Arbitrary<unknown>>): fc.Arbitrary<Message> {
  return fc.record(fields, { requiredKeys: [] }) as fc.Arbitrary<Message>;
}

export const keyValue: fc.Arbitrary<Message> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ key, value: anyValue }) as fc.Arbitrary<Message> },
  { weight: 1, arbitrary: record({ key, value: anyValue, keyStrindex: int32 }) },
);
const attributes = fc.array(keyValue, { maxLength: 5 });
const id = (n: number) =>
  fc.oneof(
    { weight: 6, arbitrary: fc.uint8Array({ minLength: n, maxLength: n }) },
    { weight: 1, arbitrary: bytes(40) },
  );

export const event = record({ timeUnixNano: fixed64, name: text, attributes, droppedAttributesCount: count });
export const link = record({
  traceId: id(16),
  spanId: id(8),
  traceState: text,
  attributes,
  droppedAttributesCount: count,
  flags: count,
});
export const span: fc.Arbitrary<Message> = record({
  traceId: id(16),
  spanId: id(8),
  traceState: text,
  parentSpanId: id(8),
  name: text,
  kind: int32,
  startTimeUnixNano: fixed64,
  endTimeUnixNano: fixed64,
  attributes,
  droppedAttributesCount: count,
  events: fc.array(event, { maxLength: 2 }),
  droppedEventsCount: count,
  links: fc.array(link, { maxLength: 2 }),
  droppedLinksCount: count,
  status: record({ message: text, code: int32 }),
  flags: count,
});
const scope = record({ name: text, version: text, attributes, droppedAttributesCount: count });
export const scopeSpans: fc.Arbitrary<Message> = record({
  scope,
  spans: fc.array(span, { maxLength: 3 }),
  schemaUrl: text,
});
// Entity references are left out: their size is taken as it was sent.
export const resource: fc.Arbitrary<Message> = record({ attributes, droppedAttributesCount: count });
export const request: fc.Arbitrary<Message> = fc
  .array(record({ resource, scopeSpans: fc.array(scopeSpans, { maxLength: 2 }), schemaUrl: text }), { maxLength: 3 })
  .map((resourceSpans): Message => ({ resourceSpans }));
