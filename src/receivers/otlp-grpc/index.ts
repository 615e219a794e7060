export type { GrpcReceivedInfo, GrpcReceiverEvents, OtlpGrpcReceiver, OtlpGrpcReceiverOptions } from './options.ts';
export { createOtlpGrpcReceiver } from './server.ts';
