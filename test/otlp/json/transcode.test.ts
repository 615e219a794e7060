import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { OtlpJsonError, transcodeJson, transcodeRequestObject } from '../../../src/otlp/json/index.ts';
import { validateRequest } from '../../../src/otlp/split/index.ts';
import { decodeRequest, encodeAs, type Plain, type PlainSpan } from '../split/reference.ts';

const transcodeText = (text: string) => transcodeJson(Buffer.from(text));

const requestOf = (span: object) => ({ resourceSpans: [{ scopeSpans: [{ spans: [span] }] }] });

function spanOf(span: object): PlainSpan {
  return decodeRequest(transcodeText(JSON.stringify(requestOf(span)))).resourceSpans![0]!.scopeSpans![0]!.spans![0]!;
}

function attribute(value: unknown): unknown {
  const attributes = spanOf({ attributes: [{ key: 'k', value }] })['attributes'] as Plain[];
  return attributes[0]!['value'];
}

function faultOf(body: string): { reason: string; message: string } {
  try {
    transcodeText(body);
  } catch (error) {
    if (error instanceof OtlpJsonError) return { reason: error.reason, message: error.message };
    throw error;
  }
  throw new Error('was accepted');
}

const spanFault = (span: object) => faultOf(JSON.stringify(requestOf(span)));
const AT = 'resourceSpans[0].scopeSpans[0].spans[0]';

describe('names and absence', () => {
  test('a field may have its lowerCamelCase or its original name', () => {
    const camel = transcodeText(JSON.stringify(requestOf({ startTimeUnixNano: '5', droppedLinksCount: 2 })));
    const original = {
      resource_spans: [{ scope_spans: [{ spans: [{ start_time_unix_nano: '5', dropped_links_count: 2 }] }] }],
    };
    expect(transcodeRequestObject(original)).toEqual(camel);
  });

  test('unknown fields are ignored, whatever they hold', () => {
    expect(spanOf({ name: 'a', nosuch: [[{}]], toString: 1, 'trace-id': 5 })).toEqual({ name: 'a' });
    expect(transcodeText('{"resourceSpans":[],"__proto__":{"resourceSpans":5}}')).toHaveLength(0);
  });

  test('null is absent', () => {
    expect(spanOf({ name: 'a', traceId: null, attributes: null, status: null, kind: null })).toEqual({ name: 'a' });
    expect(attribute({ stringValue: 'x', intValue: null })).toEqual({ stringValue: 'x' });
    expect(attribute(null)).toBeUndefined();
  });

  test('zero values are left out in canonical form, but not inside an attribute value', () => {
    expect(
      transcodeRequestObject(requestOf({ name: '', kind: 0, flags: 0, startTimeUnixNano: '0', traceId: '' })),
    ).toEqual(encodeAs('Request', requestOf({})));
    expect(attribute({ boolValue: false })).toEqual({ boolValue: false });
    expect(attribute({ intValue: '0' })).toEqual({ intValue: '0' });
    expect(attribute({ doubleValue: 0 })).toEqual({ doubleValue: 0 });
    expect(attribute({ stringValue: '' })).toEqual({ stringValue: '' });
    expect(attribute({ bytesValue: '' })).toEqual({ bytesValue: '' });
    expect(attribute({ arrayValue: {} })).toEqual({ arrayValue: {} });
  });

  test('a request with nothing in it is empty', () => {
    expect(transcodeText('{}')).toHaveLength(0);
  });

  test('a byte order mark before the JSON is skipped', () => {
    expect(transcodeText('\ufeff{}')).toHaveLength(0);
  });
});

describe('numbers', () => {
  test.each([
    ['"18446744073709551615"', '18446744073709551615'],
    ['18446744073709551615', '18446744073709551615'],
    ['1767225641475000123', '1767225641475000123'],
    ['"1767225641475000123"', '1767225641475000123'],
    ['9007199254740993', '9007199254740993'],
    ['1e18', '1000000000000000000'],
    ['"1e3"', '1000'],
    ['2.0', '2'],
    ['"0000000000000000000000000012"', '12'],
  ])('time %s is %s', (json, expected) => {
    const body = `{"resourceSpans":[{"scopeSpans":[{"spans":[{"startTimeUnixNano":${json}}]}]}]}`;
    const span = decodeRequest(transcodeText(body)).resourceSpans![0]!.scopeSpans![0]!.spans![0]!;
    expect(span['startTimeUnixNano']).toBe(expected);
  });

  test('an int64 keeps every digit, in quotes or not', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), fc.boolean(), (value, quoted) => {
        const json = quoted ? `"${value}"` : `${value}`;
        const body = `{"resourceSpans":[{"resource":{"attributes":[{"value":{"intValue":${json}}}]}}]}`;
        const resource = decodeRequest(transcodeText(body)).resourceSpans![0]!['resource'] as { attributes: Plain[] };
        expect(resource.attributes[0]!['value']).toEqual({ intValue: `${value}` });
      }),
    );
  });

  test.each([
    ['startTimeUnixNano', '"18446744073709551616"', 'out of range'],
    ['startTimeUnixNano', '"-1"', 'out of range'],
    ['startTimeUnixNano', '1e300', 'out of range'],
    ['startTimeUnixNano', '1e999', 'out of range'],
    ['startTimeUnixNano', '"99999999999999999999999999"', 'out of range'],
    ['startTimeUnixNano', '1.5', 'not an integer'],
    ['startTimeUnixNano', '""', 'not an integer'],
    ['startTimeUnixNano', '"-"', 'not an integer'],
    ['startTimeUnixNano', '"0x10"', 'not an integer'],
    ['startTimeUnixNano', '" 1"', 'not an integer'],
    ['startTimeUnixNano', 'true', 'not an integer'],
    ['flags', '4294967296', 'out of range'],
    ['flags', '-1', 'out of range'],
    ['droppedEventsCount', '"4294967296"', 'out of range'],
    ['kind', '2147483648', 'out of range'],
    ['kind', '1.5', 'not an integer or a name'],
  ])('%s of %s is %s', (field, json, what) => {
    const body = `{"resourceSpans":[{"scopeSpans":[{"spans":[{"${field}":${json}}]}]}]}`;
    expect(faultOf(body).message).toBe(`${AT}.${field}: ${what}`);
  });

  test('an int64 beyond its range is refused', () => {
    const at = (value: string) =>
      faultOf(`{"resourceSpans":[{"resource":{"attributes":[{"value":{"intValue":${value}}}]}}]}`).message;
    const path = 'resourceSpans[0].resource.attributes[0].value.intValue';
    expect(at('9223372036854775808')).toBe(`${path}: out of range`);
    expect(at('"9223372036854775808"')).toBe(`${path}: out of range`);
    expect(at('"-9223372036854775809"')).toBe(`${path}: out of range`);
  });

  test('doubles may be numbers, decimal strings or the three names', () => {
    expect(attribute({ doubleValue: 1e21 })).toEqual({ doubleValue: 1e21 });
    expect(attribute({ doubleValue: '-0' })).toEqual({ doubleValue: -0 });
    expect(attribute({ doubleValue: '-1.5e-3' })).toEqual({ doubleValue: -1.5e-3 });
    expect(attribute({ doubleValue: 'NaN' })).toEqual({ doubleValue: Number.NaN });
    expect(attribute({ doubleValue: 'Infinity' })).toEqual({ doubleValue: Number.POSITIVE_INFINITY });
    expect(attribute({ doubleValue: '-Infinity' })).toEqual({ doubleValue: Number.NEGATIVE_INFINITY });
    for (const value of ['nan', '+Infinity', '', '1.', '.5', '0x1', '1e999', {}, [], true]) {
      expect(spanFault({ attributes: [{ value: { doubleValue: value } }] }).message).toBe(
        `${AT}.attributes[0].value.doubleValue: not a double`,
      );
    }
    expect(faultOf('{"resourceSpans":[{"resource":{"attributes":[{"value":{"doubleValue":1e999}}]}}]}').reason).toBe(
      'range',
    );
  });

  test('a 64-bit number elsewhere in the body does not change a double or a count', () => {
    const body = `{"resourceSpans":[{"scopeSpans":[{"spans":[{"endTimeUnixNano":1767225641475000123,"droppedLinksCount":3,
      "attributes":[{"key":"d","value":{"doubleValue":12345678901234567890}}]}]}]}]}`;
    expect(decodeRequest(transcodeText(body)).resourceSpans![0]!.scopeSpans![0]!.spans![0]).toEqual({
      endTimeUnixNano: '1767225641475000123',
      droppedLinksCount: 3,
      attributes: [{ key: 'd', value: { doubleValue: Number('12345678901234567890') } }],
    });
  });

  test('enums may be numbers, known or not, or names', () => {
    expect(spanOf({ kind: 3 })).toEqual({ kind: 3 });
    expect(spanOf({ kind: 'SPAN_KIND_CONSUMER' })).toEqual({ kind: 5 });
    expect(spanOf({ kind: 99 })).toEqual({ kind: 99 });
    expect(spanOf({ kind: -7 })).toEqual({ kind: -7 });
    expect(spanOf({ status: { code: 'STATUS_CODE_ERROR' } })).toEqual({ status: { code: 2 } });
    expect(spanFault({ kind: 'CLIENT' }).message).toBe(`${AT}.kind: no value is named "CLIENT"`);
    expect(spanFault({ kind: 'toString' }).reason).toBe('enum');
  });
});

describe('text and bytes', () => {
  test('ids are hex of either case and any even length', () => {
    expect(spanOf({ traceId: '5B8EfFf798038103d269b633813fc60C' })['traceId']).toBe('W47/95gDgQPSabYzgT/GDA==');
    expect(spanOf({ spanId: 'ab' })['spanId']).toBe('qw==');
    expect(spanFault({ traceId: 'xyz1' }).message).toBe(`${AT}.traceId: not hex`);
    expect(spanFault({ traceId: 'abc' }).message).toBe(`${AT}.traceId: not hex`);
    expect(spanFault({ spanId: 5 }).message).toBe(`${AT}.spanId: not hex`);
    expect(spanFault({ links: [{}, { traceId: '0g' }] }).message).toBe(`${AT}.links[1].traceId: not hex`);
  });

  test('the collector profile holds an id of zeros as absent', () => {
    const ids = { traceId: '0'.repeat(32), spanId: '0'.repeat(16) };
    expect(transcodeRequestObject(requestOf(ids), { profile: 'collector' })).toEqual(
      transcodeRequestObject(requestOf({}), { profile: 'collector' }),
    );
    expect(spanOf(ids)['spanId']).toBe('AAAAAAAAAAA=');
  });

  test('bytes are standard or URL-safe base64, padded or not', () => {
    for (const text of ['+/8=', '-_8=', '+/8', '-_8'])
      expect(attribute({ bytesValue: text })).toEqual({ bytesValue: '+/8=' });
    for (const bad of ['a', 'a===', 'ab=c', 'ab!=', ' ab=', 'YQ=', 5, {}]) {
      expect(spanFault({ attributes: [{ value: { bytesValue: bad } }] }).reason).toBe('base64');
    }
  });

  test('any text arrives as it was, and surrogates without a partner become U+FFFD', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 80 }), (text) => {
        expect(spanOf({ name: `x${text}` })['name']).toBe(`x${text}`.toWellFormed());
      }),
    );
    expect(decodeRequest(transcodeText('{"resourceSpans":[{"schemaUrl":"a\\ud800b\\udc00\\ud83d\\ude00"}]}'))).toEqual({
      resourceSpans: [{ schemaUrl: 'a\ufffdb\ufffd😀' }],
    });
  });

  test('a text of a million characters fits', () => {
    const name = 'é'.repeat(1_000_000);
    expect(spanOf({ name })['name']).toBe(name);
  });
});

describe('hostile bodies', () => {
  test.each([
    '',
    ' ',
    'null',
    '[]',
    '5',
    '"a"',
    '{',
    '{"resourceSpans":[}',
    '{"resourceSpans":{}}',
    '{"resourceSpans":[null]}',
    '\0\0',
  ])('%j is refused', (body) => {
    expect(() => transcodeText(body)).toThrow(OtlpJsonError);
  });

  test('the path leads to the fault', () => {
    const scope = { spans: [{}, {}, {}, { traceId: 'nope' }] };
    expect(faultOf(JSON.stringify({ resourceSpans: [{ scopeSpans: [{}, scope] }] })).message).toBe(
      'resourceSpans[0].scopeSpans[1].spans[3].traceId: not hex',
    );
    expect(spanFault({ attributes: {} }).message).toBe(`${AT}.attributes: not an array`);
    expect(spanFault({ attributes: [5] }).message).toBe(`${AT}.attributes[0]: not an object`);
    expect(spanFault({ attributes: [{ key: 5 }] }).message).toBe(`${AT}.attributes[0].key: not a string`);
    expect(spanFault({ attributes: [{ value: { boolValue: 'true' } }] }).message).toBe(
      `${AT}.attributes[0].value.boolValue: not true or false`,
    );
    expect(spanFault({ attributes: [{ value: { arrayValue: { values: [{}, { intValue: 'x' }] } } }] }).message).toBe(
      `${AT}.attributes[0].value.arrayValue.values[1].intValue: not an integer`,
    );
    expect(faultOf('{"resourceSpans":[{"resource":{"entityRefs":[{"idKeys":["a",1]}]}}]}').message).toBe(
      'resourceSpans[0].resource.entityRefs[0].idKeys[1]: not a string',
    );
  });

  test('a value with two members is refused', () => {
    expect(spanFault({ attributes: [{ value: { stringValue: 'a', intValue: 1 } }] }).message).toBe(
      `${AT}.attributes[0].value: both stringValue and intValue are set`,
    );
  });

  test('values may be 64 deep and no deeper, and what is accepted passes the door', () => {
    const nested = (depth: number): object => {
      let value: object = { stringValue: 'x' };
      for (let i = 1; i < depth; i++) {
        value = i % 2 ? { arrayValue: { values: [value] } } : { kvlistValue: { values: [{ key: 'k', value }] } };
      }
      return requestOf({ attributes: [{ key: 'k', value }] });
    };
    validateRequest(transcodeRequestObject(nested(64)));
    validateRequest(transcodeRequestObject(nested(64), { profile: 'collector' }));
    expect(faultOf(JSON.stringify(nested(65))).reason).toBe('depth');
  });

  test('brackets without end neither pass nor break the process', () => {
    const deep = `${'['.repeat(1_000_000)}1767225641475000123${']'.repeat(1_000_000)}`;
    expect(transcodeText(`{"resourceSpans":[],"x":${deep}}`)).toHaveLength(0);
    expect(() => transcodeText(`{"resourceSpans":${deep}}`)).toThrow(OtlpJsonError);
    expect(
      faultOf(`{"x":${deep},"resourceSpans":[{"scopeSpans":[{"spans":[{"endTimeUnixNano":1767225641475000123}]}]}]}`)
        .reason,
    ).toBe('depth');
  });

  test('a fault leaves nothing behind for the next body', () => {
    const good = requestOf({ name: 'a', kind: 2 });
    const before = transcodeRequestObject(good);
    expect(spanFault({ traceId: 'zz', name: 'b', kind: 3 }).reason).toBe('hex');
    expect(transcodeRequestObject(good)).toEqual(before);
  });

  test('any JSON at all is transcoded to valid protobuf or refused', () => {
    const names = [
      'resourceSpans',
      'scopeSpans',
      'spans',
      'attributes',
      'value',
      'arrayValue',
      'values',
      'traceId',
      'kind',
      'status',
      'key',
    ];
    const { tree } = fc.letrec((tie) => ({
      tree: fc.oneof(
        { maxDepth: 9 },
        fc.constantFrom<unknown>(null, 0, -1, 1.5, 'ab', '12', true),
        fc.array(tie('tree'), { maxLength: 3 }),
        fc.dictionary(fc.constantFrom(...names), tie('tree'), { maxKeys: 4 }),
      ),
    }));
    fc.assert(
      fc.property(tree, fc.constantFrom('plain' as const, 'collector' as const), (value, profile) => {
        let bytes: Uint8Array;
        try {
          bytes = transcodeRequestObject(value, { profile });
        } catch (error) {
          expect(error).toBeInstanceOf(OtlpJsonError);
          return;
        }
        validateRequest(bytes);
      }),
      { numRuns: 500 },
    );
  });
});

test('canonical form is what protobufjs writes of the same request', () => {
  const body = {
    resourceSpans: [
      {
        resource: {
          attributes: [{ key: 'service.name', value: { stringValue: 'a' } }],
          droppedAttributesCount: 1,
          entityRefs: [{ schemaUrl: 's', type: 'service', idKeys: ['service.name', ''], descriptionKeys: ['d'] }],
        },
        scopeSpans: [
          {
            scope: {
              name: 'n',
              version: '1',
              attributes: [{ key: 'a', value: { boolValue: true } }],
              droppedAttributesCount: 300,
            },
            spans: [
              {
                traceState: 'a=b',
                name: 'é',
                kind: 2,
                startTimeUnixNano: '1767225641475000123',
                endTimeUnixNano: '18446744073709551615',
                attributes: [
                  { key: 'i', value: { intValue: '-42' } },
                  { key: 'd', value: { doubleValue: -0.1 } },
                  {
                    key: 'a',
                    value: {
                      arrayValue: { values: [{}, { bytesValue: 'AAH/' }, { intValue: '9223372036854775807' }] },
                    },
                  },
                  { key: 'm', value: { kvlistValue: { values: [{ key: 'x', value: { stringValue: 'y' } }] } } },
                ],
                droppedAttributesCount: 3,
                events: [
                  { timeUnixNano: '7', name: 'e', attributes: [{ key: 'k' }], droppedAttributesCount: 4294967295 },
                ],
                droppedEventsCount: 1,
                links: [
                  { traceState: 't', droppedAttributesCount: 2, flags: 257, attributes: [{ key: 'l', value: {} }] },
                ],
                droppedLinksCount: 2,
                status: { message: 'm', code: 2 },
                flags: 769,
              },
              { status: {} },
            ],
            schemaUrl: 'inner',
          },
        ],
        schemaUrl: 'outer',
      },
    ],
  };
  // protobufjs writes by declaration too, but the reference declares ascending.
  expect(Buffer.from(transcodeRequestObject(body))).toEqual(Buffer.from(encodeAs('Request', body)));
});

test('a caller may refuse a second parse, which 64-bit numbers without quotes need', () => {
  const of = (time: string) =>
    Buffer.from(`{"resourceSpans":[{"scopeSpans":[{"spans":[{"endTimeUnixNano":${time}}]}]}]}`);
  const onSecondParse = () => {
    throw new Error('no');
  };
  expect(() => transcodeJson(of('1760000000000000001'), { onSecondParse })).toThrow('no');
  expect(() => transcodeJson(of('"1760000000000000001"'), { onSecondParse })).not.toThrow();
});
