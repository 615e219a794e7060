export type { EnvelopeOptions, Transcode } from './envelope.ts';
export { openKafkaLog } from './log.ts';
export type {
  Compression,
  KafkaLog,
  KafkaLogOptions,
  KafkaLogStats,
  KafkaSasl,
  KafkaStart,
  KafkaTls,
  Lag,
  Skipped,
  SkipReason,
} from './options.ts';
export { pushBytes } from './sink.ts';
