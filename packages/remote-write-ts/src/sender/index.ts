export type { WrittenCounts } from './attempt.ts';
export { SenderError, type SenderErrorCode } from './errors.ts';
export { FORBIDDEN_HEADERS } from './headers.ts';
export type { AttemptInfo, SenderOptions } from './options.ts';
export { createSender, type Sender, type SenderStats, type SendOutcome } from './sender.ts';
export type { TlsOptions, Transport, TransportRequest, TransportResponse } from './transport.ts';
