// The page docs/reference/performance.md: text around the numbers of one run. Names no machine but its CPU, and no path.

import type { Measurement } from './micro/measure.ts';

export interface FoldRow {
  name: string;
  /** CPU ns per span: best and middle of the rounds. */
  best: number;
  median: number;
  /** The lower bound's best; undefined where it has no counterpart. */
  baseline: number | undefined;
  ratio: number | undefined;
  medianRatio: number | undefined;
  spansPerSecond: number;
  series: number;
  heapBytesPerSpan: number;
}

export interface Report {
  rounds: number;
  date: string;
  node: string;
  cpu: string;
  folds: readonly FoldRow[];
  micro: readonly { name: string; measurements: readonly Measurement[] }[];
}

export function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1]!;
}

export function page(report: Report): string {
  const { folds, micro } = report;
  return `# Performance

Made by \`npm run bench\` on ${report.date}: ${report.cpu}, Node ${report.node}, best and median of ${report.rounds} runs. Machines differ and are
shared; what carries over is a ratio, as both sides of it ran in the same minutes.

## From request bytes to counters

One thread, one core: decoding, the slack rule, span metrics with exemplars, service graphs with expiry, what changed since the last boundary.
Nothing is sent. CPU time of the whole process, its garbage collector and compiler included. Repeat one of them with
\`spanmill bench fold --corpus FILE\`; \`bench/corpus.ts\` says what the corpora are.

| corpus | series | CPU ns/span, best | median | M spans/s | lower bound, ns/span | ratio of bests | median ratio | heap B/span |
|---|--:|--:|--:|--:|--:|--:|--:|--:|
${folds.map(foldLine).join('\n')}

The lower bound (\`bench/fold/baseline.ts\`) is the same idea with nothing around it: it trusts its input, counts sizes as they were sent, and has
no exemplars, limits, expiry or boundaries. *Heap* is what the JavaScript heap grew by: a few numbers per request, nothing per span.

- **typical**: 17.9 spans and 17 KB a request, 950 B and 15 attributes a span, 22 resource attributes, 50 services with 10 span names
  each.
- **scattered**: the same, but calls go anywhere: most spans have a resource block of their own, and there are 2,500 edges.
- **few**, **many** and **very many series**: typical with other numbers of services and span names. What more series cost is the cache, and
  costs the lower bound likewise.

## Parts

${micro.map(({ name, measurements }) => microTable(name, measurements)).join('\n')}`;
}

function foldLine(row: FoldRow): string {
  const ratio = (value: number | undefined) => (value === undefined ? '–' : value.toFixed(2));
  const cells = [
    row.name,
    row.series.toLocaleString('en-US'),
    row.best.toFixed(0),
    row.median.toFixed(0),
    (row.spansPerSecond / 1e6).toFixed(2),
    row.baseline?.toFixed(0) ?? '–',
    ratio(row.ratio),
    ratio(row.medianRatio),
    row.heapBytesPerSpan.toFixed(1),
  ];
  return `| ${cells.join(' | ')} |`;
}

function microTable(name: string, measurements: readonly Measurement[]): string {
  const lines = measurements.map(({ what, value, unit }) => `| ${what} | ${value} ${unit} |`);
  return `\`bench/micro/${name}.ts\`\n\n| what | best |\n|---|--:|\n${lines.join('\n')}\n`;
}
