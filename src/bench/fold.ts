// `spanmill bench fold`: what the fold costs on one thread, from request bytes to counters, on a corpus that is held in memory.

import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { ConfigError, loadConfig, resolveTenant } from '../config/index.ts';
import { Fold } from '../fold/index.ts';
import { Decoder, ExtractionPlan } from '../otlp/index.ts';
import { CaseError, type CommandIo, splitMessages } from '../simulate/index.ts';

const TENANT = 'single-tenant';
const PASSES = 12;
const PAUSE_MS = 60_000;

const USAGE = `Usage: spanmill bench fold --corpus FILE [--config FILE] [--passes N] [--json]
  FILE holds length-delimited (uint32, little endian) ExportTraceServiceRequests.
`;

export interface FoldBenchResult {
  /** Process CPU of the best pass, and of the middle one, per span. */
  cpu_ns_per_span: number;
  cpu_ns_per_span_median: number;
  /** Wall clock, best pass. */
  spans_per_second: number;
  series: number;
  rss_bytes: number;
  spans: number;
  messages: number;
  passes: number;
  /** Growth of the JavaScript heap over the last passes, per span: what the fold allocates and keeps or leaves to the collector. */
  heap_bytes_per_span: number;
}

export function benchCommand(args: string[], io: CommandIo): number {
  try {
    const { values, positionals } = parseArgs({
      args,
      allowPositionals: true,
      options: {
        corpus: { type: 'string' },
        config: { type: 'string' },
        passes: { type: 'string' },
        json: { type: 'boolean' },
      },
    });
    const passes = values.passes === undefined ? PASSES : Number(values.passes);
    if (positionals[0] !== 'fold' || positionals.length !== 1 || values.corpus === undefined || !(passes >= 10)) {
      io.stderr.write(USAGE);
      return 2;
    }
    const result = benchFold(values.corpus, values.config, passes, io.env);
    io.stdout.write(values.json ? `${JSON.stringify(result)}\n` : benchText(result));
    return 0;
  } catch (error) {
    if (
      error instanceof TypeError ||
      error instanceof CaseError ||
      error instanceof ConfigError ||
      (error instanceof Error && 'code' in error)
    ) {
      io.stderr.write(`spanmill bench: ${error.message}\n${USAGE}`);
      return 2;
    }
    throw error;
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
  // Views of one array, as records of one fetch are.
  const messages = splitMessages(new Uint8Array(readFileSync(corpus)), corpus);
  const { recordMs, spans, lengthMs } = times(messages);
  if (spans === 0) throw new CaseError(`${corpus}: holds no spans`);

  const fold = new Fold({ settingsOf: () => settings, originMs: 0 });
  fold.advance(recordMs[0]! - (recordMs[0]! % 1_000));
  const cpu: number[] = [];
  let bestWallMs = Number.POSITIVE_INFINITY;
  let heapBytes = 0;
  let offsetMs = 0;
  for (let pass = 0; pass < passes; pass++) {
    const heapBefore = process.memoryUsage().heapUsed;
    const cpuBefore = process.cpuUsage();
    const wallBefore = performance.now();
    let tickMs = 0;
    for (let i = 0; i < messages.length; i++) {
      const atMs = recordMs[i]! + offsetMs;
      const tick = atMs - (atMs % 1_000);
      if (tick > tickMs) {
        fold.advance(tick);
        tickMs = tick;
      }
      // The spans keep their times, so the slack rule goes by the record time of the first pass.
      fold.push(TENANT, atMs, recordMs[i]!, messages[i]!, false);
    }
    bestWallMs = Math.min(bestWallMs, performance.now() - wallBefore);
    const used = process.cpuUsage(cpuBefore);
    cpu.push(((used.user + used.system) * 1_000) / spans);
    if (pass >= passes - 3) heapBytes += Math.max(0, process.memoryUsage().heapUsed - heapBefore);
    offsetMs += lengthMs + PAUSE_MS;
    fold.advance(recordMs[0]! + offsetMs);
    // A boundary between passes, as in life: exemplars and dirty marks are taken away.
    fold.collect(recordMs[0]! + offsetMs);
  }
  const sorted = [...cpu].sort((a, b) => a - b);
  return {
    cpu_ns_per_span: round(sorted[0]!),
    cpu_ns_per_span_median: round(sorted[sorted.length >> 1]!),
    spans_per_second: Math.round((spans / bestWallMs) * 1_000),
    series: fold.tenant(TENANT).registry.activeSeries,
    rss_bytes: process.memoryUsage.rss(),
    spans,
    messages: messages.length,
    passes,
    heap_bytes_per_span: round(heapBytes / 3 / spans),
  };
}

/** Record time of each message: its newest span end, never going back. */
function times(messages: readonly Uint8Array[]): { recordMs: Float64Array; spans: number; lengthMs: number } {
  const decoder = new Decoder(new ExtractionPlan([]));
  const recordMs = new Float64Array(messages.length);
  let spans = 0;
  let last = 0;
  messages.forEach((message, i) => {
    const batch = decoder.decode(message);
    spans += batch.count;
    let newest = 0;
    for (let s = 0; s < batch.count; s++)
      newest = Math.max(newest, (batch.endHigh[s]! * 4294967296 + batch.endLow[s]!) / 1e6);
    last = Math.max(last, Math.floor(newest));
    recordMs[i] = newest > 0 ? Math.floor(newest) : last;
  });
  const smallest = recordMs.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY);
  return { recordMs, spans, lengthMs: Math.ceil(last - smallest) };
}

function benchText(result: FoldBenchResult): string {
  return (
    `${result.spans} spans in ${result.messages} messages, ${result.passes} passes\n` +
    `CPU        ${result.cpu_ns_per_span} ns/span best, ${result.cpu_ns_per_span_median} ns/span median\n` +
    `throughput ${(result.spans_per_second / 1e6).toFixed(2)} M spans/s\n` +
    `series     ${result.series}\n` +
    `memory     ${(result.rss_bytes / 1048576).toFixed(0)} MiB RSS, ${result.heap_bytes_per_span} B/span of heap growth\n`
  );
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
