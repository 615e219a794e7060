// A boundary of one tenant as remote-write requests: zero samples of new series first, then every live series' value, then stale
// markers of what ended; each kind in requests of its own, so that a refusal of one costs the others nothing. Must never give a
// series two samples of one time.

import {
  type EncodedExemplar,
  encodeExemplarLabels,
  encodeLabels,
  MAX_EXEMPLAR_CHARACTERS,
  type NativeHistogram,
  WriteRequestBuilder,
} from 'remote-write-ts';
import {
  type ImageRow,
  type NativeState,
  type SeriesSpec,
  seriesLabels,
  seriesValues,
  type TableImage,
  type TenantImage,
  traceIdText,
} from '../registry/index.ts';
import { nativeHistogram, zeroHistogram } from './native-histograms.ts';

/** One sample or native histogram of a request before it is encoded: kept so that a refused request can be split. */
export type PendingSample = { labels: Uint8Array; timestampMs: number } & (
  | { kind: 'sample'; value: number; exemplars: readonly EncodedExemplar[] }
  | { kind: 'histogram'; histogram: NativeHistogram; exemplars: readonly EncodedExemplar[] }
  | { kind: 'stale' }
  | { kind: 'stale_histogram' }
);

export interface BoundaryRequests {
  zeros: PendingSample[][];
  values: PendingSample[][];
  stales: PendingSample[][];
}

/** A series that ended, and how its end is said. */
interface Ended {
  labels: Uint8Array;
  kind: 'stale' | 'stale_histogram';
}

const NO_EXEMPLARS: readonly EncodedExemplar[] = [];

export class BoundaryEncoder {
  private readonly common: Readonly<Record<string, string>>;
  private readonly maxSamples: number;
  private readonly sendExemplars: boolean;
  /** Label bytes of a row's series, made once; they go with the row. */
  private readonly labels = new WeakMap<ImageRow, Uint8Array[]>();
  /** When each native histogram had been reset last as it was said last, by index of the series. */
  private readonly resets = new WeakMap<ImageRow, number[]>();
  private readonly builder = new WriteRequestBuilder();

  constructor(common: Readonly<Record<string, string>>, maxSamples: number, sendExemplars: boolean) {
    this.common = common;
    this.maxSamples = maxSamples;
    this.sendExemplars = sendExemplars;
  }

  requests(image: TenantImage, tMs: number): BoundaryRequests {
    const zeros: PendingSample[] = [];
    const values: PendingSample[] = [];
    const ended = new Map<string, Ended>();
    for (const table of [...image.tables.values(), ...image.replaced]) this.endedSeries(table, ended);
    for (const table of image.tables.values()) this.liveRows(table, tMs, zeros, values, ended);
    const stales = [...ended.values()].map((end): PendingSample => ({ ...end, timestampMs: tMs }));
    return { zeros: this.cut(zeros), values: this.cut(values), stales: this.cut(stales) };
  }

  /** The compressed request body. */
  encode(samples: readonly PendingSample[]): Uint8Array {
    this.builder.reset();
    for (const sample of samples) this.add(sample);
    return this.builder.finish();
  }

  private add(sample: PendingSample): void {
    const { builder } = this;
    const { labels, timestampMs } = sample;
    if (sample.kind === 'stale') builder.addStale(labels, timestampMs);
    else if (sample.kind === 'stale_histogram') builder.addStaleHistogram(labels, timestampMs);
    else if (sample.kind === 'histogram') {
      builder.addHistogram(labels, sample.histogram, timestampMs, sample.exemplars);
    } else if (sample.exemplars.length > 0) {
      builder.addSampleWithExemplars(labels, sample.value, timestampMs, sample.exemplars);
    } else builder.addSample(labels, sample.value, timestampMs);
  }

  /**
   * @param ended series of rows that ended; those that another row has now are taken out. They have no stale marker, so the zero
   * sample declares their new beginning, also that of a sum, which is born without one.
   */
  private liveRows(
    table: TableImage,
    tMs: number,
    zeros: PendingSample[],
    values: PendingSample[],
    ended: Map<string, Ended>,
  ): void {
    const out = new Float64Array(table.series.length);
    for (const row of table.rows.values()) {
      seriesValues(table.series, row.values, 0, out);
      const allLabels = this.labelsOf(table, row);
      for (let i = 0; i < table.series.length; i++) {
        const spec = table.series[i]!;
        if (!hasSeries(row, spec)) continue;
        const labels = allLabels[i]!;
        const native = nativeOf(row, spec);
        const isNew = (row.unborn & (1 << spec.part)) !== 0;
        const isBack = isNew && ended.size > 0 && ended.delete(textOf(labels));
        if ((isNew && spec.zero) || (isBack && spec.type !== 'gauge')) {
          const at = { labels, timestampMs: row.zeroMs, exemplars: NO_EXEMPLARS };
          zeros.push(
            native
              ? { kind: 'histogram', histogram: zeroHistogram(native.schema), ...at }
              : { kind: 'sample', value: 0, ...at },
          );
        }
        const exemplars = this.sendExemplars ? exemplarsOf(table, row, spec, native, tMs) : NO_EXEMPLARS;
        const at = { labels, timestampMs: tMs, exemplars };
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
      const labels = this.labelsOf(table, row);
      table.series.forEach((spec, i) => {
        if (!hasSeries(row, spec)) return;
        ended.set(textOf(labels[i]!), {
          labels: labels[i]!,
          kind: spec.kind === 'native' ? 'stale_histogram' : 'stale',
        });
      });
    }
  }

  private labelsOf(table: TableImage, row: ImageRow): Uint8Array[] {
    let labels = this.labels.get(row);
    if (!labels) {
      labels = table.series.map((spec) =>
        encodeLabels([...seriesLabels(table.schema, row.labels, row.overflow, spec, this.common)]),
      );
      this.labels.set(row, labels);
    }
    return labels;
  }

  /** Native histograms apart: a receiver that takes none refuses nothing else. */
  private cut(samples: readonly PendingSample[]): PendingSample[][] {
    const histograms = samples.filter(isHistogram);
    const others = histograms.length === 0 ? samples : samples.filter((sample) => !isHistogram(sample));
    return [others, histograms].flatMap((group) => {
      const requests: PendingSample[][] = [];
      for (let i = 0; i < group.length; i += this.maxSamples) requests.push(group.slice(i, i + this.maxSamples));
      return requests;
    });
  }
}

function isHistogram({ kind }: PendingSample): boolean {
  return kind === 'histogram' || kind === 'stale_histogram';
}

/** One character a byte: label bytes as a key. */
function textOf(labels: Uint8Array): string {
  return Buffer.from(labels.buffer, labels.byteOffset, labels.length).toString('latin1');
}

function nativeOf(row: ImageRow, spec: SeriesSpec): NativeState | undefined {
  return spec.nativeSlot === undefined ? undefined : row.natives[spec.nativeSlot];
}

/** A native histogram in which nothing was observed yet is no series. */
function hasSeries(row: ImageRow, spec: SeriesSpec): boolean {
  return (row.admitted & (1 << spec.part)) !== 0 && (spec.kind !== 'native' || nativeOf(row, spec) !== undefined);
}

/**
 * Of a bucket the last one: several boundaries may have come together in one. Of a native histogram all that it keeps, ascending by
 * value as receivers want them; it keeps none where classic buckets beside it have them.
 */
function exemplarsOf(
  table: TableImage,
  row: ImageRow,
  spec: SeriesSpec,
  native: NativeState | undefined,
  tMs: number,
): readonly EncodedExemplar[] {
  if (native) return native.exemplars.flatMap(({ value, traceId }) => encodeExemplar(table, value, traceId, tMs) ?? []);
  if (row.exemplars.length === 0 || spec.exemplarSlot < 0) return NO_EXEMPLARS;
  const exemplar = row.exemplars.findLast((e) => e.bucket === spec.exemplarSlot);
  const encoded = exemplar && encodeExemplar(table, exemplar.value, exemplar.traceId, tMs);
  return encoded ? [encoded] : NO_EXEMPLARS;
}

/** Nothing for an id that was never one of OpenTelemetry's: receivers drop what is longer than OpenMetrics allows. */
function encodeExemplar(
  table: TableImage,
  value: number,
  traceId: Uint8Array,
  tMs: number,
): EncodedExemplar | undefined {
  const id = traceIdText(traceId);
  if (id === '' || table.schema.exemplarLabel.length + id.length > MAX_EXEMPLAR_CHARACTERS) return undefined;
  const labels = exemplarTemplate(table, id.length).slice();
  for (let i = 0, at = labels.length - id.length; i < id.length; i++, at++) labels[at] = id.charCodeAt(i);
  return { labels, value, timestampMs: tMs };
}

/** By the length of the id. */
const exemplarTemplates = new WeakMap<TableImage, Uint8Array[]>();

/** Encoded labels whose last bytes, the id's, are to be filled in: there are too many exemplars to check and encode each one's labels. */
function exemplarTemplate(table: TableImage, idLength: number): Uint8Array {
  const templates = exemplarTemplates.get(table) ?? [];
  exemplarTemplates.set(table, templates);
  templates[idLength] ??= encodeExemplarLabels([[table.schema.exemplarLabel, '0'.repeat(idLength)]]);
  return templates[idLength];
}
