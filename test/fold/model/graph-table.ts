// The service graph's metrics and labels.

import type { TenantSettings } from '../../../src/config/index.ts';
import { counter, gauge } from './metrics.ts';
import { GRAPH_SCOPE, instanceLabel, otelName } from './otel-names.ts';
import type { Table } from './registry.ts';
import { isOn, latency, plainTable } from './tables.ts';
import { labelName } from './text.ts';

export const REQUESTS = 'traces_service_graph_request_total';
export const FAILURES = 'traces_service_graph_request_failed_total';
const SERVER_SECONDS = 'traces_service_graph_request_server_seconds';
const CLIENT_SECONDS = 'traces_service_graph_request_client_seconds';
export const MESSAGING_SECONDS = 'traces_service_graph_request_messaging_system_seconds';
export const CONNECTION_INFO = 'traces_service_graph_connection_info';

/** Names of the two latencies: the collector's may lack their unit. */
export function latencyNames({ naming, otel }: TenantSettings): { server: string; client: string } {
  const [server, client] = [SERVER_SECONDS, CLIENT_SECONDS].map((name) =>
    naming === 'otel' && !otel.suffixes ? name.replace('_seconds', '') : name,
  );
  return { server: server!, client: client! };
}

export function serviceGraphsTable(tenant: string, settings: TenantSettings): Table | undefined {
  const { serviceGraphs, naming } = settings;
  const seconds = (name: string) => latency(settings, name, serviceGraphs.histogramBuckets);
  const { server, client } = latencyNames(settings);
  const hasLatency = isOn(settings, 'service-graphs', 'service-graphs-latency');
  const metrics = [
    ...(isOn(settings, 'service-graphs', 'service-graphs-request') ? [counter(REQUESTS), counter(FAILURES)] : []),
    ...(hasLatency ? [seconds(server), seconds(client)] : []),
    ...(hasLatency && serviceGraphs.enableMessagingSystemLatencyHistogram ? [seconds(MESSAGING_SECONDS)] : []),
    ...(isOn(settings, 'service-graphs-connection-info') ? [gauge(CONNECTION_INFO)] : []),
  ];
  if (metrics.length === 0) return undefined;
  const dimensions = edgeDimensions(settings).map((name) => edgeLabelName(settings, name));
  const ends = ['client', 'server', 'connection_type', ...(naming === 'otel' ? ['failed'] : [])];
  const table = plainTable(tenant, settings, 'service-graphs', metrics, [...ends, ...dimensions]);
  if (naming !== 'otel') return table;
  const constantLabels = [{ ...table.constantLabels[0], ...GRAPH_SCOPE }];
  return { ...table, constantLabels, instanceLabels: [instanceLabel(settings)] };
}

export function edgeLabelName({ naming }: TenantSettings, name: string): string {
  return naming === 'otel' ? otelName(name) : labelName(name);
}

/** Attributes that an edge's halves are asked for. */
export function edgeAttributes({ serviceGraphs, naming }: TenantSettings): string[] {
  const { dimensions, enableVirtualNodeLabel } = serviceGraphs;
  return [...dimensions, ...(enableVirtualNodeLabel && naming !== 'otel' ? ['virtual_node'] : [])];
}

/** What an edge has beside its ends and type, under the names that they are stored by; in the order in which they become labels. */
export function edgeDimensions(settings: TenantSettings): string[] {
  const { enableClientServerPrefix, enableVirtualNodeLabel } = settings.serviceGraphs;
  const names = edgeAttributes(settings);
  const stored = enableClientServerPrefix ? names.flatMap((name) => [`client_${name}`, `server_${name}`]) : names;
  return [...stored, ...(enableVirtualNodeLabel ? ['virtual_node'] : [])];
}
