// What the command line may ask for. Apart from what does it, so that reading a flag loads no library.

/** Tempo's own record, and the encodings of the OpenTelemetry collector's Kafka exporter by its names. */
export const ENCODINGS = [
  'push-bytes',
  'otlp_proto',
  'otlp_json',
  'jaeger_proto',
  'jaeger_json',
  'zipkin_proto',
  'zipkin_json',
] as const;
export type KafkaEncoding = (typeof ENCODINGS)[number];

/** By the numbers of Kafka's record batches. */
export const CODECS = { none: 0, gzip: 1, snappy: 2, lz4: 3, zstd: 4 } as const;
export type KafkaCodec = keyof typeof CODECS;
