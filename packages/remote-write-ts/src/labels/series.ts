// A series, prepared once for any number of requests of either protocol: labels validated and sorted, their 1.0 bytes, their
// 2.0 symbols, metadata, and the hash that gives it a shard.

import { encodeLabels, type LabelPair, sortedLabels } from './encode.ts';
import { LabelError } from './errors.ts';
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

/** From `createSeries`. */
export interface Series {
  /** Sorted by the bytes of the name. */
  readonly labels: readonly LabelPair[];
  /** As `encodeLabels` gives them. */
  readonly labelBytes: Uint8Array;
  /** Names and values in turn. */
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
  const labelBytes = encodeLabels(labels);
  const sorted = sortedLabels(labels);
  return {
    labels: sorted,
    labelBytes,
    symbols: sorted.flat().map(internSymbol),
    metadata: metadata && seriesMetadata(sorted.find(([name]) => name === '__name__')![1], metadata),
    hash: fnv1a(labelBytes),
  };
}

function seriesMetadata(name: string, { type, help = '', unit = '', family }: Metadata): SeriesMetadata {
  for (const text of [help, unit, family ?? '']) {
    if (!text.isWellFormed()) throw new LabelError('not_unicode', 'metadata have a lone surrogate');
  }
  return {
    family: family ?? familyName(name, type),
    type: METRIC_TYPES.indexOf(type),
    help: internSymbol(help),
    unit: internSymbol(unit),
  };
}

function familyName(name: string, type: MetricType): string {
  if (type === 'histogram') return name.replace(/_(bucket|sum|count)$/, '');
  if (type === 'gaugehistogram') return name.replace(/_(bucket|gsum|gcount)$/, '');
  return type === 'summary' ? name.replace(/_(sum|count)$/, '') : name;
}

function fnv1a(bytes: Uint8Array): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < bytes.length; i++) hash = Math.imul(hash ^ bytes[i]!, 0x01000193);
  return hash >>> 0;
}
