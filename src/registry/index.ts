export { BucketIndex } from './bucket-index.ts';
export { traceIdText } from './exemplars.ts';
export { type ImageExemplar, type ImageRow, TableImage, TenantImage } from './image.ts';
export { Limiter } from './limiter.ts';
export { Registry, type RegistryOptions, type SymbolHolder } from './registry.ts';
export { type RowsColumns, type RowsMeta, zeroTimeMs } from './row-sections.ts';
export { INVALID_LABELS, RowTable } from './rows.ts';
export {
  type CounterPart,
  fullMask,
  type GaugePart,
  type HistogramPart,
  makeSchema,
  type Part,
  type PartSpec,
  seriesOfPart,
  type TableSchema,
} from './schema.ts';
export type { Column, Section, StateHolder } from './section.ts';
export { type SeriesSpec, seriesLabels, seriesOf, seriesValues } from './series.ts';
export { EMPTY_SYMBOL, Symbols } from './symbols.ts';
