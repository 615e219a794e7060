// A boundary of one tenant as remote-write requests: zero samples of new series first, then every live series' value, then stale
// markers of what ended; each kind in requests of its own, so that a refusal of one costs the others nothing. Must never give a
// series two samples of one time.

import { encodeExemplarLabels, encodeLabels, MAX_EXEMPLAR_CHARACTERS, WriteRequestBuilder } from 'remote-write-ts';
import {
  type ImageRow,
  seriesLabels,
  seriesValues,
  type TableImage,
  type TenantImage,
  traceIdText,
} from '../registry/index.ts';

/** One sample of a request before it is encoded: kept so that a refused request can be split. */
export interface PendingSample {
  labels: Uint8Array;
  value: number;
  timestampMs: number;
  stale: boolean;
  exemplars: { labels: Uint8Array; value: number; timestampMs: number }[];
}

export interface BoundaryRequests {
  zeros: PendingSample[][];
  values: PendingSample[][];
  stales: PendingSample[][];
}

const NO_EXEMPLARS: PendingSample['exemplars'] = [];

export class BoundaryEncoder {
  private readonly common: Readonly<Record<string, string>>;
  private readonly maxSamples: number;
  private readonly sendExemplars: boolean;
  /** Label bytes of a row's series, made once; they go with the row. */
  private readonly labels = new WeakMap<ImageRow, Uint8Array[]>();
  private readonly builder = new WriteRequestBuilder();

  constructor(common: Readonly<Record<string, string>>, maxSamples: number, sendExemplars: boolean) {
    this.common = common;
    this.maxSamples = maxSamples;
    this.sendExemplars = sendExemplars;
  }

  requests(image: TenantImage, tMs: number): BoundaryRequests {
    const zeros: PendingSample[] = [];
    const values: PendingSample[] = [];
    const ended = new Map<string, Uint8Array>();
    for (const table of [...image.tables.values(), ...image.replaced]) this.endedSeries(table, ended);
    for (const table of image.tables.values()) this.liveRows(table, tMs, zeros, values, ended);
    const stales = [...ended.values()].map((labels): PendingSample => {
      return { labels, value: Number.NaN, timestampMs: tMs, stale: true, exemplars: NO_EXEMPLARS };
    });
    return { zeros: this.cut(zeros), values: this.cut(values), stales: this.cut(stales) };
  }

  /** The compressed request body. */
  encode(samples: readonly PendingSample[]): Uint8Array {
    this.builder.reset();
    for (const sample of samples) {
      if (sample.stale) this.builder.addStale(sample.labels, sample.timestampMs);
      else if (sample.exemplars.length > 0) {
        this.builder.addSampleWithExemplars(sample.labels, sample.value, sample.timestampMs, sample.exemplars);
      } else this.builder.addSample(sample.labels, sample.value, sample.timestampMs);
    }
    return this.builder.finish();
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
    ended: Map<string, Uint8Array>,
  ): void {
    const out = new Float64Array(table.series.length);
    for (const row of table.rows.values()) {
      seriesValues(table.series, row.values, 0, out);
      const labels = this.labelsOf(table, row);
      for (let i = 0; i < table.series.length; i++) {
        const spec = table.series[i]!;
        const bit = 1 << spec.part;
        if ((row.admitted & bit) === 0) continue;
        const isNew = (row.unborn & bit) !== 0;
        const isBack = isNew && ended.size > 0 && ended.delete(textOf(labels[i]!));
        if ((isNew && spec.zero) || (isBack && spec.type !== 'gauge')) {
          zeros.push({ labels: labels[i]!, value: 0, timestampMs: row.zeroMs, stale: false, exemplars: NO_EXEMPLARS });
        }
        const exemplars =
          this.sendExemplars && row.exemplars.length > 0
            ? exemplarsOf(table, row, spec.exemplarSlot, tMs)
            : NO_EXEMPLARS;
        values.push({ labels: labels[i]!, value: out[i]!, timestampMs: tMs, stale: false, exemplars });
      }
    }
  }

  private endedSeries(table: TableImage, ended: Map<string, Uint8Array>): void {
    for (const row of table.ended) {
      const labels = this.labelsOf(table, row);
      table.series.forEach((spec, i) => {
        if ((row.admitted & (1 << spec.part)) !== 0) ended.set(textOf(labels[i]!), labels[i]!);
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

  private cut(samples: PendingSample[]): PendingSample[][] {
    const requests: PendingSample[][] = [];
    for (let i = 0; i < samples.length; i += this.maxSamples) requests.push(samples.slice(i, i + this.maxSamples));
    return requests;
  }
}

/** One character a byte: label bytes as a key. */
function textOf(labels: Uint8Array): string {
  return Buffer.from(labels.buffer, labels.byteOffset, labels.length).toString('latin1');
}

/** The last exemplar of the bucket: several boundaries may have come together in one. */
function exemplarsOf(table: TableImage, row: ImageRow, slot: number, tMs: number): PendingSample['exemplars'] {
  const exemplar = slot < 0 ? undefined : row.exemplars.findLast((e) => e.bucket === slot);
  if (!exemplar) return NO_EXEMPLARS;
  const id = traceIdText(exemplar.traceId);
  // An id that was never one of OpenTelemetry's: receivers drop what is longer than OpenMetrics allows.
  if (table.schema.exemplarLabel.length + id.length > MAX_EXEMPLAR_CHARACTERS) return NO_EXEMPLARS;
  const labels = encodeExemplarLabels([[table.schema.exemplarLabel, id]]);
  return [{ labels, value: exemplar.value, timestampMs: tMs }];
}
