export { type Admission, type AdmissionOptions, createAdmission } from './admission/admission.ts';
export {
  createOtlpGrpcReceiver,
  type GrpcReceivedInfo,
  type GrpcReceiverEvents,
  type OtlpGrpcReceiver,
  type OtlpGrpcReceiverOptions,
} from './otlp-grpc/index.ts';
export {
  type Compression,
  type OtlpHttpReceiver,
  type OtlpHttpReceiverOptions,
  REFUSAL_REASONS,
  type ReceivedInfo,
  type ReceiverEvents,
  type ReceiverLogger,
  type RefusalReason,
} from './otlp-http/options.ts';
export { createOtlpHttpReceiver } from './otlp-http/server.ts';
export { isTenantId } from './tenant-id.ts';
export type { ZipkinReceiver, ZipkinReceiverOptions } from './zipkin/options.ts';
export { createZipkinReceiver } from './zipkin/server.ts';
