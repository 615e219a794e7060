// What the transcoder says of a body that is no OTLP/JSON trace request. The path leads to the fault.

export type OtlpJsonReason = 'syntax' | 'type' | 'range' | 'hex' | 'base64' | 'enum' | 'oneof' | 'depth';

/** `path` is empty where the whole body is at fault (not JSON at all). The message is the path, a colon and what is wrong. */
export class OtlpJsonError extends Error {
  readonly reason: OtlpJsonReason;
  readonly path: string;
  constructor(reason: OtlpJsonReason, path: string, what: string, options?: { cause?: unknown }) {
    super(path === '' ? what : `${path}: ${what}`, options);
    this.name = 'OtlpJsonError';
    this.reason = reason;
    this.path = path;
  }
}
