// `npm run bench`: the fold against a baseline on several corpora, in turn and several times each, then the micro-benches; prints
// the page docs/reference/performance.md and writes it. On a busy machine only the ratios mean anything: both sides of a ratio
// ran in the same minutes. Ends with 1 if a fold under the default configuration costs more than MAX_RATIO times the baseline.
//
//   node bench/run.ts [--rounds N] [--print] [--source]
//
// --print leaves the page alone; --source folds with src, where there is no build.

import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import type { FoldBenchResult } from '../src/bench/fold.ts';
import { type CorpusShape, makeCorpus, TYPICAL } from './corpus.ts';
import type { Measurement } from './micro/measure.ts';
import { kafkaSection, machine, PAGE, withKafkaSection } from './page-file.ts';
import { type FoldRow, median, page, type Report } from './report.ts';

const root = path.join(import.meta.dirname, '..');
const cache = path.join(os.tmpdir(), 'spanmill-bench');
const MICRO = ['decode', 'intern', 'rows', 'buckets', 'boundary'];

const MAX_RATIO = 2;

/** What is folded: a corpus, perhaps under another configuration than the default. */
interface Subject {
  name: string;
  corpus: string;
  config?: string;
}

/** The load that `spanmill generate` makes, anew: it is made faster than it is known to be unchanged. */
function generated(cli: readonly string[]): string {
  mkdirSync(cache, { recursive: true });
  const file = path.join(cache, 'shop.bin');
  process.stderr.write('making corpus shop\n');
  child([...cli, 'generate', '--file', file, '--spans', '100000', '--seed', '1']);
  return file;
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

function fold({ corpus, config }: Subject, cli: readonly string[]): FoldBenchResult {
  return child([...cli, 'bench', 'fold', '--json', '--corpus', corpus, ...(config ? ['--config', config] : [])]);
}

function baseline({ corpus }: Subject): { cpu_ns_per_span: number } {
  return child([path.join(import.meta.dirname, 'fold/baseline.ts'), corpus]);
}

function measure(subject: Subject, rounds: number, cli: readonly string[]): FoldRow {
  process.stderr.write(`folding ${subject.name}\n`);
  const results: FoldBenchResult[] = [];
  const baselines: number[] = [];
  for (let round = 0; round < rounds; round++) {
    results.push(fold(subject, cli));
    baselines.push(baseline(subject).cpu_ns_per_span);
  }
  const costs = results.map((result) => result.cpu_ns_per_span);
  const { series, spans, messages } = results[0]!;
  return {
    name: subject.name,
    isDefault: subject.config === undefined,
    spans,
    messages,
    bytes: statSync(subject.corpus).size,
    series,
    best: Math.min(...costs),
    median: median(costs),
    baseline: Math.min(...baselines),
    ratio: Math.min(...costs) / Math.min(...baselines),
    medianRatio: median(costs.map((cost, i) => cost / baselines[i]!)),
    spansPerSecond: Math.max(...results.map((result) => result.spans_per_second)),
    heapBytesPerSpan: median(results.map((result) => result.heap_bytes_per_span)),
    boundaryMs: Math.min(...results.map((result) => result.boundary_ms)),
    rssBytes: median(results.map((result) => result.rss_bytes)),
  };
}

function main(): void {
  const { values } = parseArgs({
    options: { rounds: { type: 'string' }, print: { type: 'boolean' }, source: { type: 'boolean' } },
  });
  const rounds = Number(values.rounds ?? 5);
  if (!(Number.isSafeInteger(rounds) && rounds >= 1)) throw new RangeError('--rounds is an integer from 1 on');
  const cli = values.source ? ['--conditions=source', path.join(root, 'src/cli.ts')] : [path.join(root, 'dist/cli.js')];
  const typical = made('typical', TYPICAL);
  const subjects: Subject[] = [
    { name: 'shop', corpus: generated(cli) },
    { name: 'typical', corpus: typical },
    {
      name: 'typical, 7 dimensions',
      corpus: typical,
      config: path.join(import.meta.dirname, 'fold/seven-dimensions.yaml'),
    },
    { name: 'scattered', corpus: made('scattered', { ...TYPICAL, followsCalls: false }) },
    { name: 'few series', corpus: made('few', { ...TYPICAL, services: 5, operations: 2 }) },
    { name: 'many series', corpus: made('many', { ...TYPICAL, services: 100, operations: 15 }) },
    { name: 'very many series', corpus: made('most', { ...TYPICAL, services: 400, operations: 50 }) },
  ];
  const report: Report = {
    rounds,
    date: new Date().toISOString().slice(0, 10),
    node: process.version,
    machine: machine(),
    folds: subjects.map((subject) => measure(subject, rounds, cli)),
    micro: MICRO.map((name) => {
      process.stderr.write(`micro-bench ${name}\n`);
      const script = path.join(import.meta.dirname, `micro/${name}.ts`);
      return { name, measurements: child<Measurement[]>(['--conditions=source', script]) };
    }),
  };
  const text = page(report);
  process.stdout.write(text);
  if (!values.print) writeFileSync(PAGE, withKafkaSection(text, kafkaSection(readFileSync(PAGE, 'utf8'))));
  for (const { name, isDefault, ratio } of report.folds) {
    if (!isDefault || ratio <= MAX_RATIO) continue;
    process.stderr.write(`${name}: ${ratio.toFixed(2)} times the baseline, more than ${MAX_RATIO}\n`);
    process.exitCode = 1;
  }
}

main();
