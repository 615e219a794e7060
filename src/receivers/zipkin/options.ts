// What a Zipkin receiver is made of: the same as an OTLP/HTTP receiver, with the same limits, reasons and events.

import type { OtlpHttpReceiver, OtlpHttpReceiverOptions } from '../otlp-http/options.ts';

/**
 * `allowedOrigins`: reporters in browsers (zipkin-js) need it. `maxBodyBytes` also bounds what a body becomes as OTLP, which may be
 * several times larger, by the bytes in flight only. `events.received` counts the body as it came, and its spans.
 */
export type ZipkinReceiverOptions = OtlpHttpReceiverOptions;
export type ZipkinReceiver = OtlpHttpReceiver;
