// Delivers a load to a receiver at the pace of the clock: a request goes out once its newest span has ended. Where the receiver was
// away, times are moved up to now, so that spans never come seconds late.
import { setTimeout as sleepFor } from 'node:timers/promises';
import type { Exporter } from './http-exporter.ts';
import type { Load, LoadRequest } from './load.ts';

export interface Clock {
  nowMs(): number;
  /** Resolves after `ms`, or at once when the signal is aborted. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
}

export const wallClock: Clock = {
  nowMs: () => Date.now(),
  sleep: (ms, signal) => sleepFor(ms, undefined, { signal }).catch(() => undefined),
};

export interface DeliverOptions {
  load: Load;
  exporter: Exporter;
  clock: Clock;
  concurrency: number;
  /** `paced` waits for the clock, `free` sends as fast as it can. */
  pace: 'paced' | 'free';
  /** Span times follow the clock. Otherwise they stay what the load says (a start of the caller's choice). */
  isLive: boolean;
  startUnixNano: bigint;
  /** No more traces; what was begun goes out. */
  stop: AbortSignal;
  /** Nothing more goes out. */
  cut: AbortSignal;
  /** Told about each failed attempt. */
  onTrouble: (reason: string) => void;
}

/** Spans may be this late before their times are moved. */
const MAX_LATE_MS = 1_500;
/** After a stop, requests that fall due later than this are dropped: their traces had hardly begun. */
const MAX_DRAIN_WAIT_MS = 5_000;
/** After a stop: how long what was begun may take to be delivered. */
export const DRAIN_MS = 15_000;
const FIRST_WAIT_MS = 100;
const MAX_WAIT_MS = 5_000;
const MAX_RETRY_AFTER_MS = 30_000;
const NANO_PER_MS = 1_000_000;

interface Delivering extends DeliverOptions {
  /** Until when a request that the receiver turns away is tried again: for ever, until a stop. */
  giveUpAtMs: number;
}

/** Resolves when every request of the load has its outcome. */
export async function deliver(given: DeliverOptions): Promise<void> {
  const options: Delivering = { ...given, giveUpAtMs: Number.POSITIVE_INFINITY };
  const { load, clock, concurrency, isLive, cut } = options;
  const startedMs = clock.nowMs();
  const flying = new Set<Promise<void>>();
  // How far the load's time was moved so far: the sum of all waits that were not its own.
  let slipMs = 0;
  const stop = () => {
    load.stop();
    options.giveUpAtMs = clock.nowMs() + DRAIN_MS;
  };
  if (options.stop.aborted) stop();
  options.stop.addEventListener('abort', stop);
  try {
    for (let request = load.nextRequest(); request !== undefined; request = load.nextRequest()) {
      if (isLive && slipMs > 0) load.shift(request, BigInt(slipMs) * BigInt(NANO_PER_MS));
      const afterStartMs = Number(request.newestEndUnixNano - options.startUnixNano) / NANO_PER_MS;
      const dueMs = startedMs + afterStartMs + (isLive ? 0 : slipMs);
      if (options.pace === 'paced') {
        await untilDue(options, dueMs);
        if (options.stop.aborted && dueMs - clock.nowMs() > MAX_DRAIN_WAIT_MS) {
          load.account.settle(request, 'unsent');
          continue;
        }
      }
      while (flying.size >= concurrency && !cut.aborted) await Promise.race(flying);
      if (cut.aborted) {
        load.account.settle(request, 'unsent');
        continue;
      }
      if (options.pace === 'paced') {
        const lateMs = Math.round(clock.nowMs() - dueMs);
        if (lateMs > MAX_LATE_MS) {
          slipMs += lateMs;
          if (isLive) load.shift(request, BigInt(lateMs) * BigInt(NANO_PER_MS));
        }
      }
      const flight = sendUntilSettled(options, request).then(() => void flying.delete(flight));
      flying.add(flight);
    }
    await Promise.all(flying);
  } finally {
    options.stop.removeEventListener('abort', stop);
  }
}

/** Also returns once it is clear that the request won't be waited for. */
async function untilDue({ clock, stop, cut }: DeliverOptions, dueMs: number): Promise<void> {
  for (;;) {
    const waitMs = Math.ceil(dueMs - clock.nowMs());
    if (waitMs <= 0 || cut.aborted || (stop.aborted && waitMs > MAX_DRAIN_WAIT_MS)) return;
    await clock.sleep(waitMs, stop.aborted ? cut : stop);
  }
}

/** Tries until the outcome is known, or known never to be. Waits double, and follow Retry-After where it is given. */
async function sendUntilSettled(options: Delivering, request: LoadRequest): Promise<void> {
  const { load, clock, cut } = options;
  for (let waitMs = FIRST_WAIT_MS; ; waitMs = Math.min(2 * waitMs, MAX_WAIT_MS)) {
    if (options.isLive) moveToNow(options, request);
    const sentAtMs = clock.nowMs();
    const attempt = await options.exporter.send(request.bytes, request.spans, cut);
    if (attempt.type === 'retry') {
      options.onTrouble(attempt.reason);
      if (!cut.aborted) await clock.sleep(Math.min(attempt.afterMs ?? waitMs, MAX_RETRY_AFTER_MS), cut);
      if (!cut.aborted && clock.nowMs() < options.giveUpAtMs) continue;
      load.account.settle(request, 'unsent');
    } else {
      const reason = attempt.type === 'acknowledged' ? '' : attempt.reason;
      if (reason !== '') options.onTrouble(reason);
      load.account.settle(request, attempt.type, reason, { sentAtMs, answeredAtMs: clock.nowMs() });
    }
    return;
  }
}

function moveToNow({ load, clock, pace }: DeliverOptions, request: LoadRequest): void {
  const lateMs = Math.round(clock.nowMs() - Number(request.newestEndUnixNano / BigInt(NANO_PER_MS)));
  if (lateMs > MAX_LATE_MS || (pace === 'free' && Math.abs(lateMs) > 0)) {
    load.shift(request, BigInt(lateMs) * BigInt(NANO_PER_MS));
  }
}
