// An exemplar, prepared for either protocol.

import { encodeExemplarLabels, type LabelPair, sortedLabels } from './encode.ts';

/** From `createExemplar`. */
export interface Exemplar {
  /** As `encodeExemplarLabels` gives them. */
  readonly labels: Uint8Array;
  /** Sorted by the bytes of the name. */
  readonly pairs: readonly LabelPair[];
  readonly value: number;
  /** Milliseconds since the Unix epoch. */
  readonly timestampMs: number;
}

/**
 * @param labels usually a `trace_id`, perhaps a `span_id`.
 * @throws LabelError
 */
export function createExemplar(labels: readonly LabelPair[], value: number, timestampMs: number): Exemplar {
  return { labels: encodeExemplarLabels(labels), pairs: sortedLabels(labels), value, timestampMs };
}
