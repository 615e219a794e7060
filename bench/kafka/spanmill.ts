// spanmill as a user runs it, measured from outside: how much CPU until it has folded so many spans.

import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { CpuProfile } from './profile.ts';
import { type ThreadCpu, threadCpu } from './threads.ts';

export const ROOT = path.join(import.meta.dirname, '../..');
const POLL_MS = 100;
/** Its counters come from the shard once a second: what two of them say apart is taken for a rate only where that is so. */
const LEAST_RATE_MS = 800;
const DEADLINE_MS = 180_000;

export interface SpanmillSetup {
  dir: string;
  brokers: string;
  topic: string;
  receiver: string;
  apiPort: number;
}

let groups = 0;

/** A configuration file of its own group and ledger, so that each run reads the topic from its first record. */
export function writeConfig({ dir, brokers, topic, receiver, apiPort }: SpanmillSetup): string {
  const run = path.join(dir, `run-${groups++}`);
  mkdirSync(run, { recursive: true });
  const file = path.join(run, 'config.yaml');
  writeFileSync(
    file,
    `server: { http_listen_address: 127.0.0.1, http_listen_port: ${apiPort} }
receivers: { otlp: { http: null, grpc: null } }
log: { kind: kafka, kafka: { brokers: ["${brokers}"], topic: ${topic}, encoding: auto, consumer_group: g${groups}, start: earliest } }
ledger: { path: ${path.join(run, 'ledger')} }
metrics_generator: { storage: { remote_write: [{ url: "${receiver}" }] } }
overrides: { defaults: { metrics_generator: { processors: [span-metrics, service-graphs] } } }
`,
  );
  return file;
}

export class MeasuredSpanmill {
  private readonly child: ChildProcess;
  private readonly url: string;
  private readonly profiles: string;
  private log = '';
  private last = { spans: 0, ms: 0 };
  /** Most spans per second between two of its counts. */
  bestRate = 0;

  constructor(setup: SpanmillSetup, isProfiled = false) {
    const config = writeConfig(setup);
    this.url = `http://127.0.0.1:${setup.apiPort}`;
    this.profiles = path.join(path.dirname(config), 'profiles');
    const profiler = isProfiled ? ['--cpu-prof', `--cpu-prof-dir=${this.profiles}`] : [];
    const args = [...profiler, path.join(ROOT, 'dist/cli.js'), `-config.file=${config}`];
    this.child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'pipe'] });
    // Whatever ends the bench ends what it measures.
    const kill = () => this.child.kill('SIGKILL');
    process.prependOnceListener('exit', kill);
    this.child.once('exit', () => process.off('exit', kill));
    this.child.stderr!.on('data', (chunk: Buffer) => {
      this.log += chunk.toString();
    });
  }

  /** CPU since the start, when so many spans are folded. Its counter is up to a second late. */
  async folded(spans: number): Promise<ThreadCpu> {
    for (const endMs = Date.now() + DEADLINE_MS; Date.now() < endMs; await sleep(POLL_MS)) {
      if (this.child.exitCode !== null) throw new Error(`spanmill ended: ${this.log.slice(-2_000)}`);
      const got = await this.spans();
      if (got > spans) throw new Error(`${got} spans were folded of ${spans}`);
      if (got === spans) return threadCpu(this.child.pid!);
    }
    throw new Error(`${spans} spans were not folded in time: ${this.log.slice(-2_000)}`);
  }

  /** When it has folded more than so many spans. */
  async beyond(spans: number): Promise<void> {
    while ((await this.spans()) <= spans) await sleep(POLL_MS);
  }

  async stop(): Promise<void> {
    if (this.child.exitCode !== null) return;
    const ended = new Promise((resolve) => this.child.once('exit', resolve));
    this.child.kill('SIGTERM');
    await ended;
  }

  /** After `stop`: of main, shard and ledger. */
  takeProfiles(): CpuProfile[] {
    // CPU.<date>.<time>.<pid>.<thread>.<n>.cpuprofile
    const threadOf = (file: string) => Number(file.split('.').at(-3));
    const files = readdirSync(this.profiles).sort((a, b) => threadOf(a) - threadOf(b));
    const profiles = files.map(
      (file) => JSON.parse(readFileSync(path.join(this.profiles, file), 'utf8')) as CpuProfile,
    );
    rmSync(this.profiles, { recursive: true });
    return profiles;
  }

  private async spans(): Promise<number> {
    let text = '';
    try {
      text = await (await fetch(`${this.url}/metrics`)).text();
    } catch {
      // It is being started.
    }
    const spans = Number(/^spanmill_spans_received_total\{.*\} (\d+)$/m.exec(text)?.[1] ?? 0);
    const ms = performance.now();
    if (spans > this.last.spans) {
      const waitedMs = ms - this.last.ms;
      if (this.last.spans > 0 && waitedMs > LEAST_RATE_MS)
        this.bestRate = Math.max(this.bestRate, ((spans - this.last.spans) / waitedMs) * 1_000);
      this.last = { spans, ms };
    }
    return spans;
  }
}
