export { compareUtf8 } from './compare.ts';
export { encodeExemplarLabels, encodeLabels, type LabelPair, MAX_EXEMPLAR_CHARACTERS, METRIC_NAME } from './encode.ts';
export { LabelError, type LabelErrorCode } from './errors.ts';
export { createExemplar, type Exemplar } from './exemplar.ts';
export {
  createSeries,
  familyName,
  METRIC_TYPES,
  type Metadata,
  type MetricType,
  type Series,
  type SeriesMetadata,
} from './series.ts';
export type { SymbolEntry } from './symbols.ts';
