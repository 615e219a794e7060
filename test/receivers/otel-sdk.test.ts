// The OpenTelemetry SDK's own exporters against the receiver.

import { ROOT_CONTEXT, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import { OTLPTraceExporter as JsonExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { OTLPTraceExporter as ProtobufExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import { CompressionAlgorithm } from '@opentelemetry/otlp-exporter-base';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { BatchSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';
import { afterEach, describe, expect, test } from 'vitest';
import { LogError } from '../../src/log/port.ts';
import { flatten } from '../otlp/split/reference.ts';
import { createFakeSink, startReceiver, stopAll } from './harness.ts';

afterEach(stopAll);

describe.each([
  ['protobuf', ProtobufExporter],
  ['json', JsonExporter],
] as const)('the exporter for %s', (format, Exporter) => {
  const providerFor = (port: number, compression: CompressionAlgorithm) => {
    const exporter = new Exporter({
      url: `http://127.0.0.1:${port}/v1/traces`,
      headers: { 'X-Scope-OrgID': 'sdk' },
      compression,
      timeoutMillis: 20_000,
    });
    return new TracerProvider({
      resource: resourceFromAttributes({ 'service.name': 'shop', list: ['a', 'b'] }),
      spanProcessors: [new BatchSpanProcessor({ exporter })],
    });
  };

  test.each([
    ['gzip', CompressionAlgorithm.GZIP],
    ['identity', CompressionAlgorithm.NONE],
  ] as const)('delivers its spans, compressed with %s', async (compression, algorithm) => {
    const sink = createFakeSink(3);
    const { port, told } = await startReceiver({ sink });
    const provider = providerFor(port, algorithm);
    const tracer = provider.getTracer('lib', '1.2');
    const ids: string[] = [];
    for (let i = 0; i < 20; i++) {
      const parent = tracer.startSpan(`parent-${i}`, { kind: SpanKind.SERVER }, ROOT_CONTEXT);
      const child = tracer.startSpan(
        `child-${i}`,
        {
          kind: SpanKind.CLIENT,
          startTime: [1767225641, 475000123],
          attributes: { n: i, f: 0.5, b: true, s: 'é', l: [1, 2] },
        },
        trace.setSpan(ROOT_CONTEXT, parent),
      );
      child.addEvent('e', { k: 'v' });
      child.setStatus({ code: SpanStatusCode.ERROR, message: 'bad' });
      child.end([1767225642, 1]);
      parent.end();
      ids.push(parent.spanContext().traceId);
    }
    await provider.forceFlush();
    await provider.shutdown();

    expect(told.refused).toEqual([]);
    expect(told.oddIds).toEqual([]);
    expect(told.received.map((info) => [info.format, info.compression, info.tenant])).toEqual([
      [format, compression, 'sdk'],
    ]);
    expect(sink.records.length).toBeGreaterThan(1);
    const flats = sink.records.flatMap((record) => flatten(record.bytes));
    expect(flats).toHaveLength(40);
    for (const [i, id] of ids.entries()) {
      const records = sink.records.filter((record) =>
        flatten(record.bytes).some(({ span }) => span.name?.endsWith(`-${i}`)),
      );
      expect(records).toHaveLength(1);
      const spans = flatten(records[0]!.bytes).filter(
        ({ span }) => Buffer.from(span.traceId!, 'base64').toString('hex') === id,
      );
      expect(spans.map(({ span }) => span.name).sort()).toEqual([`child-${i}`, `parent-${i}`]);
    }
    const { span, context } = flats.find((flat) => flat.span.name === 'child-7')!;
    expect(span).toMatchObject({
      kind: 3,
      startTimeUnixNano: '1767225641475000123',
      endTimeUnixNano: '1767225642000000001',
      status: { code: 2, message: 'bad' },
      events: [{ name: 'e', attributes: [{ key: 'k', value: { stringValue: 'v' } }] }],
      attributes: [
        { key: 'n', value: { intValue: '7' } },
        { key: 'f', value: { doubleValue: 0.5 } },
        { key: 'b', value: { boolValue: true } },
        { key: 's', value: { stringValue: 'é' } },
        { key: 'l', value: { arrayValue: { values: [{ intValue: '1' }, { intValue: '2' }] } } },
      ],
    });
    expect(context).toMatchObject({
      resource: {
        resource: {
          attributes: expect.arrayContaining([
            { key: 'service.name', value: { stringValue: 'shop' } },
            { key: 'list', value: { arrayValue: { values: [{ stringValue: 'a' }, { stringValue: 'b' }] } } },
          ]),
        },
      },
      scope: { scope: { name: 'lib', version: '1.2' } },
    });
  });
});

test('an exporter tries again after 503, when it was told to, and nothing is lost', async () => {
  const { port, sink, told, names } = await startReceiver();
  let failures = 1;
  sink.gate = async () => {
    if (failures-- > 0) throw new LogError('disk_full', 'no space');
  };
  const exporter = new ProtobufExporter({ url: `http://127.0.0.1:${port}/v1/traces`, timeoutMillis: 20_000 });
  const provider = new TracerProvider({ spanProcessors: [new BatchSpanProcessor({ exporter })] });
  provider.getTracer('t').startSpan('once').end();
  await provider.forceFlush();
  await provider.shutdown();
  expect(told.refused).toEqual([['disk_full', 503]]);
  expect(names()).toEqual(['once']);
});
