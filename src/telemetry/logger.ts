// Logs: JSON lines by pino on standard error, so that standard output stays free for what a command prints.

import { destination, type Logger, pino } from 'pino';

export type { Logger };

/** @param level trace, debug, info, warn, error or silent */
export function createLogger(level: string, bindings: Record<string, unknown> = {}): Logger {
  return pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    destination({ dest: 2, sync: true }),
  ).child(bindings);
}

/** Lets one event of a key through per interval and says how many it held back: logs about bad records must not flood. */
export class LogSampler {
  private readonly intervalMs: number;
  private readonly last = new Map<string, { atMs: number; held: number }>();

  constructor(intervalMs: number) {
    this.intervalMs = intervalMs;
  }

  /** Number of events held back since the last one that was let through; undefined = hold this one back too. */
  admit(key: string, nowMs: number): number | undefined {
    const entry = this.last.get(key);
    if (entry && nowMs - entry.atMs < this.intervalMs) {
      entry.held++;
      return undefined;
    }
    if (!entry && this.last.size >= 1_000) this.last.clear();
    this.last.set(key, { atMs: nowMs, held: 0 });
    return entry?.held ?? 0;
  }
}
