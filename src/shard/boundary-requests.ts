// A boundary of one tenant as remote-write requests: zero samples of new series first, then every live series' value, then stale
// markers of what ended; each kind in requests of its own, so that a refusal of one costs the others nothing. Must never give a
// series two samples of one time.

import {
  type Exemplar,
  encodeExemplarLabels,
  MAX_EXEMPLAR_CHARACTERS,
  type NativeHistogram,
  type Point,
} from 'remote-write-ts';
import type { RelabelRule } from '../config/index.ts';
import {
  exemplarIds,
  type ImageRow,
  type NativeState,
  type SeriesExemplar,
  type SeriesSpec,
  SPAN_ID_LABEL,
  seriesExemplars,
  seriesValues,
  type TableImage,
  type TenantImage,
} from '../registry/index.ts';
import { type NotSent, noCounts } from '../telemetry/index.ts';
import { nativeHistogram, zeroHistogram } from './native-histograms.ts';
import { type Ended, endOf, hasSeries, isSent, keyOf, nativeOf, SentSeries } from './sent-series.ts';

/** In requests of at most so many points as asked for, in the order in which they are to arrive. */
export interface BoundaryRequests {
  zeros: Point[][];
  values: Point[][];
  stales: Point[][];
  /** Values that aren't sent, by reason. */
  notSent: Record<NotSent, number>;
}

const NO_EXEMPLARS: readonly Exemplar[] = [];

/** What is gathered of a boundary. */
interface Gathered {
  zeros: Point[];
  values: Point[];
  /** Series of rows that ended, by `keyOf`; those that another row has now are taken out. */
  ended: Map<string, Ended>;
  notSent: Record<NotSent, number>;
}

export class BoundaryEncoder {
  private readonly maxSamples: number;
  private readonly sendExemplars: boolean;
  private readonly series: SentSeries;
  /** When each native histogram had been reset last as it was said last, by index of the series. */
  private readonly resets = new WeakMap<ImageRow, number[]>();

  constructor(common: Readonly<Record<string, string>>, maxSamples: number, sendExemplars: boolean) {
    this.maxSamples = maxSamples;
    this.sendExemplars = sendExemplars;
    this.series = new SentSeries(common);
  }

  /** From the boundary that `image` comes to next on, series are relabelled by these rules. */
  relabel(rules: readonly RelabelRule[], image: TenantImage): void {
    this.series.setRules(rules, image);
  }

  /** The boundary that was asked for last was sent. */
  said(): void {
    this.series.said();
  }

  requests(image: TenantImage, tMs: number): BoundaryRequests {
    const ended = new Map(this.series.renamed);
    const gathered: Gathered = { zeros: [], values: [], ended, notSent: { ...noCounts().samplesNotSent } };
    for (const table of [...image.tables.values(), ...image.replaced]) this.endedSeries(table, ended);
    this.series.claim(image);
    for (const table of image.tables.values()) this.liveRows(table, tMs, gathered);
    const { zeros, values, notSent } = gathered;
    const stales = [...ended.values()].map((end): Point => ({ ...end, timestampMs: tMs }));
    return { zeros: this.cut(zeros), values: this.cut(values), stales: this.cut(stales), notSent };
  }

  /**
   * Of the ended series those that another row has now have no stale marker, so the zero sample declares their new beginning, also that
   * of a sum, which is born without one.
   */
  private liveRows(table: TableImage, tMs: number, { zeros, values, ended, notSent }: Gathered): void {
    const out = new Float64Array(table.series.length);
    for (const row of table.rows.values()) {
      seriesValues(table.series, row.values, 0, out);
      for (let i = 0; i < table.series.length; i++) {
        const spec = table.series[i]!;
        if (!hasSeries(row, spec)) continue;
        const series = this.series.of(table, row, i);
        if (!isSent(series)) {
          notSent[series]++;
          continue;
        }
        const native = nativeOf(row, spec);
        const isNew = (row.unborn & (1 << spec.part)) !== 0;
        const isBack = ended.size > 0 && ended.delete(keyOf(series)) && isNew;
        if ((isNew && spec.zero) || (isBack && spec.type !== 'gauge')) {
          const at = { series, timestampMs: row.zeroMs };
          zeros.push(
            native
              ? { kind: 'histogram', histogram: zeroHistogram(native.schema), ...at }
              : { kind: 'sample', value: 0, ...at },
          );
        }
        const exemplars = this.sendExemplars ? exemplarsOf(table, row, spec, tMs) : NO_EXEMPLARS;
        const at = { series, timestampMs: tMs, startMs: Math.min(tMs, startOf(row, spec, native)), exemplars };
        values.push(
          native
            ? { kind: 'histogram', histogram: this.histogram(row, i, native, isNew), ...at }
            : { kind: 'sample', value: out[i]!, ...at },
        );
      }
    }
  }

  /**
   * A reset is said where it is known: counts that have grown past the old ones since wouldn't show it. Unsaid, as after a restart,
   * the receiver looks for itself.
   */
  private histogram(row: ImageRow, series: number, state: NativeState, isNew: boolean): NativeHistogram {
    const resets = this.resets.get(row) ?? [];
    this.resets.set(row, resets);
    const said = resets[series];
    resets[series] = state.resetMs;
    const wasReset = !isNew && said !== undefined && said !== state.resetMs;
    return nativeHistogram(state, wasReset ? 'yes' : 'unknown');
  }

  private endedSeries(table: TableImage, ended: Map<string, Ended>): void {
    for (const row of table.ended) {
      table.series.forEach((spec, i) => {
        const one = hasSeries(row, spec) ? this.series.end(table, row, i) : undefined;
        if (isSent(one)) ended.set(keyOf(one), endOf(one, spec));
      });
    }
  }

  /** Native histograms apart: a receiver that takes none refuses nothing else. */
  private cut(samples: readonly Point[]): Point[][] {
    const histograms = samples.filter(isHistogram);
    const others = histograms.length === 0 ? samples : samples.filter((sample) => !isHistogram(sample));
    return [others, histograms].flatMap((group) => {
      const requests: Point[][] = [];
      for (let i = 0; i < group.length; i += this.maxSamples) requests.push(group.slice(i, i + this.maxSamples));
      return requests;
    });
  }
}

function isHistogram({ kind }: Point): boolean {
  return kind === 'histogram' || kind === 'stale_histogram';
}

/** When counting began, for 2.0: of a native histogram, its first observation or last reset. 0 = not known, and of a gauge, which counts nothing. */
function startOf(row: ImageRow, spec: SeriesSpec, native: NativeState | undefined): number {
  if (spec.type === 'gauge') return 0;
  return native && row.startMs > 0 ? Math.max(row.startMs, native.resetMs) : row.startMs;
}

function exemplarsOf(table: TableImage, row: ImageRow, spec: SeriesSpec, tMs: number): readonly Exemplar[] {
  const exemplars = seriesExemplars(table.schema, row, spec);
  if (exemplars.length === 0) return NO_EXEMPLARS;
  return exemplars.flatMap((exemplar) => encodeExemplar(table, exemplar, tMs) ?? []);
}

/** Nothing for an id that was never one of OpenTelemetry's: receivers drop what is longer than OpenMetrics allows. */
function encodeExemplar(table: TableImage, exemplar: SeriesExemplar, tMs: number): Exemplar | undefined {
  const { trace, span } = exemplarIds(exemplar);
  const { exemplarLabel } = table.schema;
  const spanCharacters = span === '' ? 0 : SPAN_ID_LABEL.length + span.length;
  if (trace === '' || exemplarLabel.length + trace.length + spanCharacters > MAX_EXEMPLAR_CHARACTERS) return undefined;
  const { bytes, traceAt, spanAt } = exemplarTemplate(table, trace.length, span.length);
  const labels = bytes.slice();
  fill(labels, traceAt, trace);
  fill(labels, spanAt, span);
  const pairs: [string, string][] = [[exemplarLabel, trace]];
  if (span !== '') pairs.splice(SPAN_ID_LABEL < exemplarLabel ? 0 : 1, 0, [SPAN_ID_LABEL, span]);
  return { labels, pairs, value: exemplar.value, timestampMs: tMs };
}

function fill(bytes: Uint8Array, at: number, text: string): void {
  for (let i = 0; i < text.length; i++) bytes[at + i] = text.charCodeAt(i);
}

/** Encoded labels, and where the ids are to be filled in. */
interface ExemplarTemplate {
  bytes: Uint8Array;
  traceAt: number;
  spanAt: number;
}

/** By the lengths of the ids. */
const exemplarTemplates = new WeakMap<TableImage, Map<number, ExemplarTemplate>>();
const TRACE_BLANK = '\u0001';
const SPAN_BLANK = '\u0002';

/** There are too many exemplars to check and encode each one's labels. */
function exemplarTemplate(table: TableImage, traceLength: number, spanLength: number): ExemplarTemplate {
  const templates = exemplarTemplates.get(table) ?? new Map<number, ExemplarTemplate>();
  exemplarTemplates.set(table, templates);
  // Both are below MAX_EXEMPLAR_CHARACTERS.
  const key = traceLength * MAX_EXEMPLAR_CHARACTERS + spanLength;
  let template = templates.get(key);
  if (template === undefined) {
    const trace = TRACE_BLANK.repeat(traceLength);
    const span = SPAN_BLANK.repeat(spanLength);
    const pairs: [string, string][] = [[table.schema.exemplarLabel, trace]];
    if (span !== '') pairs.push([SPAN_ID_LABEL, span]);
    const bytes = encodeExemplarLabels(pairs);
    const text = Buffer.from(bytes).toString('latin1');
    template = { bytes, traceAt: text.lastIndexOf(trace), spanAt: text.lastIndexOf(span) };
    templates.set(key, template);
  }
  return template;
}
