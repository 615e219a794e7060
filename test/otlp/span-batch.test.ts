// What is read again from a decoded request, the attributes of a span and the scopes, against protobufjs.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Decoder, ExtractionPlan, type SpanBatch } from '../../src/otlp/index.ts';
import { request } from './arbitrary.ts';
import { choices, noisy } from './noisy-encoder.ts';
import { decode, encode, type FieldValue, type Message } from './otlp-proto.ts';

const EMPTY = new Uint8Array(0);
const list = (value: FieldValue | undefined): Message[] => (value ?? []) as Message[];
const bytesOf = (value: FieldValue | undefined): Uint8Array => (value ?? EMPTY) as Uint8Array;
const canonical = (value: Uint8Array) => encode('AnyValue', decode('AnyValue', value));

function scopeSpansOf(message: Message): Message[] {
  return list(message['resourceSpans']).flatMap((group) => list(group['scopeSpans']));
}

/** At an offset in a larger buffer, as requests come. */
function decoded(decoder: Decoder, bytes: Uint8Array): SpanBatch {
  const memory = new Uint8Array(bytes.length + 9);
  memory.set(bytes, 5);
  return decoder.decode(memory.subarray(5, 5 + bytes.length));
}

function attributesOf(batch: SpanBatch, span: number): [key: Uint8Array, value: Uint8Array][] {
  const found: [Uint8Array, Uint8Array][] = [];
  batch.firstAttribute(span);
  while (batch.nextAttribute()) {
    const { bytes, keyStart, keyEnd, valueStart, valueEnd } = batch;
    found.push([bytes.slice(keyStart, keyEnd), canonical(bytes.slice(valueStart, valueEnd))]);
  }
  return found;
}

/** Name and version of the scope of each span. */
function scopesOf(batch: SpanBatch): [name: Uint8Array, version: Uint8Array][] {
  batch.findScopes();
  const { bytes, scopeRanges, scopes } = batch;
  const ranges = Array.from({ length: scopes }, (_, i) => [...scopeRanges.subarray(5 * i, 5 * i + 5)]);
  return Array.from({ length: batch.count }, (_, span) => {
    const [, ...range] = ranges.find(([end]) => batch.spanStart[span]! < end!)!;
    return [bytes.slice(range[0], range[1]), bytes.slice(range[2], range[3])];
  });
}

describe('a decoded request read again', () => {
  const decoder = new Decoder(new ExtractionPlan(['http.method']));

  test.each<[string, (message: Message, seed: number) => Uint8Array]>([
    ['canonical bytes', (message) => encode('Request', message)],
    ['any order of fields', (message, seed) => noisy('Request', message, choices(seed))],
  ])('has the attributes of every span and the scope that each is in, from %s', (_, bytesFrom) => {
    fc.assert(
      fc.property(request, fc.integer(), (message, seed) => {
        const bytes = bytesFrom(message, seed);
        const batch = decoded(decoder, bytes);
        const scopeSpans = scopeSpansOf(decode('Request', bytes));
        const spans = scopeSpans.flatMap((one) => list(one['spans']));
        expect(spans.map((_, i) => attributesOf(batch, i))).toEqual(
          spans.map((span) =>
            list(span['attributes']).map(({ key, value }) => [
              bytesOf(key),
              encode('AnyValue', (value ?? {}) as Message),
            ]),
          ),
        );
        expect(scopesOf(batch)).toEqual(
          scopeSpans.flatMap((one) => {
            const { name, version } = (one['scope'] ?? {}) as Message;
            return list(one['spans']).map(() => [bytesOf(name), bytesOf(version)]);
          }),
        );
      }),
      { numRuns: 200 },
    );
  });

  test('has of a scope that comes twice the last of each field', () => {
    const field = (tag: number, ...parts: Uint8Array[]) => {
      const body = Buffer.concat(parts);
      return new Uint8Array([tag, body.length, ...body]);
    };
    const text = (tag: number, value: string) => field(tag, Buffer.from(value));
    const scopes = [field(10, text(10, 'a'), text(18, '1')), field(10, text(10, 'b'))];
    const batch = decoded(decoder, field(10, field(18, scopes[0]!, text(18, ''), scopes[1]!)));
    expect(scopesOf(batch)).toEqual([[new Uint8Array(Buffer.from('b')), new Uint8Array(Buffer.from('1'))]]);
  });

  test('has no attributes of the span after', () => {
    const spans = [{}, { attributes: [{ key: new Uint8Array([97]) }] }];
    const batch = decoded(decoder, encode('Request', { resourceSpans: [{ scopeSpans: [{ spans }] }] }));
    expect([0, 1, 0].map((span) => attributesOf(batch, span).length)).toEqual([0, 1, 0]);
    expect(batch.nextAttribute()).toBe(false);
  });
});
