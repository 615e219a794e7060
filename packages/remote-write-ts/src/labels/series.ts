// A series, prepared once for any number of requests of either protocol: labels validated and sorted, their 1.0 bytes, their
// 2.0 symbols, metadata, and the hash that gives it a shard.

import { decodeLabels, encodeLabels, type LabelPair, METRIC_NAME } from './encode.ts';
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

/** From `createSeries`. There may be millions: it holds its label bytes, and what else it is asked for is made then. */
export interface Series {
  /** Sorted by the bytes of the name. Made for each call. */
  readonly labels: readonly LabelPair[];
  /** As `encodeLabels` gives them. */
  readonly labelBytes: Uint8Array;
  /** Names and values in turn. Kept from the first call on. */
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

class PreparedSeries implements Series {
  readonly labelBytes: Uint8Array;
  readonly metadata: SeriesMetadata | undefined;
  private readonly signedHash: number;
  private interned: readonly SymbolEntry[] | undefined;

  constructor(labelBytes: Uint8Array, metadata: SeriesMetadata | undefined) {
    this.labelBytes = labelBytes;
    this.metadata = metadata;
    this.signedHash = fnv1a(labelBytes);
    this.interned = undefined;
  }

  get labels(): LabelPair[] {
    return decodeLabels(this.labelBytes);
  }

  get symbols(): readonly SymbolEntry[] {
    this.interned ??= this.labels.flat().map(internSymbol);
    return this.interned;
  }

  get hash(): number {
    return this.signedHash >>> 0;
  }
}

/**
 * The order of `labels` doesn't matter.
 * @throws LabelError
 */
export function createSeries(labels: readonly LabelPair[], metadata?: Metadata): Series {
  const labelBytes = encodeLabels(labels);
  if (metadata === undefined) return new PreparedSeries(labelBytes, undefined);
  return new PreparedSeries(labelBytes, seriesMetadata(labels.find(([name]) => name === METRIC_NAME)![1], metadata));
}

/** Series of one family have the same: few differ, so they share. The newest are kept. */
const sharedMetadata = new Map<string, SeriesMetadata>();
const MAX_SHARED_METADATA = 10_000;

function seriesMetadata(name: string, { type, help = '', unit = '', family }: Metadata): SeriesMetadata {
  for (const text of [help, unit, family ?? '']) {
    if (!text.isWellFormed()) throw new LabelError('not_unicode', 'metadata have a lone surrogate');
  }
  const made = {
    family: family ?? familyName(name, type),
    type: METRIC_TYPES.indexOf(type),
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

function fnv1a(bytes: Uint8Array): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < bytes.length; i++) hash = Math.imul(hash ^ bytes[i]!, 0x01000193);
  // Signed, as it is kept: a larger number would be an object.
  return hash | 0;
}
