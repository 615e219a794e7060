export { STAGES, type Stage, StageLatencies, type StageSummary } from './latency.ts';
export { createLogger, type Logger, LogSampler } from './logger.ts';
export { traced, tracedSync } from './tracing.ts';
