// Time that passes only when it is told to.

export interface VirtualTime {
  now: () => number;
  sleep: (waitMs: number, signal: AbortSignal) => Promise<void>;
  /** Wakes who is due, in the order in which they are due. */
  advance(ms: number): void;
}

export function virtualTime(startMs: number): VirtualTime {
  let nowMs = startMs;
  const sleepers = new Set<{ untilMs: number; wake: () => void }>();
  return {
    now: () => nowMs,
    sleep: (waitMs, signal) =>
      new Promise((resolve) => {
        const sleeper = { untilMs: nowMs + waitMs, wake: resolve };
        sleepers.add(sleeper);
        signal.addEventListener('abort', () => resolve(), { once: true });
      }),
    advance(ms) {
      nowMs += ms;
      const due = [...sleepers].filter(({ untilMs }) => untilMs <= nowMs);
      for (const sleeper of due.sort((a, b) => a.untilMs - b.untilMs)) {
        sleepers.delete(sleeper);
        sleeper.wake();
      }
    },
  };
}
