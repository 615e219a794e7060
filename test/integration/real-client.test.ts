// The OpenTelemetry SDK sends, spanmill counts: as an application would see it.

import { ROOT_CONTEXT, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import { OTLPTraceExporter as JsonExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { OTLPTraceExporter as ProtobufExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { BatchSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { Spanmill } from './support/spanmill.ts';
import { waitFor } from './support/wait.ts';

vi.setConfig({ testTimeout: 150_000, hookTimeout: 60_000 });

describe.each([
  ['protobuf', ProtobufExporter],
  ['JSON', JsonExporter],
] as const)('spans from the OpenTelemetry SDK over OTLP/HTTP with %s', (_, Exporter) => {
  let spanmill: Spanmill | undefined;
  afterEach(() => spanmill?.remove());

  const provider = (service: string) =>
    new TracerProvider({
      resource: resourceFromAttributes({ 'service.name': service }),
      spanProcessors: [new BatchSpanProcessor({ exporter: new Exporter({ url: `${spanmill!.otlp}/v1/traces` }) })],
    });

  it('become calls and an edge on /span-metrics', async () => {
    spanmill = await Spanmill.start();
    const web = provider('web');
    const api = provider('api');
    for (let i = 0; i < 7; i++) {
      const call = web.getTracer('test').startSpan('GET /cart', { kind: SpanKind.CLIENT }, ROOT_CONTEXT);
      const answer = api
        .getTracer('test')
        .startSpan('GET /cart', { kind: SpanKind.SERVER }, trace.setSpan(ROOT_CONTEXT, call));
      if (i === 0) answer.setStatus({ code: SpanStatusCode.ERROR });
      answer.end();
      call.end();
    }
    await Promise.all([web.shutdown(), api.shutdown()]);
    const has = (line: RegExp) => waitFor(`${line}`, async () => line.test(await spanmill!.spanMetrics()), 20_000);
    await has(
      /^traces_spanmetrics_calls_total\{.*service="web",span_kind="SPAN_KIND_CLIENT",span_name="GET \/cart",status_code="STATUS_CODE_UNSET"\} 7$/m,
    );
    await has(
      /^traces_spanmetrics_calls_total\{.*service="api",span_kind="SPAN_KIND_SERVER",span_name="GET \/cart",status_code="STATUS_CODE_UNSET"\} 6$/m,
    );
    await has(/^traces_spanmetrics_calls_total\{.*service="api".*status_code="STATUS_CODE_ERROR"\} 1$/m);
    await has(/^traces_service_graph_request_total\{.*client="web",server="api"\} 7$/m);
    await has(/^traces_service_graph_request_failed_total\{.*client="web",server="api"\} 1$/m);
    expect(await spanmill.stop('SIGINT')).toBe(0);
  });
});
