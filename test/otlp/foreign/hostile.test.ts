import { describe, expect, it } from 'vitest';
import {
  detectEncoding,
  RecordDecodeError,
  type RecordEncoding,
  type RecordFault,
  transcode,
} from '../../../src/otlp/foreign/index.ts';
import { flatten } from '../split/reference.ts';
import { zipkinProto } from './encoders.ts';

function faultOf(encoding: RecordEncoding, bytes: Uint8Array | string): RecordDecodeError {
  try {
    transcode(encoding, typeof bytes === 'string' ? Buffer.from(bytes) : bytes);
  } catch (error) {
    if (error instanceof RecordDecodeError) return error;
    throw error;
  }
  throw new Error('it was accepted');
}

const IDS = '"traceId":"1","id":"2"';
const DEEP = 200_000;

describe('a fault is named with its place', () => {
  it.each<[RecordEncoding, string, RecordFault, string]>([
    ['otlp_json', '{"resourceSpans":[{"scopeSpans":5}]}', 'type', 'resourceSpans[0].scopeSpans'],
    ['otlp_json', '{', 'syntax', 'body'],
    ['zipkin_json', '{}', 'type', 'body'],
    ['zipkin_json', '[', 'syntax', 'body'],
    ['zipkin_json', '[5]', 'type', '[0]'],
    ['zipkin_json', '[{"id":"1"}]', 'id', '[0].traceId'],
    ['zipkin_json', '[{"traceId":"1"}]', 'id', '[0].id'],
    ['zipkin_json', `[{${IDS}},{"traceId":"xyz","id":"2"}]`, 'hex', '[1].traceId'],
    ['zipkin_json', `[{"traceId":"${'1'.repeat(33)}","id":"2"}]`, 'id', '[0].traceId'],
    ['zipkin_json', `[{${IDS},"timestamp":-1}]`, 'range', '[0].timestamp'],
    ['zipkin_json', `[{${IDS},"timestamp":1.5}]`, 'type', '[0].timestamp'],
    ['zipkin_json', `[{${IDS},"duration":1e300}]`, 'range', '[0].duration'],
    ['zipkin_json', `[{${IDS},"localEndpoint":{"port":"x"}}]`, 'type', '[0].localEndpoint.port'],
    ['zipkin_json', `[{${IDS},"localEndpoint":[]}]`, 'type', '[0].localEndpoint'],
    ['zipkin_json', `[{${IDS},"annotations":[{},{"value":1}]}]`, 'type', '[0].annotations[1].value'],
    ['zipkin_json', `[{${IDS},"tags":{"a":{}}}]`, 'type', '[0].tags.a'],
    ['zipkin_json', `[{${IDS},"tags":{"${'k'.repeat(100)}":[]}}]`, 'type', `[0].tags.${'k'.repeat(64)}`],
    ['jaeger_json', '[]', 'type', 'body'],
    ['jaeger_json', '{"traceId":"?"}', 'base64', 'traceId'],
    ['jaeger_json', '{"traceId":"AAAA"}', 'id', 'traceId'],
    ['jaeger_json', '{"spanId":"AAAAAAAAAAAAAAAAAAAAAA=="}', 'id', 'spanId'],
    ['jaeger_json', '{"startTime":"yesterday"}', 'time', 'startTime'],
    ['jaeger_json', '{"startTime":"2026-13-01T00:00:00Z"}', 'time', 'startTime'],
    ['jaeger_json', '{"startTime":"9999-01-01T00:00:00Z"}', 'range', 'startTime'],
    ['jaeger_json', '{"duration":"1m"}', 'time', 'duration'],
    ['jaeger_json', '{"duration":"999999999999s"}', 'range', 'duration'],
    ['jaeger_json', '{"tags":[{"vType":"DECIMAL"}]}', 'enum', 'tags[0].vType'],
    ['jaeger_json', '{"process":{"tags":[{"vInt64":"x"}]}}', 'type', 'process.tags[0].vInt64'],
  ])('in %s %s: %s at %s', (encoding, text, reason, where) => {
    const fault = faultOf(encoding, text);
    expect([fault.encoding, fault.reason, fault.where]).toEqual([encoding, reason, where]);
    expect(fault.message.startsWith(`${encoding}: ${where}: `)).toBe(true);
  });

  it.each<[RecordEncoding, number[], RecordFault, string]>([
    ['jaeger_proto', [0x0a], 'truncated', 'byte 1'],
    ['jaeger_proto', [0x0a, 3, 1, 2, 3], 'id', 'byte 0'],
    ['jaeger_proto', [0x12, 16, ...Array(16).fill(1)], 'id', 'byte 0'],
    ['jaeger_proto', [0x08, 1], 'wire_type', 'byte 0'],
    ['jaeger_proto', [0x28, ...Array(11).fill(0x80)], 'varint', 'byte 11'],
    ['jaeger_proto', [0x07], 'tag', 'byte 0'],
    ['jaeger_proto', [0x32, 2, 0x10, 0xff], 'truncated', 'byte 4'],
    ['jaeger_proto', [0x32, 12, 0x08, ...Array(8).fill(0xff), 0x7f, 0x10, 0], 'time', 'byte 12'],
    ['jaeger_proto', [0x42, 3, 0x31, 1, 1], 'truncated', 'byte 2'],
    ['zipkin_proto', [0x0a, 0], 'id', 'byte 0'],
    ['zipkin_proto', [0x0a, 10, 0x0a, 8, 1, 2, 3, 4, 5, 6, 7, 8], 'id', 'byte 2'],
    ['zipkin_proto', [0x0a, 5, 0x1a, 3, 1, 2, 3], 'id', 'byte 2'],
    ['zipkin_proto', [0x0d, 0, 0, 0, 0], 'wire_type', 'byte 0'],
    ['zipkin_proto', [0x13], 'wire_type', 'byte 1'],
  ])('in %s %j: %s at %s', (encoding, bytes, reason, where) => {
    const fault = faultOf(encoding, Uint8Array.from(bytes));
    expect([fault.encoding, fault.reason, fault.where]).toEqual([encoding, reason, where]);
  });
});

describe('hostile records', () => {
  it.each<RecordEncoding>(['zipkin_json', 'jaeger_json', 'otlp_json'])(
    'of deep %s are refused or passed over',
    (encoding) => {
      const deep = `${'['.repeat(DEEP)}${']'.repeat(DEEP)}`;
      expect(faultOf(encoding, `{"tags":${deep}`).reason).toMatch(/syntax|depth/);
      const around = encoding === 'zipkin_json' ? (text: string) => `[${text}]` : (text: string) => text;
      expect(faultOf(encoding, around(`{${IDS},"tags":5,"resourceSpans":5,"x":${deep}}`)).reason).toMatch(
        /type|depth|id|hex|base64/,
      );
      expect(() => detectEncoding(Buffer.from(`{"x":${deep}}`))).not.toThrow();
    },
  );

  it('of deep JSON inside an annotation leave it a text', () => {
    const value = `e|{"a":${'['.repeat(DEEP)}${']'.repeat(DEEP)}}|0`;
    const bytes = transcode(
      'zipkin_json',
      Buffer.from(JSON.stringify([{ traceId: '1', id: '2', annotations: [{ value }] }])),
    );
    const [event] = flatten(bytes.bytes)[0]!.span['events'] as { name: string }[];
    expect(['e', value]).toContain(event!.name);
  });

  it('that claim more bytes than there are allocate none of them', () => {
    const huge = [0xff, 0xff, 0xff, 0xff, 0x0f];
    expect(faultOf('jaeger_proto', Uint8Array.from([0x1a, ...huge])).reason).toBe('truncated');
    expect(faultOf('zipkin_proto', Uint8Array.from([0x0a, ...huge])).reason).toBe('truncated');
  });

  it('of very many small spans are translated', () => {
    const one = zipkinProto([{ traceId: '11'.repeat(8), id: '22'.repeat(8) }]);
    const bytes = Buffer.concat(Array.from({ length: 20_000 }, () => one));
    expect(flatten(transcode('zipkin_proto', bytes).bytes)).toHaveLength(20_000);
  });

  it('with texts that are not UTF-8 have them replaced', () => {
    const bytes = Uint8Array.from([0x1a, 2, 0xc3, 0x28]);
    expect(flatten(transcode('jaeger_proto', bytes).bytes)[0]!.span.name).toBe('\ufffd(');
  });
});
