// `npm run bench`: the fold against a lower bound on several corpora, in turn and several times each, then the micro-benches; prints
// tables and writes docs/reference/performance.md. On a busy machine only the ratios mean anything: both sides of a ratio
// ran in the same minutes.
//
//   node bench/run.ts [--rounds N] [--print] [--source]
//
// --print leaves the page alone; --source folds with src, where there is no build.

import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import type { FoldBenchResult } from '../src/bench/fold.ts';
import { type CorpusShape, makeCorpus, TYPICAL } from './corpus.ts';
import type { Measurement } from './micro/measure.ts';
import { type FoldRow, median, page, type Report } from './report.ts';

const root = path.join(import.meta.dirname, '..');
const cache = path.join(os.tmpdir(), 'spanmill-bench');
const PAGE = path.join(root, 'docs/reference/performance.md');
const MICRO = ['decode', 'intern', 'rows', 'buckets'];

/** What is folded: a corpus, perhaps under another configuration than the default. */
interface Subject {
  name: string;
  corpus: string;
  config?: string;
  /** Is the lower bound's work comparable? It knows neither dimensions nor filters. */
  hasBaseline: boolean;
}

/** A corpus of this shape in the cache. The name holds what it was made from, so that a change makes a new one. */
function made(name: string, shape: CorpusShape): string {
  const hash = createHash('sha256').update(JSON.stringify(shape));
  for (const source of ['corpus.ts', 'proto-writer.ts'])
    hash.update(readFileSync(path.join(import.meta.dirname, source)));
  const file = path.join(cache, `${name}-${hash.digest('hex').slice(0, 12)}.bin`);
  if (!existsSync(file)) {
    process.stderr.write(`making corpus ${name}\n`);
    mkdirSync(cache, { recursive: true });
    writeFileSync(`${file}.part`, makeCorpus(shape));
    renameSync(`${file}.part`, file);
  }
  return file;
}

/** The last line of a child's output, as JSON. */
function child<T>(args: string[]): T {
  const { stdout, stderr, status } = spawnSync(process.execPath, args, { cwd: root, encoding: 'utf8' });
  if (status !== 0) throw new Error(`${args.join(' ')}: ${stderr}`);
  return JSON.parse(stdout.trim().split('\n').at(-1)!) as T;
}

function fold({ corpus, config }: Subject, fromSource: boolean): FoldBenchResult {
  const command = fromSource
    ? ['--conditions=source', path.join(root, 'src/cli.ts')]
    : [path.join(root, 'dist/cli.js')];
  return child([...command, 'bench', 'fold', '--json', '--corpus', corpus, ...(config ? ['--config', config] : [])]);
}

function baseline({ corpus }: Subject): { cpu_ns_per_span: number } {
  return child([path.join(import.meta.dirname, 'fold/baseline.ts'), corpus]);
}

function measure(subject: Subject, rounds: number, fromSource: boolean): FoldRow {
  process.stderr.write(`folding ${subject.name}\n`);
  const results: FoldBenchResult[] = [];
  const bounds: number[] = [];
  for (let round = 0; round < rounds; round++) {
    results.push(fold(subject, fromSource));
    if (subject.hasBaseline) bounds.push(baseline(subject).cpu_ns_per_span);
  }
  const costs = results.map((result) => result.cpu_ns_per_span);
  const best = Math.min(...costs);
  return {
    name: subject.name,
    best,
    median: median(costs),
    baseline: bounds.length > 0 ? Math.min(...bounds) : undefined,
    ratio: bounds.length > 0 ? best / Math.min(...bounds) : undefined,
    medianRatio: bounds.length > 0 ? median(costs.map((value, i) => value / bounds[i]!)) : undefined,
    spansPerSecond: Math.max(...results.map((result) => result.spans_per_second)),
    series: results[0]!.series,
    heapBytesPerSpan: median(results.map((result) => result.heap_bytes_per_span)),
  };
}

function main(): void {
  const { values } = parseArgs({
    options: { rounds: { type: 'string' }, print: { type: 'boolean' }, source: { type: 'boolean' } },
  });
  const rounds = Math.max(1, Math.floor(Number(values.rounds ?? 5)));
  const typical = made('typical', TYPICAL);
  const subjects: Subject[] = [
    { name: 'typical', corpus: typical, hasBaseline: true },
    { name: 'scattered', corpus: made('scattered', { ...TYPICAL, followsCalls: false }), hasBaseline: true },
    {
      name: 'typical, 7 dimensions, target info, filters',
      corpus: typical,
      config: path.join(import.meta.dirname, 'fold/seven-dimensions.yaml'),
      hasBaseline: false,
    },
    { name: 'few series', corpus: made('few', { ...TYPICAL, services: 5, operations: 2 }), hasBaseline: true },
    { name: 'many series', corpus: made('many', { ...TYPICAL, services: 100, operations: 15 }), hasBaseline: true },
    {
      name: 'very many series',
      corpus: made('most', { ...TYPICAL, services: 400, operations: 50 }),
      hasBaseline: true,
    },
  ];
  const report: Report = {
    rounds,
    date: new Date().toISOString().slice(0, 10),
    node: process.version,
    cpu: os.cpus()[0]?.model.trim() ?? 'unknown',
    folds: subjects.map((subject) => measure(subject, rounds, values.source ?? false)),
    micro: MICRO.map((name) => {
      process.stderr.write(`micro-bench ${name}\n`);
      const script = path.join(import.meta.dirname, `micro/${name}.ts`);
      return { name, measurements: child<Measurement[]>(['--conditions=source', script]) };
    }),
  };
  const text = page(report);
  process.stdout.write(text);
  if (!values.print) writeFileSync(PAGE, text);
}

main();
