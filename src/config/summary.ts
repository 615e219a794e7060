// One line that says what spanmill does with a file that was written for Tempo. It never shows a secret.

import type { Config } from './config.ts';
import { resolveTenants } from './resolve.ts';
import { shownUrl } from './shown-url.ts';

export function summaryOf(config: Config): string {
  return `spans ${sourceText(config)}; samples go ${targetText(config)}; ${processorsText(config)}`;
}

function sourceText({ receivers, log }: Config): string {
  const { http, grpc } = receivers.otlp;
  const doors = [
    ...(grpc ? [`OTLP/gRPC on ${grpc.endpoint}`] : []),
    ...(http ? [`OTLP/HTTP on ${http.endpoint}`] : []),
    ...(receivers.zipkin ? [`Zipkin on ${receivers.zipkin.endpoint}`] : []),
  ];
  const come = doors.length === 0 ? '' : `come in by ${doors.join(', ')}`;
  if (log.kind === 'embedded') return come === '' ? 'come in by no receiver' : come;
  const read = `are read from the Kafka topic ${log.kafka.topic} on ${log.kafka.brokers.join(', ')}`;
  return come === '' ? read : `${come}, go to and ${read}`;
}

function targetText({ remoteWrite: { endpoints } }: Config): string {
  if (endpoints.length === 0)
    return 'nowhere (metrics_generator.storage.remote_write is empty; /span-metrics shows them)';
  return `to ${endpoints.map(({ url }) => shownUrl(url)).join(', ')}`;
}

function processorsText(config: Config): string {
  const { defaults, tenants } = resolveTenants(config);
  const { processors } = defaults;
  const count = Object.keys(tenants).length;
  const blocks = count === 0 ? '' : ` (${count} ${count === 1 ? 'tenant has' : 'tenants have'} settings of their own)`;
  return `${processors.length === 0 ? 'no processors' : processors.join(', ')} run${blocks}`;
}
