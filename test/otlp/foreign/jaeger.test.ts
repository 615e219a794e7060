import { describe, expect, it } from 'vitest';
import { transcodeJaegerJson, transcodeJaegerProto } from '../../../src/otlp/foreign/index.ts';
import { validateRequest } from '../../../src/otlp/split/index.ts';
import { decodeRequest, type Plain } from '../split/reference.ts';
import { type Jaeger, jaegerJson, jaegerProto, type Tag } from './encoders.ts';

const TRACE = '5b8efff798038103d269b633813fc60c';
const SPAN = 'eee19b7ec3c1b174';
const PARENT = '3a17c2a1f01d4b52';
const START = 1_760_000_000_123_456_789n;

const span = (more: Partial<Jaeger> = {}): Jaeger => ({
  traceId: TRACE,
  spanId: SPAN,
  operationName: 'op',
  startNano: START,
  durationNano: 12_345_678n,
  process: { serviceName: 'cart' },
  ...more,
});

const base64 = (hex: string) => Buffer.from(hex, 'hex').toString('base64');

/** Both forms give the same bytes; what they are. */
function translate(jaeger: Jaeger): { resource: Plain; scope: Plain; span: Plain } {
  const bytes = transcodeJaegerProto(jaegerProto(jaeger));
  expect(Buffer.from(transcodeJaegerJson(jaegerJson(jaeger))).equals(bytes)).toBe(true);
  validateRequest(bytes);
  const resources = decodeRequest(bytes).resourceSpans!;
  expect(resources).toHaveLength(1);
  expect(resources[0]!.scopeSpans).toHaveLength(1);
  const { spans, ...scope } = resources[0]!.scopeSpans![0]!;
  expect(spans).toHaveLength(1);
  return { resource: resources[0]!['resource'] as Plain, scope, span: spans![0]! };
}

function attributes(of: Plain): Record<string, unknown> {
  const list = (of['attributes'] ?? []) as { key: string; value: Record<string, unknown> }[];
  return Object.fromEntries(list.map(({ key, value }) => [key, Object.values(value)[0]]));
}

const withTags = (...tags: Tag[]) => translate(span({ tags })).span;

describe('a Jaeger span', () => {
  it('keeps its ids, its name and its times to the nanosecond', () => {
    expect(translate(span()).span).toEqual({
      traceId: base64(TRACE),
      spanId: base64(SPAN),
      name: 'op',
      startTimeUnixNano: START.toString(),
      endTimeUnixNano: (START + 12_345_678n).toString(),
    });
  });

  it('has its process as the resource', () => {
    const process = {
      serviceName: 'cart',
      tags: [
        { key: 'service.namespace', value: 'shop' },
        { key: 'hostname', value: 'h1' },
        { key: 'jaeger.version', value: 'Go-2.30.0' },
        { key: 'replicas', value: 3n },
      ],
    };
    expect(attributes(translate(span({ process })).resource)).toEqual({
      'service.name': 'cart',
      'service.namespace': 'shop',
      'host.name': 'h1',
      'opencensus.exporterversion': 'Jaeger-Go-2.30.0',
      replicas: '3',
    });
  });

  it('leaves hostname alone where host.name is said too', () => {
    const tags = [
      { key: 'hostname', value: 'a' },
      { key: 'host.name', value: 'b' },
    ];
    const { resource } = translate(span({ process: { serviceName: 's', tags } }));
    expect(attributes(resource)).toEqual({ 'service.name': 's', hostname: 'a', 'host.name': 'b' });
  });

  it('has no resource where the exporter had none', () => {
    expect(translate(span({ process: { serviceName: 'OTLPResourceNoServiceName' } })).resource).toBeUndefined();
  });

  it.each([
    ['otel.scope.name', 'otel.scope.version'],
    ['otel.library.name', 'otel.library.version'],
  ])('takes its scope from %s', (name, version) => {
    const tags = [
      { key: name, value: 'io.example' },
      { key: version, value: '1.2' },
      { key: 'left', value: 'x' },
    ];
    const { scope, span: translated } = translate(span({ tags }));
    expect(scope).toEqual({ scope: { name: 'io.example', version: '1.2' } });
    expect(attributes(translated)).toEqual({ left: 'x' });
  });

  it.each([
    ['internal', 1],
    ['server', 2],
    ['client', 3],
    ['producer', 4],
    ['consumer', 5],
    ['SERVER', undefined],
    ['', undefined],
  ])('of span.kind %j has kind %s', (kind, expected) => {
    const translated = withTags({ key: 'span.kind', value: kind });
    expect(translated['kind']).toBe(expected);
    expect(translated['attributes']).toBeUndefined();
  });

  const ERROR = { key: 'error', value: true };
  const MESSAGE = { key: 'otel.status_description', value: 'no stock' };
  const HTTP_MESSAGE = { key: 'http.status_message', value: 'Bad Gateway' };
  const code = (value: string) => ({ key: 'otel.status_code', value });
  const http = (value: bigint | string | number) => ({ key: 'http.status_code', value });
  const kind = (value: string) => ({ key: 'span.kind', value });
  it.each<[string, Tag[], Plain | undefined, string[]]>([
    ['no tag', [], undefined, []],
    ['error', [ERROR], { code: 2 }, []],
    ['error and what the exporter adds', [ERROR, code('ERROR'), MESSAGE], { code: 2, message: 'no stock' }, []],
    ['error against an OK', [ERROR, code('OK')], { code: 2 }, []],
    ['error with an HTTP message', [ERROR, HTTP_MESSAGE], { code: 2, message: 'Bad Gateway' }, ['http.status_message']],
    ['error = false', [{ key: 'error', value: false }], undefined, ['error']],
    ['error as a text', [{ key: 'error', value: 'true' }], undefined, ['error']],
    ['OK', [code('OK')], { code: 1 }, []],
    ['a status code in small letters', [code('error'), MESSAGE], { code: 2, message: 'no stock' }, []],
    ['a status code of no meaning', [code('?'), http(500n)], undefined, ['http.status_code']],
    ['a description alone', [MESSAGE], undefined, ['otel.status_description']],
    ['HTTP 200', [http(200n)], undefined, ['http.status_code']],
    ['HTTP 404 at a client', [http(404n), kind('client')], { code: 2 }, ['http.status_code']],
    ['HTTP 404 at a server', [http(404n), kind('server')], undefined, ['http.status_code']],
    ['HTTP 404 anywhere else', [http(404n)], { code: 2 }, ['http.status_code']],
    [
      'HTTP 502 as a text',
      [http('502'), kind('server'), HTTP_MESSAGE],
      { code: 2, message: 'Bad Gateway' },
      ['http.status_code', 'http.status_message'],
    ],
    [
      'HTTP 500 under its new name',
      [{ key: 'http.response.status_code', value: 500n }],
      { code: 2 },
      ['http.response.status_code'],
    ],
    ['an HTTP code that is no number', [http('teapot')], undefined, ['http.status_code']],
    ['an HTTP code as a double', [http(500.5)], undefined, ['http.status_code']],
  ])('of %s has that status', (_, tags, status, left) => {
    const translated = withTags(...tags);
    expect(translated['status']).toEqual(status);
    expect(Object.keys(attributes(translated))).toEqual(left);
  });

  it('has the first CHILD_OF of its trace as its parent, and links to the others', () => {
    const other = 'ffffffffffffffffffffffffffffffff';
    const references: Jaeger['references'] = [
      { traceId: other, spanId: '1111111111111111', refType: 'CHILD_OF' },
      { traceId: TRACE, spanId: '2222222222222222', refType: 'FOLLOWS_FROM' },
      { traceId: TRACE, spanId: PARENT, refType: 'CHILD_OF' },
    ];
    const { span: translated } = translate(span({ references }));
    expect(translated['parentSpanId']).toBe(base64(PARENT));
    const links = translated['links'] as Plain[];
    expect(links.map((link) => [link['traceId'], link['spanId'], attributes(link)['opentracing.ref_type']])).toEqual([
      [base64(other), base64('1111111111111111'), 'child_of'],
      [base64(TRACE), base64('2222222222222222'), 'follows_from'],
    ]);
  });

  it('has a FOLLOWS_FROM of its trace as its parent where it is nobody’s child, and as a link too', () => {
    const references: Jaeger['references'] = [{ traceId: TRACE, spanId: PARENT, refType: 'FOLLOWS_FROM' }];
    const { span: translated } = translate(span({ references }));
    expect(translated['parentSpanId']).toBe(base64(PARENT));
    expect(translated['links']).toHaveLength(1);
  });

  it('takes its trace state from a tag', () => {
    const translated = withTags({ key: 'w3c.tracestate', value: 'ot=th:8' });
    expect(translated['traceState']).toBe('ot=th:8');
    expect(translated['attributes']).toBeUndefined();
  });

  it('says that it was sampled', () => {
    expect(translate(span({ flags: 3 })).span['flags']).toBe(1);
  });

  it('has its logs as events, named by their field event', () => {
    const logs = [
      {
        nano: START + 1n,
        fields: [
          { key: 'event', value: 'exception' },
          { key: 'exception.type', value: 'E' },
        ],
      },
      { nano: START + 2n, fields: [] },
    ];
    const events = translate(span({ logs })).span['events'] as Plain[];
    expect(events).toEqual([
      {
        timeUnixNano: (START + 1n).toString(),
        name: 'exception',
        attributes: [{ key: 'exception.type', value: { stringValue: 'E' } }],
      },
      { timeUnixNano: (START + 2n).toString() },
    ]);
  });

  it('keeps the types of its tags, and the last of those with one key', () => {
    const translated = withTags(
      { key: 'text', value: 'ü\u{1f600}' },
      { key: 'bool', value: false },
      { key: 'int', value: -9_007_199_254_740_993n },
      { key: 'double', value: -0.25 },
      { key: 'bytes', value: Uint8Array.of(0, 255, 1) },
      { key: 'twice', value: 'first' },
      { key: 'twice', value: 2n },
    );
    expect(translated['attributes']).toEqual([
      { key: 'text', value: { stringValue: 'ü\u{1f600}' } },
      { key: 'bool', value: { boolValue: false } },
      { key: 'int', value: { intValue: '-9007199254740993' } },
      { key: 'double', value: { doubleValue: -0.25 } },
      { key: 'bytes', value: { bytesValue: 'AP8B' } },
      { key: 'twice', value: { intValue: '2' } },
    ]);
  });

  it('with a 64-bit trace id has zeros in front of it', () => {
    const { span: translated } = translate(span({ traceId: 'd269b633813fc60c' }));
    expect(translated['traceId']).toBe(base64('0000000000000000d269b633813fc60c'));
  });

  it('of nothing is no span', () => {
    expect(transcodeJaegerProto(new Uint8Array(0))).toHaveLength(0);
    expect(transcodeJaegerJson(new Uint8Array(0))).toHaveLength(0);
    expect(transcodeJaegerJson(Buffer.from('{}'))).toHaveLength(0);
  });

  it('may have the names of its .proto file and numbers for names in JSON', () => {
    const json = {
      trace_id: base64(TRACE),
      span_id: base64(SPAN),
      operation_name: 'op',
      start_time: '2025-10-09T10:53:20.5+02:00',
      duration: '2s',
      tags: [{ key: 'n', v_type: 2, v_int64: 7 }],
      of_the_future: [{}],
    };
    const [resource] = decodeRequest(transcodeJaegerJson(Buffer.from(JSON.stringify(json)))).resourceSpans!;
    expect(resource!.scopeSpans![0]!.spans![0]).toMatchObject({
      startTimeUnixNano: '1760000000500000000',
      endTimeUnixNano: '1760000002500000000',
      attributes: [{ key: 'n', value: { intValue: '7' } }],
    });
  });
});
