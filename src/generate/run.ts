// `spanmill generate`: wires a load to a file, a receiver or a topic. Standard output gets one JSON object, everything else goes to standard
// error.
import process from 'node:process';
import type { LoadResult } from './account.ts';
import { CORPUS_SPANS, writeCorpus } from './corpus.ts';
import { type Clock, DRAIN_MS, deliver, wallClock } from './deliver.ts';
import { type Exporter, httpExporter } from './http-exporter.ts';
import { createLoad, type LoadOptions } from './load.ts';
import { type GenerateOptions, parseOptions, USAGE, UsageError } from './options.ts';

export interface GenerateIo {
  stdout: { write(text: string): unknown };
  stderr: { write(text: string): unknown };
  env: Readonly<Record<string, string | undefined>>;
  /** Ends the load as SIGINT does. Given one, the command leaves the process's signals alone. */
  signal?: AbortSignal;
  clock?: Clock;
}

const PROGRESS_MS = 10_000;
const ANSWER_TIMEOUT_MS = 30_000;
/** Time's density where the rate is 0: traces overlap as in a shop of this size. */
const FREE_RATE = 10_000;

/** Exit codes: 0, also after a signal; 1 if the file can't be written or there is no such topic; 2 for a wrong flag. */
export async function runGenerate(argv: string[], io: GenerateIo): Promise<number> {
  let options: GenerateOptions | 'help';
  try {
    options = parseOptions(argv);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    io.stderr.write(`spanmill generate: ${error.message}\n`);
    return 2;
  }
  if (options === 'help') {
    io.stdout.write(USAGE);
    return 0;
  }
  const stop = new AbortController();
  const cut = new AbortController();
  const release = followSignals(io, stop, cut);
  try {
    const run = options.target.type === 'file' ? toFile : toReceiver;
    const result = await run(options, io, stop, cut);
    io.stdout.write(`${JSON.stringify(result)}\n`);
    return 0;
  } catch (error) {
    io.stderr.write(`spanmill generate: ${(error as Error).message}\n`);
    return 1;
  } finally {
    release();
  }
}

async function toFile(options: GenerateOptions, io: GenerateIo, stop: AbortController): Promise<LoadResult> {
  const { target, spans, durationMs } = options;
  if (target.type !== 'file') throw new TypeError('not a file');
  let saidAtMs = (io.clock ?? wallClock).nowMs();
  return await writeCorpus(target.path, {
    ...loadOptions(options, io.clock ?? wallClock),
    ...(spans === undefined && durationMs === undefined ? { spans: CORPUS_SPANS } : {}),
    ...(durationMs === undefined ? {} : { durationNano: durationMs * 1_000_000 }),
    signal: stop.signal,
    onProgress(written) {
      const nowMs = (io.clock ?? wallClock).nowMs();
      if (nowMs - saidAtMs < PROGRESS_MS) return;
      saidAtMs = nowMs;
      io.stderr.write(`generate: ${written} spans written\n`);
    },
  });
}

async function toReceiver(
  options: GenerateOptions,
  io: GenerateIo,
  stop: AbortController,
  cut: AbortController,
): Promise<LoadResult> {
  const { target } = options;
  if (target.type === 'file') throw new TypeError('not a receiver');
  const clock = io.clock ?? wallClock;
  const made = loadOptions(options, clock);
  const load = createLoad(made);
  const exporter = await openExporter(target);
  let trouble = '';
  const startedMs = clock.nowMs();
  const progress = setInterval(() => {
    const seconds = Math.max(1, (clock.nowMs() - startedMs) / 1000);
    const { spans, unknownRequests } = load.account;
    const told = trouble === '' ? '' : `, last trouble: ${trouble}`;
    io.stderr.write(
      `generate: ${spans} spans acknowledged, ${Math.round(spans / seconds)}/s, ${unknownRequests} requests of unknown outcome${told}\n`,
    );
    trouble = '';
  }, PROGRESS_MS);
  const ending = options.durationMs === undefined ? undefined : setTimeout(() => stop.abort(), options.durationMs);
  let draining: NodeJS.Timeout | undefined;
  // A receiver that neither takes nor refuses what it was sent must not hold up the end for ever.
  const drain = () => {
    draining = setTimeout(() => cut.abort(), DRAIN_MS);
  };
  if (stop.signal.aborted) drain();
  else stop.signal.addEventListener('abort', drain, { once: true });
  try {
    await deliver({
      load,
      exporter,
      clock,
      concurrency: target.concurrency,
      pace: options.ratePerSecond === 0 ? 'free' : 'paced',
      isLive: options.start === 'now',
      startUnixNano: made.startUnixNano,
      stop: stop.signal,
      cut: cut.signal,
      onTrouble: (reason) => {
        if (trouble === '') io.stderr.write(`generate: ${reason}\n`);
        trouble = reason;
      },
    });
  } finally {
    clearInterval(progress);
    clearTimeout(ending);
    clearTimeout(draining);
    exporter.close();
  }
  return load.account.result();
}

/** Libraries are loaded only where they are wanted. */
async function openExporter(target: Exclude<GenerateOptions['target'], { type: 'file' }>): Promise<Exporter> {
  const answerTimeoutMs = ANSWER_TIMEOUT_MS;
  switch (target.type) {
    case 'otlp':
      return httpExporter({ ...target, answerTimeoutMs });
    case 'grpc':
      return (await import('./grpc-exporter.ts')).grpcExporter({ ...target, answerTimeoutMs });
    case 'kafka':
      return await (await import('./kafka/exporter.ts')).openKafkaExporter({ ...target, answerTimeoutMs });
  }
}

function loadOptions(options: GenerateOptions, clock: Clock): LoadOptions {
  const { seed, ratePerSecond, spans, batching, start } = options;
  return {
    seed,
    batching,
    ratePerSecond: ratePerSecond === 0 ? FREE_RATE : ratePerSecond,
    startUnixNano: start === 'now' ? BigInt(clock.nowMs()) * 1_000_000n : start,
    ...(spans === undefined ? {} : { spans }),
  };
}

/** The first signal stops the load in order, the second one at once. */
function followSignals(io: GenerateIo, stop: AbortController, cut: AbortController): () => void {
  const { signal } = io;
  const onSignal = () => (stop.signal.aborted ? cut.abort() : stop.abort());
  if (signal !== undefined) {
    if (signal.aborted) onSignal();
    signal.addEventListener('abort', onSignal, { once: true });
    return () => signal.removeEventListener('abort', onSignal);
  }
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  return () => {
    process.off('SIGINT', onSignal);
    process.off('SIGTERM', onSignal);
  };
}
