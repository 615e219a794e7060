export type { ApiLogger, ApiProviders, ApiServer, ApiServerOptions, OverridesView } from './options.ts';
export { type Finding, type Pipeline, type PipelineStage, pipelineOf, type StageId } from './pipeline.ts';
export { createApiServer } from './server.ts';
export {
  buildStatusView,
  type DiscardView,
  type EndpointView,
  type LogView,
  type ReceiverView,
  type ShardView,
  type StatusParts,
  type StatusView,
  type TenantView,
} from './status-view.ts';
