export { joinExpositions, OPENMETRICS_TYPE, TEXT_TYPE } from './exposition.ts';
export { ShardHost, type ShardHostOptions, WorkerDied } from './host.ts';
export type {
  EndpointPlan,
  EndpointStats,
  LedgerStats,
  ShardPlan,
  ShardStats,
  TenantSettingsTable,
  TenantStats,
} from './protocol.ts';
export { IN_HAND_BYTES } from './protocol.ts';
export { TraceWatch } from './trace-watch.ts';
