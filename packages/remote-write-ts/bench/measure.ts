// Measures tasks in interleaved rounds, so that a busy moment of the machine hits all of them. What is counted is CPU time of the
// process, all its threads, garbage collection and the compiler included: on a shared machine it is what a second costs.

export interface Task {
  name: string;
  /** Of what is measured: samples or series of one run. */
  units: number;
  run: (index: number) => void | Promise<void>;
}

export interface Figures {
  name: string;
  /** Nanoseconds of CPU for one unit, round by round. */
  rounds: number[];
}

const WARM_UP_RUNS = 150;

/** @param roundMs about how long each task runs in each round. */
export async function measure(tasks: readonly Task[], rounds: number, roundMs: number): Promise<Figures[]> {
  const figures = tasks.map(({ name }): Figures => ({ name, rounds: [] }));
  const runs: number[] = [];
  for (const { run } of tasks) {
    for (let i = 0; i < WARM_UP_RUNS; i++) await run(i);
    const startedNs = process.hrtime.bigint();
    for (let i = 0; i < 10; i++) await run(i);
    const perRunMs = Number(process.hrtime.bigint() - startedNs) / 1e7;
    runs.push(Math.max(5, Math.ceil(roundMs / perRunMs)));
  }
  for (let round = 0; round < rounds; round++) {
    for (const [t, { units, run }] of tasks.entries()) {
      const before = process.cpuUsage();
      for (let i = 0; i < runs[t]!; i++) await run(i);
      const { user, system } = process.cpuUsage(before);
      figures[t]!.rounds.push(((user + system) * 1000) / (runs[t]! * units));
    }
  }
  return figures;
}

export function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
