// Which exemplars each series of a row has at the boundary that the row stands at, and how their ids are spelt.

import { traceIdText } from './exemplars.ts';
import type { ImageExemplar, ImageRow } from './image.ts';
import type { TableSchema } from './schema.ts';
import type { SeriesSpec } from './series.ts';

export type SeriesExemplar = Pick<ImageExemplar, 'value' | 'traceId' | 'spanId'>;

export const SPAN_ID_LABEL = 'span_id';
const NONE: readonly SeriesExemplar[] = [];

/**
 * Ascending by value, as receivers want those of one time. Of a bucket the last one, or all of the row's first ones that fell into it:
 * several boundaries may have come together in one, then the first ones are those of the first.
 */
export function seriesExemplars(schema: TableSchema, row: ImageRow, spec: SeriesSpec): readonly SeriesExemplar[] {
  const { firstExemplars: most } = schema;
  if (spec.second) return NONE;
  if (spec.kind === 'native') {
    // Of both kinds together the classic one has the exemplars.
    if (schema.parts[spec.part]!.kind !== 'native') return NONE;
    if (most === undefined) return row.natives[spec.nativeSlot!]?.exemplars ?? NONE;
  }
  if (row.exemplars.length === 0) return NONE;
  if (most === undefined) {
    if (spec.exemplarSlot < 0) return NONE;
    const last = row.exemplars.findLast(({ bucket }) => bucket === spec.exemplarSlot);
    return last ? [last] : NONE;
  }
  if (spec.kind === 'sum' || spec.kind === 'count' || spec.kind === 'constant') return NONE;
  const first = row.exemplars.slice(0, most);
  const own = spec.kind === 'bucket' ? first.filter(({ bucket }) => bucket === spec.exemplarSlot) : first;
  return own.sort((a, b) => a.value - b.value);
}

/** The ids as exemplars spell them: lower-case hex. Without a span id the trace id has no leading zeros. Empty: an id of zeros only. */
export function exemplarIds({ traceId, spanId }: SeriesExemplar): { trace: string; span: string } {
  if (spanId === undefined) return { trace: traceIdText(traceId), span: '' };
  return { trace: Buffer.from(traceId).toString('hex'), span: Buffer.from(spanId).toString('hex') };
}

/** As labels, by name. */
export function exemplarLabels({ exemplarLabel }: TableSchema, exemplar: SeriesExemplar): Record<string, string> {
  const { trace, span } = exemplarIds(exemplar);
  return { ...(span !== '' && { [SPAN_ID_LABEL]: span }), [exemplarLabel]: trace };
}
