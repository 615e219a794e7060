// `spanmill generate` as a user runs it, and what it printed.

import { spawn } from 'node:child_process';
import { LAUNCHER } from './spanmill.ts';

export interface Account {
  seed: number;
  spans: number;
  traces: number;
  calls: { service: string; span_name: string; span_kind: string; status_code: string; count: number }[];
  edges: { client: string; server: string; connection_type: string; count: number; failed: number }[];
  unknown: { spans: number; calls: Account['calls'] }[];
  uncertain_edges?: number;
  /** Their halves are so far apart that the first may have expired: a machine that stalls makes some. */
  late_edges?: Account['edges'];
}

export interface Generation {
  /** What it printed at its end. */
  account: Promise<Account>;
  stop(): void;
}

export function generate(args: string[]): Generation {
  const child = spawn(LAUNCHER, ['generate', ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  let out = '';
  let err = '';
  child.stdout.on('data', (chunk: Buffer) => {
    out += chunk.toString();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    err += chunk.toString();
  });
  const account = new Promise<Account>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => {
      if (code === 0) resolve(JSON.parse(out) as Account);
      else reject(new Error(`generate ended with ${code}: ${err.slice(-2_000)}`));
    });
  });
  return { account, stop: () => child.kill('SIGINT') };
}
