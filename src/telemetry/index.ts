export { STAGES, type Stage, StageLatencies, type StageSummary } from './latency.ts';
export { createLogger, type Logger, LogSampler } from './logger.ts';
export {
  createOwnMetrics,
  MAX_TENANT_LABELS,
  mergeStages,
  OTHER_TENANTS,
  type OwnMetrics,
  type OwnMetricsView,
  type ReceiverTotals,
  splitDiscardKey,
} from './metrics.ts';
export {
  addCounts,
  addReasons,
  allReasons,
  type BoundarySkip,
  type NotSent,
  noCounts,
  type SenderCounters,
} from './sender-counters.ts';
export { traced, tracedSync } from './tracing.ts';
