// The page docs/reference/performance.md: text around the numbers of one run. Names no machine and no path.

import type { Measurement } from './micro/measure.ts';

export interface FoldRow {
  name: string;
  isDefault: boolean;
  spans: number;
  messages: number;
  bytes: number;
  series: number;
  /** CPU ns per span: best and middle of the rounds. */
  best: number;
  median: number;
  /** The baseline's best CPU ns per span. */
  baseline: number;
  /** Of the bests, and the middle one of those within each round. */
  ratio: number;
  medianRatio: number;
  spansPerSecond: number;
  heapBytesPerSpan: number;
  boundaryMs: number;
  rssBytes: number;
}

export interface Report {
  rounds: number;
  date: string;
  node: string;
  machine: string;
  folds: readonly FoldRow[];
  micro: readonly { name: string; measurements: readonly Measurement[] }[];
}

export function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1]!;
}

export function page({ rounds, date, node, machine, folds, micro }: Report): string {
  return `# Performance

Made by \`npm run bench\` on ${date}, Node ${node}, ${machine}; ${rounds} runs of each, in turn with the baseline's. Machines
differ and are shared; what carries over is a ratio, as both sides of it ran in the same minutes.

## From request bytes to counters

One thread: decoding, the slack rule, span metrics with exemplars, service graphs, and the timers, which expire edges. Nothing is received,
written or sent. CPU time of the whole process per span, its garbage collector and compiler included; each run folds the corpus 12 times
and says its best pass. Repeat one with \`spanmill bench fold --corpus FILE\`.

| corpus | series | CPU ns/span, best | median | baseline, best | ratio of bests | median ratio | M spans/s |
|---|--:|--:|--:|--:|--:|--:|--:|
${table(folds, (row) => [
  count(row.series),
  row.best.toFixed(0),
  row.median.toFixed(0),
  row.baseline.toFixed(0),
  row.ratio.toFixed(2),
  row.medianRatio.toFixed(2),
  (row.spansPerSecond / 1e6).toFixed(2),
])}

The baseline (\`bench/fold/baseline.ts\`) is the same idea with nothing around it: default dimensions only, input it trusts, sizes as they were
sent, no exemplars, limits, filters, expiry or boundaries. Beside *7 dimensions* it still does its own, smaller job: that ratio says what
the configuration costs.

| corpus | spans | requests | B/span | heap growth, B/span | boundary, ms | RSS, MiB |
|---|--:|--:|--:|--:|--:|--:|
${table(folds, (row) => [
  count(row.spans),
  count(row.messages),
  (row.bytes / row.spans).toFixed(0),
  row.heapBytesPerSpan.toFixed(1),
  row.boundaryMs.toFixed(1),
  (row.rssBytes / 1048576).toFixed(0),
])}

*Heap growth* is what the JavaScript heap grew by in a pass: a few numbers per request, nothing per span (\`test/bench\` holds it to that).
*Boundary* is the wall time, at best, of taking away what changed, here every row, in one piece; it is not in the cost of a span. *RSS* is
the process's at the end, the corpus included.

- **shop**: what \`spanmill generate --file\` makes: 21 resource attributes, 15.5 attributes a span.
- **typical**: traffic of a large installation (\`bench/corpus.ts\`): 50 services with 10 span names each, 22 resource attributes, 15
  attributes on each span.
- **typical, 7 dimensions**: the same under \`bench/fold/seven-dimensions.yaml\`: seven dimensions on span metrics and service graphs, target
  info, three filters, prefixes. Fewer series than by default: the filters leave INTERNAL spans out.
- **scattered**: calls go anywhere, so that nearly every span has a resource block of its own. The baseline hashes all of each block;
  spanmill recognizes one by a sample of its bytes and compares it, hence a ratio around 1.
- **few**, **many** and **very many series**: typical with other numbers of services and span names. What more series cost is the
  processor's cache, and costs the baseline likewise.

## Parts

CPU, best of 15 rounds in a process of its own.

${micro.map(({ name, measurements }) => microTable(name, measurements)).join('\n')}`;
}

function table(folds: readonly FoldRow[], cells: (row: FoldRow) => string[]): string {
  return folds.map((row) => `| ${[row.name, ...cells(row)].join(' | ')} |`).join('\n');
}

function count(value: number): string {
  return value.toLocaleString('en-US');
}

function microTable(name: string, measurements: readonly Measurement[]): string {
  const lines = measurements.map(({ what, value, unit }) => `| ${what} | ${value} ${unit} |`);
  return `\`bench/micro/${name}.ts\`\n\n| what | best |\n|---|--:|\n${lines.join('\n')}\n`;
}
