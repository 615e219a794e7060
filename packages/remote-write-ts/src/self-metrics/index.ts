export { DURATION_BOUNDS, type DurationCounts, Durations } from './durations.ts';
export { type MetricFamily, type MetricSample, mergeMetrics } from './family.ts';
export { type RemoteStorageState, type RemoteStorageStats, remoteStorageMetrics } from './remote-storage.ts';
export { renderMetrics, TEXT_FORMAT } from './render.ts';
