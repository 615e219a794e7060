// The newest durable boundary of a tenant as text: Prometheus text format 0.0.4, or OpenMetrics 1.0 with exemplars.

import { doubleText } from '../bytes/index.ts';
import {
  type ImageRow,
  type SeriesSpec,
  seriesLabels,
  seriesValues,
  type TableImage,
  type TenantImage,
  traceIdText,
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

/** Families must be contiguous: for each part, all rows. */
function tableText(
  table: TableImage,
  common: Readonly<Record<string, string>>,
  tMs: number,
  openMetrics: boolean,
  out: string[],
): void {
  const values = new Float64Array(table.series.length);
  const rows = [...table.rows.values()].sort((a, b) => a.id - b.id);
  table.schema.parts.forEach((_, part) => {
    const lines: string[] = [];
    for (const row of rows) {
      if ((row.admitted & (1 << part)) === 0) continue;
      seriesValues(table.series, row.values, 0, values);
      table.series.forEach((spec, i) => {
        if (spec.part === part) lines.push(seriesLine(table, row, spec, values[i]!, common, tMs, openMetrics));
      });
    }
    const first = table.series.find((spec) => spec.part === part);
    if (!first || lines.length === 0) return;
    out.push(`# TYPE ${familyName(first, openMetrics)} ${first.type}\n`, ...lines);
  });
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
  const line = `${spec.name}{${[...labels]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, text]) => `${name}="${escapeLabel(text)}"`)
    .join(',')}} ${doubleText(value)}`;
  const exemplar =
    openMetrics && spec.exemplarSlot >= 0 ? row.exemplars.findLast((e) => e.bucket === spec.exemplarSlot) : undefined;
  if (!exemplar) return `${line}\n`;
  const id = traceIdText(exemplar.traceId);
  return `${line} # {${table.schema.exemplarLabel}="${id}"} ${doubleText(exemplar.value)} ${tMs / 1000}\n`;
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
