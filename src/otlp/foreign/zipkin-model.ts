// A span of Zipkin's v2 model (zipkin-api, zipkin.proto and zipkin2-api.yaml), read from either of its forms. Data only.

export interface ZipkinSpan {
  traceId: Uint8Array;
  id: Uint8Array;
  parentId: Uint8Array | undefined;
  name: string;
  kind: number;
  /** µs since 1970; undefined where the form can say that there is none, and says so. */
  timestampMicros: bigint | undefined;
  durationMicros: bigint;
  localEndpoint: ZipkinEndpoint | undefined;
  remoteEndpoint: ZipkinEndpoint | undefined;
  annotations: ZipkinAnnotation[];
  tags: Map<string, string>;
}

/** An address that is none is undefined, as it is to Zipkin. Port 0 is none. */
export interface ZipkinEndpoint {
  serviceName: string;
  ipv4: string | undefined;
  ipv6: string | undefined;
  port: number;
}

export interface ZipkinAnnotation {
  micros: bigint;
  value: string;
}

/** The numbers of zipkin.proto. */
export const ZIPKIN_KIND = { client: 1, server: 2, producer: 3, consumer: 4 } as const;

/** More than this does not fit 64 bits as ns. */
export const MAX_MICROS = (2n ** 64n - 1n) / 1000n;
export const MAX_PORT = 65_535;
