// The series of an image as plain objects: for people and tests, not for the hot path.

import {
  exemplarLabels,
  type NativeState,
  type SeriesSpec,
  seriesExemplars,
  seriesLabels,
  seriesValues,
  type TableImage,
  type TenantImage,
} from '../registry/index.ts';

export interface SeriesView {
  /** `__name__` included; sorted by name. */
  labels: Record<string, string>;
  /** NaN for a native histogram. */
  value: number;
  histogram?: NativeState;
  /** Time of the zero sample that comes first, at the series' birth. */
  zeroMs?: number;
  exemplars: { labels: Record<string, string>; value: number }[];
}

/** Every series at the boundary the image stands at, sorted by metric name, then by label names and values in byte order. */
export function viewSeries(image: TenantImage, common: Readonly<Record<string, string>>): SeriesView[] {
  const views: { key: string; view: SeriesView }[] = [];
  for (const table of image.tables.values()) viewTable(table, common, views);
  views.sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
  return views.map(({ view }) => view);
}

function viewTable(
  table: TableImage,
  common: Readonly<Record<string, string>>,
  out: { key: string; view: SeriesView }[],
): void {
  const values = new Float64Array(table.series.length);
  for (const row of table.rows.values()) {
    seriesValues(table.series, row.values, 0, values);
    table.series.forEach((spec: SeriesSpec, i) => {
      const bit = 1 << spec.part;
      if ((row.admitted & bit) === 0) return;
      const labels = [...seriesLabels(table.schema, row.labels, row.overflow, spec, common)].sort(([a], [b]) =>
        a < b ? -1 : 1,
      );
      const native = spec.nativeSlot === undefined ? undefined : row.natives[spec.nativeSlot];
      if (spec.kind === 'native' && native === undefined) return;
      const view: SeriesView = {
        labels: Object.fromEntries(labels),
        value: values[i]!,
        ...(native ? { histogram: native } : {}),
        exemplars: seriesExemplars(table.schema, row, spec).map((exemplar) => ({
          labels: exemplarLabels(table.schema, exemplar),
          value: exemplar.value,
        })),
      };
      if (spec.zero && row.unborn & bit) view.zeroMs = row.zeroMs;
      const rest = labels.filter(([name]) => name !== '__name__').flat();
      out.push({ key: Buffer.from([spec.name, ...rest].join('\u0000')).toString('latin1'), view });
    });
  }
}
