// The newest durable boundary of a tenant as text: Prometheus text format 0.0.4, or OpenMetrics 1.0 with exemplars. Neither has native
// histograms: where a histogram is native only, it is shown as what any histogram has, the bucket of all, sum and count.

import { doubleText } from '../bytes/index.ts';
import {
  exemplarLabels,
  type ImageRow,
  type NativeState,
  type SeriesSpec,
  seriesExemplars,
  seriesLabels,
  seriesValues,
  type TableImage,
  type TenantImage,
} from '../registry/index.ts';

export const TEXT_TYPE = 'text/plain; version=0.0.4; charset=utf-8';
export const OPENMETRICS_TYPE = 'application/openmetrics-text; version=1.0.0; charset=utf-8';

/** OpenMetrics wants a counter's family without its suffix. */
function familyName(spec: SeriesSpec, openMetrics: boolean): string {
  return openMetrics && spec.type === 'counter' ? spec.family.replace(/_total$/, '') : spec.family;
}

export function exposition(
  image: TenantImage,
  common: Readonly<Record<string, string>>,
  tMs: number,
  openMetrics: boolean,
): string {
  const out: string[] = [];
  for (const table of [...image.tables.values()].sort((a, b) => (a.schema.name < b.schema.name ? -1 : 1))) {
    tableText(table, common, tMs, openMetrics, out);
  }
  if (openMetrics) out.push('# EOF\n');
  return out.join('');
}

/** Families must be contiguous: for each family, all rows. */
function tableText(
  table: TableImage,
  common: Readonly<Record<string, string>>,
  tMs: number,
  openMetrics: boolean,
  out: string[],
): void {
  const values = new Float64Array(table.series.length);
  const rows = [...table.rows.values()].sort((a, b) => a.id - b.id);
  for (const specs of Map.groupBy(table.series, ({ family }) => family).values()) {
    // One part, its series side by side.
    const first = specs[0]!;
    const { part } = first;
    const from = table.series.indexOf(first);
    const lines: string[] = [];
    for (const row of rows) {
      if ((row.admitted & (1 << part)) === 0) continue;
      seriesValues(table.series, row.values, 0, values);
      specs.forEach((spec, i) => {
        const native = spec.nativeSlot === undefined ? undefined : row.natives[spec.nativeSlot];
        if (spec.kind !== 'native') {
          lines.push(seriesLine(table, row, spec, values[from + i]!, common, tMs, openMetrics));
        } else if (native && table.schema.parts[part]!.kind === 'native') {
          for (const [shown, value] of inText(spec, native)) {
            lines.push(seriesLine(table, row, shown, value, common, tMs, openMetrics));
          }
        }
      });
    }
    if (lines.length === 0) continue;
    out.push(`# TYPE ${familyName(first, openMetrics)} ${first.type}\n`, ...lines);
  }
}

function inText(spec: SeriesSpec, { zeroCount, counts, sum }: NativeState): [SeriesSpec, number][] {
  const count = counts.reduce((total, n) => total + n, zeroCount);
  return [
    [{ ...spec, name: `${spec.name}_bucket`, le: '+Inf' }, count],
    [{ ...spec, name: `${spec.name}_sum` }, sum],
    [{ ...spec, name: `${spec.name}_count` }, count],
  ];
}

function seriesLine(
  table: TableImage,
  row: ImageRow,
  spec: SeriesSpec,
  value: number,
  common: Readonly<Record<string, string>>,
  tMs: number,
  openMetrics: boolean,
): string {
  const labels = seriesLabels(table.schema, row.labels, row.overflow, spec, common);
  labels.delete('__name__');
  const line = `${spec.name}{${pairsText([...labels])}} ${doubleText(value)}`;
  // OpenMetrics has one exemplar a line, none of a histogram that is native.
  const exemplar = openMetrics && spec.kind !== 'native' ? seriesExemplars(table.schema, row, spec).at(-1) : undefined;
  if (!exemplar) return `${line}\n`;
  const ids = pairsText(Object.entries(exemplarLabels(table.schema, exemplar)));
  return `${line} # {${ids}} ${doubleText(exemplar.value)} ${tMs / 1000}\n`;
}

function pairsText(pairs: [name: string, text: string][]): string {
  return pairs
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, text]) => `${name}="${escapeLabel(text)}"`)
    .join(',');
}

function escapeLabel(text: string): string {
  return text.replace(/[\\"\n]/g, (c) => (c === '\n' ? '\\n' : `\\${c}`));
}

/** Expositions of several shards as one: each family once, with the series of all of them. */
export function joinExpositions(texts: readonly string[]): string {
  if (texts.length === 1) return texts[0]!;
  const families = new Map<string, string[]>();
  let isOpenMetrics = false;
  for (const text of texts) {
    let lines: string[] = [];
    for (const line of text.split('\n')) {
      if (line === '# EOF') isOpenMetrics = true;
      else if (line.startsWith('# TYPE ')) {
        lines = families.get(line) ?? [];
        families.set(line, lines);
      } else if (line !== '') lines.push(line);
    }
  }
  const joined = [...families].map(([head, lines]) => `${head}\n${lines.map((line) => `${line}\n`).join('')}`).join('');
  return isOpenMetrics ? `${joined}# EOF\n` : joined;
}
