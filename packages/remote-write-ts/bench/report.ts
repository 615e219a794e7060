// The page of results, as run.ts writes it. All its numbers are measured in the run it is of; the words around them must hold
// whatever they are.

import { cpus, release, totalmem, type } from 'node:os';
import type { EncodeReport } from './encode.ts';
import type { GoProgram } from './go.ts';
import { SERIES } from './material.ts';
import { median } from './measure.ts';
import type { MemoryReport } from './memory.ts';

export interface Results {
  date: string | undefined;
  /** The machine's load before the run. */
  load: number;
  turns: number;
  taskMs: number;
  go: GoProgram | { missing: string };
  /** Compressed, by task. */
  goBytes: Record<string, number>;
  reports: readonly EncodeReport[];
  /** Nanoseconds of CPU for one unit, turn by turn, by task. */
  figures: ReadonlyMap<string, readonly number[]>;
  memory: MemoryReport;
}

const GO_OF = {
  '1.0': 'Go: from labels, marshal + snappy 1.0',
  '2.0': 'Go: symbolize, marshal + snappy 2.0',
} as const;

export function render(results: Results): string {
  return `${[
    '# Results',
    'Written by `npm run bench`; not to be edited.',
    machine(results),
    method(results),
    '## Encoding and compressing',
    encoding(results),
    compared(results),
    '## Once for each series or batch',
    once(results),
    '## From the values to the answer',
    endToEnd(results),
    '## Memory',
    memory(results),
  ].join('\n\n')}\n`;
}

function machine({ date, load, go }: Results): string {
  const [cpu] = cpus();
  return table(
    ['', ''],
    [
      ['Machine', `${cpus().length} x ${cpu?.model.trim() ?? 'unknown'}, ${(totalmem() / 2 ** 30).toFixed(0)} GiB`],
      ['System', `${type()} ${release()}`],
      ['Load before the run', load.toFixed(1)],
      ['Node.js', process.versions.node],
      ['Go', 'missing' in go ? `not compared: ${go.missing}` : `${go.version}; modules as in bench/go/go.mod`],
      ...(date === undefined ? [] : [['Date', date]]),
    ],
  );
}

function method({ turns, taskMs }: Results): string {
  return `${SERIES.toLocaleString('en')} series with 8 labels and metadata, one sample each: counts, and some sums of seconds. ${turns} turns
of ${taskMs} ms of each task, one after another, processes alternating. Time is CPU time of the process, user and system, all threads,
garbage collection and the compiler included: what a core does in a second. The number is the median of the turns, the range
their lowest and highest.`;
}

function encoding(results: Results): string {
  const { figures, reports, goBytes, go } = results;
  const { sizes } = reports[0]!;
  const row = (label: string, name: string, bytes: number): string[] => {
    const rounds = figures.get(name)!;
    return [label, ns(median(rounds)), perSecond(rounds), (bytes / SERIES).toFixed(1)];
  };
  const rows: string[][] = [];
  for (const protocol of ['1.0', '2.0'] as const) {
    rows.push(
      row(`patchable batch, ${protocol}`, `patchable ${protocol}`, sizes[protocol].patchable),
      row(`builder, ${protocol}`, `encode + compress ${protocol}`, sizes[protocol].dynamic),
      row(`builder without compression, ${protocol}`, `encode ${protocol}`, sizes[protocol].plain),
    );
  }
  if (!('missing' in go)) {
    rows.push(
      row('Go, 1.0, labels ready in the request', 'Go: marshal + snappy 1.0', goBytes['Go: marshal + snappy 1.0']!),
      row('Go, 1.0, as a shard of Prometheus', GO_OF['1.0'], goBytes[GO_OF['1.0']]!),
      row('Go, 2.0, as a shard of Prometheus', GO_OF['2.0'], goBytes[GO_OF['2.0']]!),
    );
  }
  return table(['', 'ns/sample', 'M samples/s', 'bytes/sample'], rows);
}

function compared(results: Results): string {
  const { figures, go } = results;
  const times = (fast: string, slow: string) =>
    `${shown(median(figures.get(slow)!.map((ns, turn) => ns / figures.get(fast)![turn]!)))} x`;
  const rows = (['1.0', '2.0'] as const).flatMap((protocol) => [
    [`patchable batch over builder, ${protocol}`, times(`patchable ${protocol}`, `encode + compress ${protocol}`)],
    ...('missing' in go
      ? []
      : [
          [`builder over Go as a shard, ${protocol}`, times(`encode + compress ${protocol}`, GO_OF[protocol])],
          [`patchable batch over Go as a shard, ${protocol}`, times(`patchable ${protocol}`, GO_OF[protocol])],
        ]),
  ]);
  const checked =
    'missing' in go
      ? ''
      : '\n\nBefore the run, the Go program has read a body of each kind: all series, labels, values and times.';
  return `How many times as many samples per second, turn by turn, the median:\n\n${table(['', ''], rows)}${checked}`;
}

function once({ figures, reports }: Results): string {
  const rounds = figures.get('create series')!;
  const rows = [['`createSeries`, for each series', `${(median(rounds) / 1000).toFixed(2)} µs`]];
  for (const protocol of ['1.0', '2.0'] as const) {
    const of = (which: 'firstMs' | 'laterMs') => median(reports.map(({ build }) => build[protocol][which])).toFixed(1);
    rows.push(
      [`patchable batch of ${SERIES} series, ${protocol}`, `${of('laterMs')} ms (wall)`],
      [
        `the same, the first of a process (${protocol === '1.0' ? 'code not compiled yet' : 'after the one above'})`,
        `${of('firstMs')} ms (wall)`,
      ],
    );
  }
  rows.push(
    ['compressing a 1.0 request', `${(1000 / median(figures.get('compress 1.0 (per byte)')!)).toFixed(0)} MB/s`],
    ['uncompressing it', `${(1000 / median(figures.get('uncompress 1.0 (per byte)')!)).toFixed(0)} MB/s`],
  );
  return table(['', ''], rows);
}

function endToEnd({ figures }: Results): string {
  const row = (label: string, name: string): string[] => [
    label,
    ns(median(figures.get(name)!)),
    perSecond(figures.get(name)!),
  ];
  const rows = (['1.0', '2.0'] as const).flatMap((protocol) => [
    row(`patchable batch, ${protocol}`, `patchable batch ${protocol}`),
    row(`\`Writer.write\`, ${protocol}`, `writer ${protocol}`),
    row(`client with a queue, 4 shards, ${protocol}`, `client with a queue ${protocol}`),
  ]);
  return `The sender's CPU time, HTTP included, over loopback to a receiver in another process that throws everything away. Requests of
${SERIES.toLocaleString('en')} samples; making the points is included.

${table(['', 'ns/sample', 'M samples per CPU second'], rows)}`;
}

function memory({ memory: { labelBytes, handle, handleSentAsV2, batch } }: Results): string {
  const row = (label: string, bytes: number): string[] => [
    label,
    bytes.toFixed(0),
    bytes < labelBytes ? 'less than its labels' : `${(bytes - labelBytes).toFixed(0)} more than its labels`,
  ];
  return `Bytes of JavaScript's heap and of buffers for each series that nothing is sent for, after garbage collection. The labels alone,
as 1.0 has them on the wire, are ${labelBytes.toFixed(0)} bytes.

${table(
  ['', 'bytes', ''],
  [
    row('a handle (`createSeries`)', handle),
    row('a handle that has been sent as 2.0', handleSentAsV2),
    row('in a batch, both protocols, handles let go', batch),
  ],
)}`;
}

function ns(value: number): string {
  return value < 10 ? value.toFixed(1) : value.toFixed(0);
}

/** From nanoseconds for one. */
function perSecond(rounds: readonly number[]): string {
  const range = `${shown(1000 / Math.max(...rounds))} to ${shown(1000 / Math.min(...rounds))}`;
  return `${shown(1000 / median(rounds))} (${range})`;
}

function shown(value: number): string {
  return value < 20 ? value.toFixed(1) : value.toFixed(0);
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map((_, i) => (i === 0 ? '---' : '---:'))), ...rows.map(line)].join('\n');
}
