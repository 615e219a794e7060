export { StageLatencies, type Stage, type StageSummary, STAGES } from './latency.ts';
export { createLogger, type Logger, LogSampler } from './logger.ts';
export { traced, tracedSync } from './tracing.ts';
