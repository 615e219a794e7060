export { BucketIndex } from './bucket-index.ts';
export { traceIdText } from './exemplars.ts';
export { type ImageExemplar, type ImageRow, TableImage, TenantImage } from './image.ts';
export { LabelCounters } from './label-counters.ts';
export type { LabelRules } from './label-rules.ts';
export { Limiter } from './limiter.ts';
export { schemaOfFactor, ZERO_THRESHOLD } from './native-buckets.ts';
export type { NativeExemplar } from './native-exemplars.ts';
export type { NativeLayout } from './native-histogram.ts';
export { hasNative, type PartWithNative } from './native-rows.ts';
export type { NativeState } from './native-sections.ts';
export { Registry, type RegistryOptions, type SymbolHolder } from './registry.ts';
export { type RowsColumns, type RowsMeta, zeroTimeMs } from './row-sections.ts';
export { INVALID_LABELS, RowTable } from './rows.ts';
export {
  type CounterPart,
  fullMask,
  type GaugePart,
  type HistogramPart,
  makeSchema,
  type NativePart,
  type Part,
  type PartSpec,
  type SecondNames,
  type SecondPart,
  seriesOfPart,
  type TableSchema,
  withSecondNames,
} from './schema.ts';
export type { Column, Section, StateHolder } from './section.ts';
export { exemplarSlots, INSTANCE_LABEL, type SeriesSpec, seriesLabels, seriesOf, seriesValues } from './series.ts';
export {
  exemplarIds,
  exemplarLabels,
  type SeriesExemplar,
  SPAN_ID_LABEL,
  seriesExemplars,
} from './series-exemplars.ts';
export { EMPTY_SYMBOL, Symbols } from './symbols.ts';
