// How the micro-benches measure: process CPU of the best of several rounds, per operation. Each bench runs in a process of its
// own, or the compiler would make code for all of them at once.

export interface Measurement {
  what: string;
  value: number;
  unit: string;
}

export const ROUNDS = 15;

/** CPU nanoseconds per operation; `run` does `operations` of them. */
export function cost(what: string, operations: number, run: () => void): Measurement {
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < ROUNDS; round++) {
    const before = process.cpuUsage();
    run();
    const { user, system } = process.cpuUsage(before);
    best = Math.min(best, ((user + system) * 1_000) / operations);
  }
  return { what, value: Math.round(best * 10) / 10, unit: 'ns' };
}

export function print(measurements: readonly Measurement[]): void {
  process.stdout.write(`${JSON.stringify(measurements)}\n`);
}

/** Numbers below `below` in an order that no cache foresees, the same in every run. */
export function shuffled(below: number, count: number): Int32Array {
  let state = 1;
  return Int32Array.from({ length: count }, () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  });
}
