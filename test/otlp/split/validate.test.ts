import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { transcodeRequestObject } from '../../../src/otlp/json/index.ts';
import { OtlpDecodeError, validateRequest } from '../../../src/otlp/split/index.ts';
import { checkReadable, decodeRequest, encodeAs } from './reference.ts';

const FULL = {
  resourceSpans: [
    {
      resource: {
        attributes: [{ key: 'service.name', value: { stringValue: 'a' } }],
        entityRefs: [{ type: 't', idKeys: ['k'] }],
      },
      scopeSpans: [
        {
          scope: { name: 'n', version: 'v', attributes: [{ key: 'k', value: { doubleValue: 1.5 } }] },
          spans: [
            {
              traceId: 'aa'.repeat(16),
              spanId: 'bb'.repeat(8),
              traceState: 's',
              name: 'x'.repeat(200),
              kind: 2,
              startTimeUnixNano: '1',
              attributes: [
                { key: 'i', value: { intValue: '-1' } },
                { key: 'b', value: { boolValue: true } },
                { key: 'long', value: { stringValue: 'y'.repeat(300) } },
                { key: 'a', value: { arrayValue: { values: [{}, { intValue: '1' }] } } },
                { key: 'm', value: { kvlistValue: { values: [{ key: 'q', value: { bytesValue: 'AA==' } }] } } },
              ],
              events: [{ timeUnixNano: '1', name: 'e', attributes: [{ key: 'k' }] }],
              links: [{ traceId: 'cc'.repeat(16), flags: 1 }],
              status: { code: 2, message: 'm' },
              flags: 5,
            },
          ],
          schemaUrl: 'u',
        },
      ],
      schemaUrl: 'u',
    },
  ],
};

const FORMS = {
  ascending: transcodeRequestObject(FULL),
  descending: transcodeRequestObject(FULL, { profile: 'collector' }),
};

function bytes(...parts: (number | number[] | Uint8Array)[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => (typeof part === 'number' ? [part] : [...part])));
}

/** A length-delimited field of less than 16384 bytes. */
function field(number: number, body: Uint8Array | number[]): Uint8Array {
  const size = body.length < 128 ? [body.length] : [(body.length & 127) | 128, body.length >> 7];
  return bytes(number * 8 + 2, size, body);
}

const inSpan = (body: Uint8Array | number[]) => field(1, field(2, field(2, body)));
const inAttribute = (value: Uint8Array | number[]) => inSpan(field(9, bytes(field(1, [107]), field(2, value))));

function faultOf(request: Uint8Array): OtlpDecodeError {
  try {
    validateRequest(request);
  } catch (error) {
    if (error instanceof OtlpDecodeError) return error;
    throw error;
  }
  throw new Error('was accepted');
}

describe.each(Object.entries(FORMS))('a full request, fields %s', (_, request) => {
  test('passes', () => {
    validateRequest(request);
  });

  test('cut off anywhere fails, but at a boundary of the outermost message', () => {
    for (let size = 1; size < request.length; size++) {
      expect(faultOf(request.subarray(0, size)).reason).toBe('truncated');
    }
  });

  test('with any byte changed passes only if protobufjs can read it too', () => {
    let accepted = 0;
    for (let i = 0; i < request.length; i++) {
      for (const flip of [1, 2, 4, 0x80, 0xff]) {
        const changed = request.slice();
        changed[i]! ^= flip;
        try {
          validateRequest(changed);
        } catch (error) {
          expect(error).toBeInstanceOf(OtlpDecodeError);
          continue;
        }
        accepted++;
        checkReadable(changed);
      }
    }
    expect(accepted).toBeGreaterThan(0);
  });
});

test('an empty request passes', () => {
  validateRequest(new Uint8Array(0));
});

test('a view into a larger buffer is read within its bounds', () => {
  const padded = bytes([1, 2, 3], FORMS.ascending, [4, 5, 6]);
  validateRequest(padded.subarray(3, 3 + FORMS.ascending.length));
  expect(faultOf(padded.subarray(3, 2 + FORMS.ascending.length)).reason).toBe('truncated');
});

describe('what is refused', () => {
  test.each([
    ['a request field of a wrong wire type', bytes(8, 1), 'wire_type', 'ExportTraceServiceRequest.resource_spans', 0],
    ['a resource that is a number', field(1, [8, 1]), 'wire_type', 'ResourceSpans.resource', 2],
    ['a trace id that is a number', inSpan([8, 1]), 'wire_type', 'Span.trace_id', 6],
    ['a start time that is a varint', inSpan([56, 1]), 'wire_type', 'Span.start_time_unix_nano', 6],
    ['flags that are a varint', inSpan([128, 1, 1]), 'wire_type', 'Span.flags', 6],
    ['a status code of 4 bytes', inSpan(field(15, [29, 0, 0, 0, 0])), 'wire_type', 'Status.code', 8],
    ['a double of 4 bytes', inAttribute([37, 0, 0, 0, 0]), 'wire_type', 'AnyValue.double_value', 13],
    ['field number 0', bytes(2, 0), 'tag', 'ExportTraceServiceRequest', 0],
    ['field number 0 in a span', inSpan([0, 0]), 'tag', 'Span', 6],
    [
      'a field number beyond 2^29',
      bytes([0xfa, 0xff, 0xff, 0xff, 0xff, 0x7f], 0),
      'tag',
      'ExportTraceServiceRequest',
      0,
    ],
    ['a group', bytes(0x9b, 6), 'wire_type', 'ExportTraceServiceRequest.99', 0],
    ['the end of a group', inSpan([0x9c, 6]), 'wire_type', 'Span.99', 6],
    ['wire type 6', bytes(0x9e, 6), 'wire_type', 'ExportTraceServiceRequest.99', 0],
    ['wire type 7', bytes(0x9f, 6), 'wire_type', 'ExportTraceServiceRequest.99', 0],
    ['a varint of 11 bytes', inSpan([48, ...Array(10).fill(255), 1]), 'varint', 'Span.kind', 7],
    [
      'a length of 11 bytes',
      bytes(10, Array(10).fill(255), 1),
      'varint',
      'ExportTraceServiceRequest.resource_spans',
      1,
    ],
    [
      'a length beyond 2^53',
      bytes(10, Array(9).fill(255), 1),
      'truncated',
      'ExportTraceServiceRequest.resource_spans',
      1,
    ],
    ['a name longer than its span', inSpan([42, 5, 97]), 'truncated', 'Span.name', 7],
    ['a span longer than its scope', field(1, field(2, [18, 9, 0])), 'truncated', 'ScopeSpans.spans', 5],
    ['a time cut off', inSpan([57, 0, 0]), 'truncated', 'Span.start_time_unix_nano', 6],
    ['flags cut off', inSpan([133, 1, 0]), 'truncated', 'Span.flags', 6],
    ['an unknown field cut off', inSpan([0x99, 6, 0]), 'truncated', 'Span.99', 6],
    ['a string value longer than its value', inAttribute([10, 9, 97]), 'truncated', 'AnyValue.string_value', 14],
    ['a bool that does not end', inAttribute([16, 128]), 'truncated', 'AnyValue.bool_value', 14],
  ])('%s', (_, request, reason, fieldName, position) => {
    const fault = faultOf(request);
    expect({ reason: fault.reason, field: fault.field, position: fault.position }).toEqual({
      reason,
      field: fieldName,
      position,
    });
    expect(fault.message).toContain(`${fieldName}: `);
    expect(fault.message).toContain(`at byte ${position}`);
  });

  test('values more than 64 deep, in lists or maps', () => {
    const nested = (depth: number, wrap: (value: Uint8Array) => Uint8Array) => {
      let value = bytes(24, 1);
      for (let i = 1; i < depth; i++) value = wrap(value);
      return inAttribute(value);
    };
    const inArray = (value: Uint8Array) => field(5, field(1, value));
    const inMap = (value: Uint8Array) => field(6, field(1, bytes(field(1, [107]), field(2, value))));
    for (const wrap of [inArray, inMap]) {
      validateRequest(nested(64, wrap));
      expect(faultOf(nested(65, wrap)).reason).toBe('depth');
      expect(faultOf(nested(400, wrap)).reason).toBe('depth');
    }
  });
});

describe('what passes', () => {
  test.each([
    [
      'unknown fields of every other wire type',
      inSpan([0x98, 6, 1, 0x99, 6, 0, 0, 0, 0, 0, 0, 0, 0, 0x9a, 6, 1, 7, 0x9d, 6, 0, 0, 0, 0]),
    ],
    ['whatever stands in the reserved field of a status', inSpan(field(15, [8, 1, 10, 1, 0]))],
    ['a varint of 10 bytes', inSpan([48, ...Array(9).fill(255), 1])],
    ['lengths with padding', bytes(0x8a, 0, 0x80, 0x80, 0)],
    ['the string references of profiles', inSpan(field(9, bytes([24, 5], field(2, [64, 7]))))],
    ['text that is not UTF-8', inSpan([42, 2, 0xff, 0xfe])],
    ['an attribute without a key or a value', inSpan(field(9, []))],
    ['an attribute with its value before its key', inSpan(field(9, bytes(field(2, [24, 5]), field(1, [107]))))],
    ['an attribute with two values', inSpan(field(9, bytes(field(2, [24, 5]), field(2, [16, 1]))))],
  ])('%s', (_, request) => {
    validateRequest(request);
    checkReadable(request);
  });
});

test('random bytes are refused with a reason or are readable', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (body) => {
      for (const request of [body, inSpan(body), inAttribute(body), inSpan(field(9, body))]) {
        try {
          validateRequest(request);
        } catch (error) {
          expect(error).toBeInstanceOf(OtlpDecodeError);
          continue;
        }
        checkReadable(request);
      }
    }),
    { numRuns: 1000 },
  );
});

test('the reference agrees on a full request', () => {
  expect(Buffer.from(encodeAs('Request', decodeRequest(FORMS.ascending)))).toEqual(Buffer.from(FORMS.ascending));
});
