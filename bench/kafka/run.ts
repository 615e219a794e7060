// `npm run bench:kafka`: what a span costs the whole process, from a Kafka topic to remote-write, in µs of CPU. Starts a broker of its
// own, fills topics with `spanmill generate`, and takes the samples itself. Prints the section of docs/reference/performance.md and
// writes it. Linux, Java 17, Maven.
//
//   node --conditions=source bench/kafka/run.ts [--spans N] [--warm N] [--rounds N] [--only ENCODING,CODEC] [--print] [--json FILE]
//
// --print, and --only, leave the page alone.
//
// A topic first holds the spans of a warm-up, then those that are measured too. What a process needs for all of them, less what one
// needs for the first, is what the rest cost once it is warm.

import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { machine, PAGE, withKafkaSection } from '../page-file.ts';
import { type BenchBroker, startBroker } from './broker.ts';
import { owners } from './profile.ts';
import { type KafkaCell, section } from './report.ts';
import { MeasuredSpanmill, ROOT, type SpanmillSetup, writeConfig } from './spanmill.ts';
import { combine, THREADS, type ThreadCpu, total } from './threads.ts';

const run = promisify(execFile);
const PARTITIONS = 4;
/** Busy time of a thread below which its profile says nothing. */
const LEAST_PROFILE_US = 10_000;
const CELLS = (['otlp_proto', 'push-bytes'] as const).flatMap((encoding) =>
  (['none', 'zstd'] as const).map((codec) => ({ encoding, codec })),
);

interface Bench extends Omit<SpanmillSetup, 'topic'> {
  broker: BenchBroker;
  /** Spans of the warm-up, and those that are measured. */
  warm: number;
  spans: number;
  rounds: number;
  corpus: string;
}

async function fill(topic: string, spans: number, seed: number, bench: Bench, cell: (typeof CELLS)[number]) {
  process.stderr.write(`${topic}: making ${spans} spans\n`);
  const where = ['--kafka', bench.brokers, '--topic', topic, '--unkeyed', '--rate', '0'];
  const what = ['--encoding', cell.encoding, '--codec', cell.codec, '--spans', String(spans), '--seed', String(seed)];
  const { stdout } = await run(process.execPath, [path.join(ROOT, 'dist/cli.js'), 'generate', ...where, ...what], {
    maxBuffer: 64 * 2 ** 20,
  });
  const { spans: written } = JSON.parse(stdout) as { spans: number };
  if (written !== spans) throw new Error(`${written} of ${spans} spans were written`);
}

/** Least CPU of some processes, each from its start until so many spans are folded. */
async function least(setup: SpanmillSetup, spans: number, rounds: number): Promise<{ cpu: ThreadCpu; rate: number }> {
  let best: ThreadCpu | undefined;
  let rate = 0;
  for (let round = 0; round < rounds; round++) {
    const spanmill = new MeasuredSpanmill(setup);
    try {
      const cpu = await spanmill.folded(spans);
      if (best === undefined || total(cpu) < total(best)) best = cpu;
      rate = Math.max(rate, spanmill.bestRate);
    } finally {
      await spanmill.stop();
    }
  }
  return { cpu: best!, rate };
}

/** CPU of a warm process while the topic is being filled. */
async function live(setup: SpanmillSetup, warm: number, spans: number, go: () => Promise<void>): Promise<number> {
  const spanmill = new MeasuredSpanmill(setup);
  try {
    const before = await spanmill.folded(warm);
    await go();
    return total(await spanmill.folded(warm + spans)) - total(before);
  } finally {
    await spanmill.stop();
  }
}

/** Of each thread's busy time once warm: the part of each owner. */
async function profile(setup: SpanmillSetup, warm: number, spans: number): Promise<Map<string, number>[]> {
  const spanmill = new MeasuredSpanmill(setup, true);
  let fromUs = 0;
  let toUs = 0;
  try {
    await spanmill.beyond(warm);
    fromUs = nowUs();
    await spanmill.folded(warm + spans);
    toUs = nowUs();
  } finally {
    await spanmill.stop();
  }
  return spanmill.takeProfiles().map((one) => {
    const sums = owners(one, fromUs, toUs);
    const all = [...sums.values()].reduce((sum, us) => sum + us, 0);
    if (all < LEAST_PROFILE_US) throw new Error('the spans were folded before it could be seen: use more --spans');
    return new Map([...sums].map(([owner, us]) => [owner, us / all]));
  });
}

/** The clock of profiles. */
function nowUs(): number {
  return Number(process.hrtime.bigint() / 1_000n);
}

async function readOnly(
  setup: SpanmillSetup,
  warm: number,
  records: number,
  rounds: number,
): Promise<{ records: number; cpuUs: number; ms: number }> {
  const script = path.join(import.meta.dirname, 'read-only.ts');
  const results: { records: number; cpuUs: number; ms: number }[] = [];
  for (let round = 0; round < rounds; round++) {
    const args = ['--conditions=source', script, writeConfig(setup), '--warm', `${warm}`, '--records', `${records}`];
    results.push(JSON.parse((await run(process.execPath, args)).stdout));
  }
  return results.sort((a, b) => a.cpuUs / a.records - b.cpuUs / b.records)[0]!;
}

/** CPU µs per span of the fold alone, on a load of the same kind that is held in memory: a yardstick of these minutes. */
async function foldOnly(corpus: string): Promise<number> {
  const args = [path.join(ROOT, 'dist/cli.js'), 'bench', 'fold', '--json', '--corpus', corpus];
  const { stdout } = await run(process.execPath, args);
  return (JSON.parse(stdout) as { cpu_ns_per_span: number }).cpu_ns_per_span / 1_000;
}

async function makeCorpus(dir: string): Promise<string> {
  const corpus = path.join(dir, 'corpus.bin');
  await run(process.execPath, [path.join(ROOT, 'dist/cli.js'), 'generate', '--file', corpus, '--spans', '50000']);
  return corpus;
}

async function measure(cell: (typeof CELLS)[number], bench: Bench): Promise<KafkaCell> {
  const { broker, warm, spans, rounds } = bench;
  const topic = `${cell.encoding}-${cell.codec}`;
  const setup = { ...bench, topic };
  await broker.createTopic(topic, PARTITIONS);
  await fill(topic, warm, 1, bench, cell);
  const warmRecords = await broker.records(topic);
  process.stderr.write(`${topic}: measuring\n`);
  const first = await least(setup, warm, rounds);
  const liveUs = await live(setup, warm, spans, () => fill(topic, spans, 2, bench, cell));
  const records = await broker.records(topic);
  const all = await least(setup, warm + spans, rounds);
  const fold = await foldOnly(bench.corpus);
  const read = await readOnly(setup, warmRecords, records, rounds);
  const shares = await profile(setup, warm, spans);
  await broker.deleteTopic(topic);
  const cpu = combine(all.cpu, first.cpu, (after, before) => (after - before) / spans);
  const byOwner = new Map<string, number>([['compiler, helpers of the garbage collector', cpu.helpers]]);
  THREADS.slice(0, 3).forEach((thread, i) => {
    for (const [owner, share] of shares[i]!) byOwner.set(owner, (byOwner.get(owner) ?? 0) + share * cpu[thread]);
  });
  return {
    ...cell,
    cpu,
    wholeRun: total(all.cpu) / (warm + spans),
    live: liveUs / spans,
    readOnly: read.cpuUs / ((read.records * spans) / (records - warmRecords)),
    fold,
    spansPerSecond: all.rate,
    spansPerRecord: spans / (records - warmRecords),
    byOwner: Object.fromEntries(byOwner),
  };
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      spans: { type: 'string', default: '600000' },
      warm: { type: 'string', default: '300000' },
      only: { type: 'string' },
      rounds: { type: 'string', default: '3' },
      print: { type: 'boolean' },
      json: { type: 'string' },
    },
  });
  const spans = Number(values.spans);
  const rounds = Number(values.rounds);
  if (!(Number.isSafeInteger(spans) && spans >= 1_000)) throw new RangeError('--spans is an integer from 1000 on');
  const warm = Number(values.warm);
  if (!(Number.isSafeInteger(warm) && warm >= 1_000)) throw new RangeError('--warm is an integer from 1000 on');
  if (!(Number.isSafeInteger(rounds) && rounds >= 1)) throw new RangeError('--rounds is an integer from 1 on');
  const chosen = CELLS.filter(
    ({ encoding, codec }) => (values.only ?? `${encoding},${codec}`) === `${encoding},${codec}`,
  );
  if (chosen.length === 0)
    throw new RangeError(`--only is one of ${CELLS.map((c) => `${c.encoding},${c.codec}`).join(' ')}`);
  const dir = mkdtempSync(path.join(os.tmpdir(), 'spanmill-bench-'));
  process.once('exit', () => rmSync(dir, { recursive: true, force: true }));
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));
  const receiver = createServer((request, response) => {
    request.resume().on('end', () => response.writeHead(204).end());
  });
  await new Promise<void>((resolve) => {
    receiver.listen(0, '127.0.0.1', resolve);
  });
  const broker = await startBroker();
  const cells: KafkaCell[] = [];
  try {
    const { port } = receiver.address() as AddressInfo;
    const bench: Bench = {
      broker,
      brokers: broker.brokers,
      dir,
      receiver: `http://127.0.0.1:${port}/`,
      apiPort: broker.freePort,
      warm,
      spans,
      rounds,
      corpus: await makeCorpus(dir),
    };
    for (const cell of chosen) {
      cells.push(await measure(cell, bench));
      if (values.json !== undefined) writeFileSync(values.json, JSON.stringify(cells));
    }
  } finally {
    await broker.stop();
    receiver.close();
  }
  const text = section({
    date: new Date().toISOString().slice(0, 10),
    node: process.version,
    machine: machine(),
    warm,
    spans,
    rounds,
    cells,
  });
  process.stdout.write(text);
  if (!(values.print || values.only)) writeFileSync(PAGE, withKafkaSection(readFileSync(PAGE, 'utf8'), text));
}

await main();
