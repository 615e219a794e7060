// CPU time of a process by its threads, as Linux counts it (proc(5): /proc/PID/task/TID/stat, user and system).

import { readdirSync, readFileSync } from 'node:fs';

const US_PER_TICK = 10_000;

export const THREADS = ['main', 'shard', 'ledger', 'helpers'] as const;
export type Thread = (typeof THREADS)[number];

/** µs since the start, ended threads left out. `helpers` are V8's compiler and garbage collector, and libuv's pool. */
export type ThreadCpu = Record<Thread, number>;

export function threadCpu(pid: number): ThreadCpu {
  const cpu: ThreadCpu = { main: 0, shard: 0, ledger: 0, helpers: 0 };
  // The shard's worker is made before the ledger's.
  const workers: Thread[] = ['shard', 'ledger'];
  const ids = readdirSync(`/proc/${pid}/task`).map(Number);
  for (const id of ids.sort((a, b) => a - b)) {
    const { name, us } = parseStat(readFileSync(`/proc/${pid}/task/${id}/stat`, 'utf8'));
    const thread = id === pid ? 'main' : name === 'WorkerThread' ? workers.shift() : 'helpers';
    if (thread === undefined) throw new Error('a third worker: this bench knows one shard');
    cpu[thread] += us;
  }
  return cpu;
}

/** A line of `stat`. The name may hold anything, parentheses too. */
export function parseStat(line: string): { name: string; us: number } {
  const end = line.lastIndexOf(')');
  const fields = line.slice(end + 2).split(' ');
  const ticks = Number(fields[11]) + Number(fields[12]);
  return { name: line.slice(line.indexOf('(') + 1, end), us: ticks * US_PER_TICK };
}

export function total(cpu: ThreadCpu): number {
  return THREADS.reduce((sum, thread) => sum + cpu[thread], 0);
}

/** Each thread by itself. */
export function combine(a: ThreadCpu, b: ThreadCpu, how: (a: number, b: number) => number): ThreadCpu {
  return {
    main: how(a.main, b.main),
    shard: how(a.shard, b.shard),
    ledger: how(a.ledger, b.ledger),
    helpers: how(a.helpers, b.helpers),
  };
}
