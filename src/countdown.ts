// One deadline for several steps that end one after another: each gets what those before it have left.

/** @param nowMs a clock that only goes forward */
export function countdown(deadlineMs: number, nowMs: () => number): (keepMs?: number) => number {
  const endMs = nowMs() + deadlineMs;
  /** What is left now, but for `keepMs` that later steps need. */
  return (keepMs = 0) => Math.max(0, endMs - nowMs() - keepMs);
}
