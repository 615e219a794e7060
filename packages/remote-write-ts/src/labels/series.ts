// A series, prepared once for any number of requests of either protocol: labels validated and sorted, their 1.0 bytes, their
// 2.0 symbols, metadata, and the hash that gives it a shard.

import { type LabelPair, METRIC_NAME, planLabels } from './encode.ts';
import { LabelError } from './errors.ts';
import { PreparedSeries } from './prepared.ts';
import { internSymbol, type SymbolEntry } from './symbols.ts';

/** In the order of the wire's enum, whose 0 is `unknown`. */
export const METRIC_TYPES = [
  'unknown',
  'counter',
  'gauge',
  'histogram',
  'gaugehistogram',
  'summary',
  'info',
  'stateset',
] as const;
export type MetricType = (typeof METRIC_TYPES)[number];

export interface Metadata {
  type: MetricType;
  help?: string;
  unit?: string;
  /**
   * The name of the metric family, for 1.0, where metadata travel apart from the series. Default: the metric's name, for a
   * histogram or summary without its `_bucket`, `_sum` or `_count`.
   */
  family?: string;
}

/**
 * From `createSeries`. There may be millions, so it holds little, and what it is asked for is made for each call. An object of
 * another making can be sent as well: it is prepared by its `labels` and `metadata` when a builder sees it first.
 */
export interface Series {
  /** Sorted by the bytes of the name. */
  readonly labels: readonly LabelPair[];
  /** As `encodeLabels` gives them. */
  readonly labelBytes: Uint8Array;
  /** Names and values in turn. The strings are kept from the first call on. */
  readonly symbols: readonly SymbolEntry[];
  readonly metadata: SeriesMetadata | undefined;
  /** 32 bits of the labels, the same in every process. */
  readonly hash: number;
}

export interface SeriesMetadata {
  readonly family: string;
  /** Index in `METRIC_TYPES`. */
  readonly type: number;
  readonly help: SymbolEntry;
  readonly unit: SymbolEntry;
}

/**
 * The order of `labels` doesn't matter.
 * @throws LabelError
 */
export function createSeries(labels: readonly LabelPair[], metadata?: Metadata): Series {
  return prepareSeries(labels, metadata);
}

/** What `createSeries` makes, for this package's own use. */
export function prepareSeries(labels: readonly LabelPair[], metadata: Metadata | undefined): PreparedSeries {
  const plan = planLabels(labels);
  if (metadata === undefined) return new PreparedSeries(plan, undefined);
  return new PreparedSeries(plan, seriesMetadata(labels.find(([name]) => name === METRIC_NAME)![1], metadata));
}

/** Series of one family have the same: few differ, so they share. The newest are kept. */
const sharedMetadata = new Map<string, SeriesMetadata>();
const MAX_SHARED_METADATA = 10_000;

function seriesMetadata(name: string, { type, help = '', unit = '', family }: Metadata): SeriesMetadata {
  for (const text of [help, unit, family ?? '']) {
    if (!text.isWellFormed()) throw new LabelError('not_unicode', 'metadata have a lone surrogate');
  }
  const typeIndex = METRIC_TYPES.indexOf(type);
  if (typeIndex < 0) {
    throw new LabelError(
      'unknown_type',
      `${name}: no type of metric is ${JSON.stringify(type)}: ${METRIC_TYPES.join(', ')}`,
    );
  }
  const made = {
    family: family ?? familyName(name, type),
    type: typeIndex,
    help: internSymbol(help),
    unit: internSymbol(unit),
  };
  const key = `${made.family}\0${type}\0${unit}\0${help}`;
  const known = sharedMetadata.get(key);
  if (known) return known;
  if (sharedMetadata.size >= MAX_SHARED_METADATA) sharedMetadata.clear();
  sharedMetadata.set(key, made);
  return made;
}

/** Of a metric's name, where its series have suffixes by their type. */
export function familyName(name: string, type: MetricType): string {
  if (type === 'histogram') return name.replace(/_(bucket|sum|count)$/, '');
  if (type === 'gaugehistogram') return name.replace(/_(bucket|gsum|gcount)$/, '');
  return type === 'summary' ? name.replace(/_(sum|count)$/, '') : name;
}
