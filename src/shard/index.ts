export { joinExpositions, OPENMETRICS_TYPE, TEXT_TYPE } from './exposition.ts';
export { ShardHost, type ShardHostOptions } from './host.ts';
export { WorkerDied } from './host-errors.ts';
export type {
  EndpointConnection,
  EndpointPlan,
  EndpointStats,
  LedgerStats,
  ShardPlan,
  ShardStats,
  TenantSettingsTable,
  TenantStats,
} from './protocol.ts';
export { IN_HAND_BYTES } from './protocol.ts';
export { httpWriter } from './renewable-writer.ts';
export { TraceWatch } from './trace-watch.ts';
