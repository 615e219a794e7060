// A real Kafka for the tests of one file: a broker of its own on free ports, or the one that KAFKA_BROKERS names. Where Java is missing
// the tests are skipped by name and said to be. No broker outlives the process that runs the tests, nor vitest itself.

import { execFile, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Admin, Kafka as KafkaClient } from 'kafkajs';
import { afterAll, beforeAll, describe } from 'vitest';
import { plainSocketFactory } from '../../../src/log/kafka/kafkajs.ts';

const run = promisify(execFile);
const SCRIPTS = new URL('../../../scripts/kafka/', import.meta.url).pathname;
const { Kafka } = createRequire(import.meta.url)('kafkajs') as typeof import('kafkajs');

// Repairs kafkajs, so that the tests' own clients don't warn either.
plainSocketFactory();
const JAVA = 17;
/** Jars are downloaded the first time: start.sh says so and has a limit of its own. */
const START_MS = 620_000;
const reason = process.env.KAFKA_BROKERS ? undefined : whyNoBroker();

function whyNoBroker(): string | undefined {
  if (process.platform !== 'linux') return `the scripts need Linux, this is ${process.platform}`;
  const { status, stderr } = spawnSync('java', ['-version'], { encoding: 'utf8' });
  if (status !== 0) return 'java not found';
  const version = Number(/version "(\d+)/.exec(stderr)?.[1]);
  if (!(version >= JAVA)) return `java ${version} is too old, ${JAVA} is needed`;
  const tool = ['bash', 'flock', 'setsid'].find((name) => spawnSync(name, ['--version']).status !== 0);
  return tool === undefined ? undefined : `${tool} not found`;
}

/**
 * `describe`, or a skipped one whose name says why.
 * @param needs `own`: a broker that the tests start, stop and configure; one that KAFKA_BROKERS names won't do
 */
export function describeWithKafka(name: string, body: () => void, needs: 'any' | 'own' = 'any'): void {
  const why =
    reason ??
    (needs === 'own' && process.env.KAFKA_BROKERS ? 'KAFKA_BROKERS names a broker that is not ours' : undefined);
  if (why === undefined) {
    describe(name, body);
    return;
  }
  console.warn(`SKIPPED: ${name}: ${why}`);
  describe.skip(`${name} (SKIPPED: ${why})`, body);
}

export interface TestBroker {
  readonly brokers: string[];
  readonly directory: string;
  /** A client of kafkajs, apart from the code under test. */
  kafka(): KafkaClient;
  admin(): Admin;
  createTopic(partitions: number, config?: Record<string, string>, replicas?: number): Promise<string>;
  /** A crash, or a clean stop. Only of a broker that the tests have started. */
  stop(how?: 'kill' | 'clean', node?: number): Promise<void>;
  /** Its process stands still: connections stay open, nothing is answered. */
  freeze(node?: number): void;
  thaw(node?: number): void;
  /** Runs one of Kafka's own tools. */
  tool(name: string, ...args: string[]): Promise<void>;
  start(): Promise<void>;
  readonly isOwn: boolean;
}

let topics = 0;

/** Registers hooks that start the broker before the tests of the `describe` around it and stop it after them. */
export function useBroker(extra: (directory: string, port: number) => string[] = () => []): TestBroker {
  let brokers: string[] = [];
  let directory = '';
  let args: string[] = [];
  let admin: Admin | undefined;
  const isOwn = !process.env.KAFKA_BROKERS;
  const start = async () => {
    const { stdout } = await run(`${SCRIPTS}start.sh`, args, { timeout: START_MS });
    brokers = stdout.trim().split(',');
  };
  const stop = async (how: 'kill' | 'clean' = 'clean', node?: number, wipe = false) => {
    const more = [
      ...(how === 'kill' ? ['--kill'] : []),
      ...(node === undefined ? [] : ['--node', String(node)]),
      ...(wipe ? ['--wipe'] : []),
    ];
    if (isOwn) await run(`${SCRIPTS}stop.sh`, ['--dir', directory, ...more], { timeout: 60_000 });
  };
  const signal = (name: 'SIGSTOP' | 'SIGCONT', node = 1) => {
    process.kill(Number(readFileSync(join(directory, `node-${node}`, 'kafka.pid'), 'utf8')), name);
  };
  const kafka = () =>
    new Kafka({
      brokers,
      clientId: 'test',
      logLevel: 0,
      retry: { retries: 20, initialRetryTime: 100, maxRetryTime: 1_000 },
    });
  beforeAll(async () => {
    const port = isOwn ? await freePorts(25) : 0;
    if (isOwn) directory = mkdtempSync(join(tmpdir(), 'spanmill-kafka-'));
    const owners = [process.pid, process.ppid].flatMap((pid) => ['--owner', String(pid)]);
    args = ['--dir', directory, '--port', String(port), '--heap', '320m', ...owners, ...extra(directory, port)];
    await start();
    admin = kafka().admin();
    await admin.connect();
  }, START_MS + 20_000);
  afterAll(async () => {
    await admin?.disconnect();
    await stop('kill', undefined, true);
    if (isOwn) rmSync(directory, { recursive: true, force: true });
  }, 60_000);
  return {
    isOwn,
    get brokers() {
      return brokers;
    },
    get directory() {
      return directory;
    },
    kafka,
    admin: () => admin!,
    start,
    freeze: (node) => signal('SIGSTOP', node),
    thaw: (node) => signal('SIGCONT', node),
    stop: (how, node) => stop(how, node),
    async tool(name, ...args) {
      await run(`${SCRIPTS}tool.sh`, [name, ...args], { timeout: 60_000 });
    },
    async createTopic(partitions, config = {}, replicas = -1) {
      const topic = `t-${process.pid}-${Date.now()}-${topics++}`;
      const configEntries = Object.entries(config).map(([name, value]) => ({ name, value }));
      await admin!.createTopics({
        waitForLeaders: true,
        topics: [{ topic, numPartitions: partitions, replicationFactor: replicas, configEntries }],
      });
      return topic;
    },
  };
}

/** The first of so many neighbouring ports that are free now. Processes that run at the same time look at different ones first. */
async function freePorts(count: number): Promise<number> {
  const places = Math.floor(12_000 / count);
  for (let tries = 0; tries < places; tries++) {
    const first = 20_000 + ((process.pid + tries * 7) % places) * count;
    const free = await Promise.all(Array.from({ length: count }, (_, i) => isFree(first + i)));
    if (free.every(Boolean)) return first;
  }
  throw new Error('no free ports');
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
