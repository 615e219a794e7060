// `spanmill bench fold`: what the fold costs on one thread, from request bytes to counters, on a corpus that is held in memory.

import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { ConfigError, loadConfig, resolveTenant } from '../config/index.ts';
import { Fold } from '../fold/index.ts';
import { DecodeError, Decoder, ExtractionPlan, type SpanBatch } from '../otlp/index.ts';
import { CaseError, type CommandIo, splitMessages } from '../simulate/index.ts';

const TENANT = 'single-tenant';
const PASSES = 12;
const LEAST_PASSES = 10;
/** By then the compiler is done and every row is there. */
const LAST_PASSES = 3;
const PAUSE_MS = 60_000;
const TICK_MS = 1_000;

const SYNOPSIS = 'spanmill bench fold --corpus FILE [--config FILE] [--passes N] [--json]';
const USAGE = `Usage: ${SYNOPSIS}

Folds a corpus over and over on one thread, from request bytes to counters, and prints what a span costs.

  --corpus FILE  length-delimited requests (uint32 LE, ExportTraceServiceRequest), as generate --file writes them
  --config FILE  configuration (YAML); the defaults without it
  --passes N     ${PASSES} by default, at least ${LEAST_PASSES}
  --json         one JSON object
`;

/** What the user can put right. One line. */
class BenchError extends Error {}

export interface FoldBenchResult {
  /** Process CPU of the best pass, and of the middle one, per span. */
  cpu_ns_per_span: number;
  cpu_ns_per_span_median: number;
  /** Wall clock, best pass. */
  spans_per_second: number;
  series: number;
  /** Of the process at the end, the corpus in memory included. */
  rss_bytes: number;
  spans: number;
  messages: number;
  passes: number;
  /** Wall clock of taking away what changed in a pass, best pass. Not part of the cost of a span. */
  boundary_ms: number;
  /** Growth of the JavaScript heap in a pass, the largest of the last passes: what the fold allocates, unless it was collected. */
  heap_bytes_per_span: number;
}

/** Exit codes: 0; 2 for input that can't be used, with one line on standard error. */
export function benchCommand(args: string[], io: CommandIo): number {
  try {
    const options = readOptions(args);
    if (options === 'help') {
      io.stdout.write(USAGE);
      return 0;
    }
    const result = benchFold(options.corpus, options.config, options.passes, io.env);
    io.stdout.write(options.json ? `${JSON.stringify(result)}\n` : benchText(result));
    return 0;
  } catch (error) {
    if (!(error instanceof BenchError || error instanceof CaseError || error instanceof ConfigError)) throw error;
    const [line, ...more] = error.message.split('\n');
    io.stderr.write(`spanmill bench: ${line}${more.length > 0 ? ` (and ${more.length} more)` : ''}\n`);
    return 2;
  }
}

interface BenchOptions {
  corpus: string;
  config: string | undefined;
  passes: number;
  json: boolean;
}

function readOptions(args: string[]): BenchOptions | 'help' {
  const { values, positionals } = parse(args);
  if (values.help) return 'help';
  const [what, ...rest] = positionals;
  if (what !== 'fold' || rest.length > 0) throw new BenchError(`the only bench is fold: ${SYNOPSIS}`);
  if (!values.corpus) throw new BenchError(`needs --corpus FILE: ${SYNOPSIS}`);
  const passes = values.passes === undefined ? PASSES : Number(values.passes);
  if (!(Number.isSafeInteger(passes) && passes >= LEAST_PASSES))
    throw new BenchError(`--passes is an integer from ${LEAST_PASSES} on, not "${values.passes}"`);
  return { corpus: values.corpus, config: values.config, passes, json: values.json ?? false };
}

function parse(args: string[]) {
  try {
    return parseArgs({
      args,
      allowPositionals: true,
      options: {
        corpus: { type: 'string' },
        config: { type: 'string' },
        passes: { type: 'string' },
        json: { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
      },
    });
  } catch (error) {
    throw new BenchError((error as Error).message.split(/\n|\. To specify/)[0]);
  }
}

export function benchFold(
  corpus: string,
  configPath: string | undefined,
  passes: number,
  env: Record<string, string | undefined>,
): FoldBenchResult {
  const { config } = configPath === undefined ? loadConfig({ text: '' }) : loadConfig({ path: configPath, env });
  const settings = resolveTenant(config, TENANT);
  const messages = splitMessages(read(corpus), corpus);
  const { recordMs, spans, lengthMs } = times(messages, corpus);
  if (spans === 0) throw new BenchError(`${corpus}: holds no spans`);

  const fold = new Fold({ settingsOf: () => settings, originMs: 0 });
  const startMs = recordMs[0]! - (recordMs[0]! % TICK_MS);
  fold.advance(startMs);
  const cpu: number[] = [];
  const heapBytes: number[] = [];
  const boundaryMs: number[] = [];
  let bestWallMs = Number.POSITIVE_INFINITY;
  for (let pass = 0; pass < passes; pass++) {
    const offsetMs = pass * (lengthMs + PAUSE_MS);
    const endMs = startMs + offsetMs + lengthMs + PAUSE_MS;
    const heapBefore = process.memoryUsage().heapUsed;
    const cpuBefore = process.cpuUsage();
    const wallBefore = performance.now();
    let tickMs = 0;
    for (let i = 0; i < messages.length; i++) {
      const atMs = recordMs[i]! + offsetMs;
      const tick = atMs - (atMs % TICK_MS);
      if (tick > tickMs) {
        fold.advance(tick);
        tickMs = tick;
      }
      // The spans keep their times, so the slack rule goes by the record time of the first pass. Time doesn't go back over a tick.
      fold.push(TENANT, atMs > tickMs ? atMs : tickMs, recordMs[i]!, messages[i]!, false);
    }
    // The timers of the pause are the pass's own: what it left without a partner expires.
    fold.advance(endMs);
    const wallAfter = performance.now();
    bestWallMs = Math.min(bestWallMs, wallAfter - wallBefore);
    const used = process.cpuUsage(cpuBefore);
    cpu.push(((used.user + used.system) * 1_000) / spans);
    heapBytes.push(process.memoryUsage().heapUsed - heapBefore);
    const collectBefore = performance.now();
    // A boundary between passes, as in life: exemplars and dirty marks are taken away.
    fold.collect(endMs);
    boundaryMs.push(performance.now() - collectBefore);
  }
  return {
    cpu_ns_per_span: round(Math.min(...cpu)),
    cpu_ns_per_span_median: round(median(cpu)),
    spans_per_second: Math.round((spans / bestWallMs) * 1_000),
    series: fold.tenant(TENANT).registry.activeSeries,
    rss_bytes: process.memoryUsage.rss(),
    spans,
    messages: messages.length,
    passes,
    boundary_ms: round(Math.min(...boundaryMs)),
    heap_bytes_per_span: round(Math.max(0, ...heapBytes.slice(-LAST_PASSES)) / spans),
  };
}

/** The messages will be views of this one array, as records of one fetch are. */
function read(corpus: string): Uint8Array {
  try {
    const file = readFileSync(corpus);
    return new Uint8Array(file.buffer, file.byteOffset, file.length);
  } catch (cause) {
    throw new BenchError(`can't read ${corpus}: ${(cause as Error).message}`, { cause });
  }
}

/** Record time of each message: its newest span end; that of the message before where it has none. @throws BenchError */
function times(
  messages: readonly Uint8Array[],
  corpus: string,
): { recordMs: Float64Array; spans: number; lengthMs: number } {
  const decoder = new Decoder(new ExtractionPlan([]));
  const recordMs = new Float64Array(messages.length);
  let spans = 0;
  let newestMs = 0;
  let oldestMs = Number.POSITIVE_INFINITY;
  for (let i = 0; i < messages.length; i++) {
    const { count, endHigh, endLow } = decodeOrSay(decoder, messages[i]!, i, corpus);
    spans += count;
    let newestNano = 0;
    for (let s = 0; s < count; s++) newestNano = Math.max(newestNano, endHigh[s]! * 4294967296 + endLow[s]!);
    recordMs[i] = newestNano > 0 ? Math.floor(newestNano / 1e6) : (recordMs[i - 1] ?? 0);
    newestMs = Math.max(newestMs, recordMs[i]!);
    oldestMs = Math.min(oldestMs, recordMs[i]!);
  }
  return { recordMs, spans, lengthMs: newestMs - oldestMs };
}

function decodeOrSay(decoder: Decoder, message: Uint8Array, index: number, corpus: string): SpanBatch {
  try {
    return decoder.decode(message);
  } catch (cause) {
    if (!(cause instanceof DecodeError)) throw cause;
    throw new BenchError(`${corpus}: message ${index} is not an ExportTraceServiceRequest: ${cause.message}`, {
      cause,
    });
  }
}

function benchText(result: FoldBenchResult): string {
  return (
    `${result.spans} spans in ${result.messages} messages, ${result.passes} passes\n` +
    `CPU        ${result.cpu_ns_per_span} ns/span best, ${result.cpu_ns_per_span_median} ns/span median\n` +
    `throughput ${(result.spans_per_second / 1e6).toFixed(2)} M spans/s\n` +
    `series     ${result.series}\n` +
    `boundary   ${result.boundary_ms} ms\n` +
    `memory     ${(result.rss_bytes / 1048576).toFixed(0)} MiB RSS, ${result.heap_bytes_per_span} B/span of heap growth\n`
  );
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1]!;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
