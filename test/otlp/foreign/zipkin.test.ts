import { describe, expect, it } from 'vitest';
import { transcodeZipkinJson, transcodeZipkinProto } from '../../../src/otlp/foreign/index.ts';
import { validateRequest } from '../../../src/otlp/split/index.ts';
import { decodeRequest, flatten, type Plain, type PlainResource } from '../split/reference.ts';
import { type Zipkin, zipkinJson, zipkinProto } from './encoders.ts';

const TRACE = '463ac35c9f6413ad48485a3953bb6124';
const SPAN = '20e1c3b5a9b8f001';
const MICROS = 1_760_000_000_123_456;

const span = (more: Partial<Zipkin> = {}): Zipkin => ({
  traceId: TRACE,
  id: SPAN,
  name: 'get /cart',
  timestamp: MICROS,
  duration: 12_346,
  localEndpoint: { serviceName: 'cart' },
  ...more,
});

const base64 = (hex: string) => Buffer.from(hex, 'hex').toString('base64');

function translateAll(spans: readonly Zipkin[]): PlainResource[] {
  const bytes = transcodeZipkinProto(zipkinProto(spans));
  expect(decodeRequest(transcodeZipkinJson(zipkinJson(spans)))).toEqual(decodeRequest(bytes));
  validateRequest(bytes);
  return decodeRequest(bytes).resourceSpans!;
}

/** Both forms say the same; what they say. */
function translate(zipkin: Zipkin): { resource: Plain; scope: Plain; span: Plain } {
  const [resource, ...more] = translateAll([zipkin]);
  expect(more).toEqual([]);
  const { spans, ...scope } = resource!.scopeSpans![0]!;
  return { resource: resource!['resource'] as Plain, scope, span: spans![0]! };
}

function attributes(of: Plain | undefined): Record<string, unknown> {
  const list = (of?.['attributes'] ?? []) as { key: string; value: Record<string, unknown> }[];
  return Object.fromEntries(list.map(({ key, value }) => [key, Object.values(value)[0]]));
}

describe('a Zipkin span', () => {
  it('keeps its ids, its name and its times', () => {
    const translated = translate(span({ parentId: 'aaaaaaaaaaaaaaaa' }));
    expect(translated.span).toEqual({
      traceId: base64(TRACE),
      spanId: base64(SPAN),
      parentSpanId: base64('aaaaaaaaaaaaaaaa'),
      name: 'get /cart',
      startTimeUnixNano: '1760000000123456000',
      endTimeUnixNano: '1760000000135802000',
    });
    expect(attributes(translated.resource)).toEqual({ 'service.name': 'cart' });
  });

  it.each([
    ['CLIENT', 3],
    ['SERVER', 2],
    ['PRODUCER', 4],
    ['CONSUMER', 5],
  ] as const)('of kind %s has kind %d', (kind, expected) => {
    // With a kind, the tag is a tag like any other.
    const { span: translated } = translate(span({ kind, tags: { 'span.kind': 'internal' } }));
    expect(translated['kind']).toBe(expected);
    expect(attributes(translated)).toEqual({ 'span.kind': 'internal' });
  });

  it.each([
    ['internal', 1],
    ['server', undefined],
  ])('without a kind and with span.kind %s has kind %s', (tag, expected) => {
    const { span: translated } = translate(span({ tags: { 'span.kind': tag } }));
    expect(translated['kind']).toBe(expected);
    expect(translated['attributes']).toBeUndefined();
  });

  it.each<[Record<string, string>, Plain | undefined, string[]]>([
    [{}, undefined, []],
    [{ error: 'true' }, { code: 2 }, []],
    [{ error: 'timeout' }, { code: 2 }, ['error']],
    [{ error: '' }, { code: 2 }, ['error']],
    [{ 'otel.status_code': 'Ok' }, { code: 1 }, []],
    [{ 'otel.status_code': 'STATUS_CODE_OK', error: 'x' }, { code: 2 }, ['error']],
    [
      { 'otel.status_code': 'Error', 'otel.status_description': 'no stock', error: 'true' },
      { code: 2, message: 'no stock' },
      [],
    ],
    [{ 'otel.status_code': 'Unset' }, undefined, []],
    [{ 'otel.status_description': 'alone' }, undefined, ['otel.status_description']],
    [{ 'http.status_code': '500' }, undefined, ['http.status_code']],
  ])('with tags %j has status %j', (tags, status, left) => {
    const { span: translated } = translate(span({ tags }));
    expect(translated['status']).toEqual(status);
    expect(Object.keys(attributes(translated))).toEqual(left);
  });

  it('has no parent where that is zero or itself', () => {
    expect(translate(span({ parentId: '0000000000000000' })).span['parentSpanId']).toBeUndefined();
    expect(translate(span({ parentId: SPAN })).span['parentSpanId']).toBeUndefined();
  });

  it('that is shared keeps the id that it shares', () => {
    const spans = flatten(
      transcodeZipkinJson(
        zipkinJson([
          span({ kind: 'CLIENT', parentId: 'aaaaaaaaaaaaaaaa' }),
          span({
            kind: 'SERVER',
            parentId: 'aaaaaaaaaaaaaaaa',
            shared: true,
            localEndpoint: { serviceName: 'stock' },
          }),
        ]),
      ),
    );
    expect(spans.map(({ span }) => [span['spanId'], span['parentSpanId'], span['kind']])).toEqual([
      [base64(SPAN), base64('aaaaaaaaaaaaaaaa'), 3],
      [base64(SPAN), base64('aaaaaaaaaaaaaaaa'), 2],
    ]);
  });

  it('has its endpoints as attributes', () => {
    const { span: translated } = translate(
      span({
        localEndpoint: { serviceName: 'cart', ipv4: '10.0.0.1', port: 8080 },
        remoteEndpoint: { serviceName: 'stock', ipv6: '2001:db8:0:0:0:0:0:1', port: 65_535 },
      }),
    );
    expect(attributes(translated)).toEqual({
      'net.host.ip': '10.0.0.1',
      'network.local.address': '10.0.0.1',
      'net.host.port': '8080',
      'peer.service': 'stock',
      'service.peer.name': 'stock',
      'net.peer.ip': '2001:db8::1',
      'network.peer.address': '2001:db8::1',
      'net.peer.port': '65535',
    });
  });

  it('keeps its tags as texts, those of a resource in the resource, those of a scope in the scope', () => {
    const translated = translate(
      span({
        tags: {
          'http.status_code': '200',
          'service.version': '7',
          'k8s.pod.name': 'cart-0',
          'otel.library.name': 'io.example.old',
          'otel.library.version': '1.2',
          'otel.scope.name': 'io.example',
          'w3c.tracestate': 'a=b',
        },
      }),
    );
    expect(attributes(translated.resource)).toEqual({
      'service.name': 'cart',
      'service.version': '7',
      'k8s.pod.name': 'cart-0',
    });
    expect(translated.scope).toEqual({ scope: { name: 'io.example', version: '1.2' } });
    expect(translated.span['attributes']).toEqual([{ key: 'http.status_code', value: { stringValue: '200' } }]);
    expect(translated.span['traceState']).toBe('a=b');
  });

  it('has its service under the name that the exporter took it from', () => {
    const { resource } = translate(span({ tags: { 'otlp.service.name.source': 'faas.name' } }));
    expect(attributes(resource)).toEqual({ 'faas.name': 'cart' });
  });

  it.each([
    ['no endpoint', undefined],
    ['an endpoint without a service', { ipv4: '10.0.0.1' }],
    ['the exporter’s word for no service', { serviceName: 'OTLPResourceNoServiceName' }],
  ])('with %s has no resource', (_, localEndpoint) => {
    const { localEndpoint: left, ...rest } = span({ tags: { 'host.name': 'h' } });
    expect(left).toBeDefined();
    const { resource } = translate(localEndpoint === undefined ? rest : { ...rest, localEndpoint });
    expect(resource).toBeUndefined();
  });

  it('has its annotations as events, with the attributes that the exporter packed into them', () => {
    const annotations = [
      { timestamp: MICROS + 1, value: 'ws' },
      { timestamp: MICROS + 2, value: 'retry|{"n":2,"why":"a|b","late":true,"ratio":0.5,"list":[1]}|3' },
      { timestamp: MICROS + 3, value: 'a|b|c' },
      { timestamp: MICROS + 4, value: 'x|{broken|1' },
    ];
    expect(translate(span({ annotations })).span['events']).toEqual([
      { timeUnixNano: '1760000000123457000', name: 'ws' },
      {
        timeUnixNano: '1760000000123458000',
        name: 'retry',
        droppedAttributesCount: 3,
        attributes: [
          { key: 'n', value: { intValue: '2' } },
          { key: 'why', value: { stringValue: 'a|b' } },
          { key: 'late', value: { boolValue: true } },
          { key: 'ratio', value: { doubleValue: 0.5 } },
        ],
      },
      { timeUnixNano: '1760000000123459000', name: 'a|b|c' },
      { timeUnixNano: '1760000000123460000', name: 'x|{broken|1' },
    ]);
  });

  it('has links in tags', () => {
    const tags = { 'otlp.link.0': `${TRACE}|${SPAN}|a=b|{"k":"v"}|1`, 'otlp.link.1': 'not a link', other: 'x' };
    const { span: translated } = translate(span({ tags }));
    expect(translated['links']).toEqual([
      {
        traceId: base64(TRACE),
        spanId: base64(SPAN),
        traceState: 'a=b',
        attributes: [{ key: 'k', value: { stringValue: 'v' } }],
        droppedAttributesCount: 1,
      },
    ]);
    expect(attributes(translated)).toEqual({ 'otlp.link.1': 'not a link', other: 'x' });
  });

  it('with a 64-bit trace id, and in JSON with short ids, has zeros in front of them', () => {
    expect(translate(span({ traceId: '48485a3953bb6124' })).span['traceId']).toBe(
      base64('000000000000000048485a3953bb6124'),
    );
    const [short] = flatten(transcodeZipkinJson(zipkinJson([span({ traceId: 'abc', id: '1' })])));
    expect(short!.span).toMatchObject({ traceId: base64(`${'0'.repeat(29)}abc`), spanId: base64('0000000000000001') });
  });

  it('that ends before it starts keeps doing so in protobuf', () => {
    const bytes = Buffer.from(zipkinProto([span({ duration: 0 })]));
    // A duration of -1000, put behind the only span, whose length grows by it.
    const negative = Buffer.from([0x38, 0x98, 0xf8, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]);
    bytes[1] = bytes[1]! + negative.length;
    const [translated] = flatten(transcodeZipkinProto(Buffer.concat([bytes, negative])));
    expect(translated!.span['endTimeUnixNano']).toBe('1760000000122456000');
  });

  it('without a timestamp says so in JSON', () => {
    const { timestamp, ...rest } = span();
    expect(timestamp).toBeDefined();
    const [translated] = flatten(transcodeZipkinJson(zipkinJson([rest])));
    expect(translated!.span).toMatchObject({ endTimeUnixNano: '12346000' });
    expect(attributes(translated!.span)).toEqual({ 'otel.zipkin.absentField.startTime': true });
  });

  it('in JSON may have tags that are no texts, addresses that are none, and fields that nobody knows', () => {
    const odd = {
      ...span(),
      tags: { n: 1, yes: true, none: null, ['__proto__']: 'x' },
      localEndpoint: { serviceName: 'cart', ipv4: 'cart-0', ipv6: '::ffff:10.0.0.1', port: -1 },
      debug: true,
      later: {},
    };
    Object.defineProperty(odd.tags, '__proto__', { value: 'x', enumerable: true });
    const [translated] = flatten(transcodeZipkinJson(Buffer.from(JSON.stringify([null, odd]))));
    const list = translated!.span['attributes'] as { key: string; value: Plain }[];
    expect(list.map(({ key, value }) => [key, value['stringValue']])).toEqual([
      ['n', '1'],
      ['yes', 'true'],
      ['__proto__', 'x'],
      ['net.host.ip', '10.0.0.1'],
      ['network.local.address', '10.0.0.1'],
    ]);
  });
});

describe('several Zipkin spans', () => {
  it('share resources and scopes where these are the same', () => {
    const library = (name: string) => ({ 'otel.library.name': name });
    const resources = translateAll([
      span({ name: '1', tags: library('a') }),
      span({ name: '2', localEndpoint: { serviceName: 'stock' } }),
      span({ name: '3', tags: library('b') }),
      span({ name: '4', tags: library('a') }),
      span({ name: '5', tags: { ...library('a'), 'service.instance.id': 'i' } }),
    ]);
    const outline = resources.map((resource) => [
      attributes(resource['resource'] as Plain),
      ...resource.scopeSpans!.map(({ spans }) => spans!.map(({ name }) => name)),
    ]);
    expect(outline).toEqual([
      [{ 'service.name': 'cart' }, ['1', '4'], ['3']],
      [{ 'service.name': 'stock' }, ['2']],
      [{ 'service.name': 'cart', 'service.instance.id': 'i' }, ['5']],
    ]);
  });

  it('of an empty list are none', () => {
    expect(transcodeZipkinJson(Buffer.from('null'))).toHaveLength(0);
    expect(transcodeZipkinJson(Buffer.from('[]'))).toHaveLength(0);
    expect(transcodeZipkinJson(new Uint8Array(0))).toHaveLength(0);
    expect(transcodeZipkinProto(new Uint8Array(0))).toHaveLength(0);
  });
});
