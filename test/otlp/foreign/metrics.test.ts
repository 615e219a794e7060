// The same spans, as an application's SDK sends them and as other systems carry them, must become the same metrics.

import { describe, expect, it } from 'vitest';
import { resolveReference } from '../../../src/config/index.ts';
import { Fold } from '../../../src/fold/index.ts';
import { type RecordEncoding, transcode } from '../../../src/otlp/foreign/index.ts';
import { transcodeRequestObject } from '../../../src/otlp/json/index.ts';
import { TenantImage } from '../../../src/registry/index.ts';
import { viewSeries } from '../../../src/simulate/series-view.ts';
import { type Jaeger, jaegerJson, jaegerProto, type Zipkin, zipkinJson, zipkinProto } from './encoders.ts';

const NOW_MS = 1_760_000_000_000;
const TRACE = '5b8efff798038103d269b633813fc60c';

type Kind = 'internal' | 'server' | 'client' | 'producer' | 'consumer';
interface Plain {
  service: string;
  id: string;
  parent?: string;
  name: string;
  kind: Kind;
  startMicros: number;
  micros: number;
  status?: 'OK' | 'ERROR';
  tags?: Record<string, string>;
}

/** A request through a gateway to a cart, which asks a database and a queue's consumer; and one service that nobody traces. */
const SPANS: Plain[] = [
  { service: 'gateway', id: '01', name: 'GET /', kind: 'server', startMicros: 0, micros: 900_000 },
  { service: 'gateway', id: '02', parent: '01', name: 'POST', kind: 'client', startMicros: 10, micros: 800_000 },
  {
    service: 'cart',
    id: '03',
    parent: '02',
    name: 'POST /cart',
    kind: 'server',
    startMicros: 20,
    micros: 700_000,
    status: 'ERROR',
  },
  { service: 'cart', id: '04', parent: '03', name: 'check', kind: 'internal', startMicros: 30, micros: 1_500 },
  {
    service: 'cart',
    id: '05',
    parent: '03',
    name: 'SELECT',
    kind: 'client',
    startMicros: 40,
    micros: 30_000,
    tags: { 'db.name': 'carts', 'db.system': 'postgresql' },
  },
  {
    service: 'cart',
    id: '06',
    parent: '03',
    name: 'send',
    kind: 'producer',
    startMicros: 50,
    micros: 2_000,
    status: 'OK',
  },
  { service: 'mailer', id: '07', parent: '06', name: 'receive', kind: 'consumer', startMicros: 60, micros: 5_000 },
  {
    service: 'mailer',
    id: '08',
    parent: '07',
    name: 'SMTP',
    kind: 'client',
    startMicros: 70,
    micros: 4_000,
    tags: { 'peer.service': 'smtp.example.com' },
    status: 'ERROR',
  },
];

const spanId = (id: string) => id.padStart(16, 'a');
const startMicros = (span: Plain) => (NOW_MS - 1000) * 1000 + span.startMicros;
const KINDS = { internal: 1, server: 2, client: 3, producer: 4, consumer: 5 };

function asOtlp(): Uint8Array {
  const resourceSpans = SPANS.map((span) => ({
    resource: { attributes: [{ key: 'service.name', value: { stringValue: span.service } }] },
    scopeSpans: [
      {
        spans: [
          {
            traceId: TRACE,
            spanId: spanId(span.id),
            ...(span.parent !== undefined && { parentSpanId: spanId(span.parent) }),
            name: span.name,
            kind: KINDS[span.kind],
            startTimeUnixNano: `${startMicros(span)}000`,
            endTimeUnixNano: `${startMicros(span) + span.micros}000`,
            attributes: Object.entries(span.tags ?? {}).map(([key, value]) => ({ key, value: { stringValue: value } })),
            ...(span.status && { status: { code: span.status === 'OK' ? 1 : 2 } }),
          },
        ],
      },
    ],
  }));
  return transcodeRequestObject({ resourceSpans });
}

/** One record per span, as the collector's exporter writes them. */
function asJaeger(): Jaeger[] {
  return SPANS.map((span) => ({
    traceId: TRACE,
    spanId: spanId(span.id),
    operationName: span.name,
    references:
      span.parent === undefined ? [] : [{ traceId: TRACE, spanId: spanId(span.parent), refType: 'CHILD_OF' as const }],
    startNano: BigInt(startMicros(span)) * 1000n,
    durationNano: BigInt(span.micros) * 1000n,
    tags: [
      ...Object.entries(span.tags ?? {}).map(([key, value]) => ({ key, value })),
      { key: 'span.kind', value: span.kind },
      ...(span.status ? [{ key: 'otel.status_code', value: span.status }] : []),
      ...(span.status === 'ERROR' ? [{ key: 'error', value: true }] : []),
    ],
    process: { serviceName: span.service },
  }));
}

function asZipkin(): Zipkin[] {
  return SPANS.map((span) => {
    const { 'peer.service': peer, ...tags } = span.tags ?? {};
    if (span.kind === 'internal') tags['span.kind'] = 'internal';
    if (span.status === 'OK') tags['otel.status_code'] = 'Ok';
    if (span.status === 'ERROR') Object.assign(tags, { 'otel.status_code': 'Error', error: 'true' });
    return {
      traceId: TRACE,
      id: spanId(span.id),
      parentId: span.parent === undefined ? '0000000000000000' : spanId(span.parent),
      name: span.name,
      ...(span.kind !== 'internal' && { kind: span.kind.toUpperCase() as 'CLIENT' }),
      timestamp: startMicros(span),
      duration: span.micros,
      localEndpoint: { serviceName: span.service },
      ...(peer !== undefined && { remoteEndpoint: { serviceName: peer } }),
      tags,
    };
  });
}

/** Every series but those of sizes in bytes, as text. */
function metricsOf(encoding: RecordEncoding, records: readonly Uint8Array[]): string[] {
  const settings = resolveReference(undefined, { processors: ['span-metrics', 'service-graphs'] }, 't');
  const fold = new Fold({ settingsOf: () => settings, originMs: NOW_MS });
  for (const record of records) {
    const { encoding: to, bytes } = transcode(encoding, record);
    expect(to).toBe('otlp');
    fold.push('t', NOW_MS, NOW_MS, bytes, false);
  }
  fold.advance(NOW_MS + 60_000);
  const image = new TenantImage();
  image.nextBoundary();
  for (const section of fold.collect(NOW_MS + 60_000)) if (section.meta['holder'] === 'rows') image.apply(section);
  return viewSeries(image, {})
    .filter(({ labels }) => !labels['__name__']!.includes('size_total'))
    .map(({ labels, value }) => `${JSON.stringify(labels)} ${value}`);
}

describe('spans of other encodings lead to the metrics of their OTLP form', () => {
  const expected = metricsOf('otlp', [asOtlp()]);

  it('which has every kind of edge and every status', () => {
    const text = expected.join('\n');
    for (const part of [
      '"client":"gateway"',
      '"connection_type":"messaging_system"',
      '"connection_type":"database"',
      '"server":"smtp.example.com"',
      'STATUS_CODE_OK',
      'STATUS_CODE_ERROR',
      'STATUS_CODE_UNSET',
      'SPAN_KIND_INTERNAL',
      'request_failed_total',
    ]) {
      expect(text).toContain(part);
    }
  });

  it.each<[RecordEncoding, () => Uint8Array[]]>([
    ['jaeger_proto', () => asJaeger().map(jaegerProto)],
    ['jaeger_json', () => asJaeger().map(jaegerJson)],
    ['zipkin_proto', () => [zipkinProto(asZipkin())]],
    ['zipkin_json', () => [zipkinJson(asZipkin())]],
  ])('in %s', (encoding, records) => {
    expect(metricsOf(encoding, records())).toEqual(expected);
  });
});
