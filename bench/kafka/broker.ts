// A broker of the bench's own, on free ports, with its data in a directory that goes with it. It never outlives the bench.

import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createServer } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { plainSocketFactory } from '../../src/log/kafka/kafkajs.ts';

const run = promisify(execFile);
const SCRIPTS = path.join(import.meta.dirname, '../../scripts/kafka');
/** Jars are downloaded the first time. */
const START_MS = 620_000;

export interface BenchBroker {
  brokers: string;
  createTopic(topic: string, partitions: number): Promise<void>;
  deleteTopic(topic: string): Promise<void>;
  /** Records in the topic. */
  records(topic: string): Promise<number>;
  /** One more port that was free when the broker was started. */
  freePort: number;
  stop(): Promise<void>;
}

/** @throws Error where there is no Java 17 or no Maven */
export async function startBroker(): Promise<BenchBroker> {
  const dir = mkdtempSync(path.join(os.tmpdir(), 'spanmill-bench-kafka-'));
  const stop = async () => {
    await run(path.join(SCRIPTS, 'stop.sh'), ['--dir', dir, '--kill', '--wipe']);
    rmSync(dir, { recursive: true, force: true });
  };
  try {
    const port = await freePorts();
    const args = ['--dir', dir, '--port', String(port), '--heap', '512m', '--owner', String(process.pid)];
    const { stdout } = await run(path.join(SCRIPTS, 'start.sh'), args, { timeout: START_MS });
    const brokers = stdout.trim();
    // Repairs kafkajs, so that this client doesn't warn of timers.
    plainSocketFactory();
    const { Kafka } = createRequire(import.meta.url)('kafkajs') as typeof import('kafkajs');
    const admin = new Kafka({ brokers: brokers.split(','), logLevel: 0 }).admin();
    await admin.connect();
    return {
      brokers,
      freePort: port + 2,
      createTopic: async (topic, numPartitions) => {
        await admin.createTopics({ waitForLeaders: true, topics: [{ topic, numPartitions }] });
      },
      records: async (topic) => {
        const offsets = await admin.fetchTopicOffsets(topic);
        return offsets.reduce((sum, { high }) => sum + Number(high), 0);
      },
      deleteTopic: (topic) => admin.deleteTopics({ topics: [topic] }),
      stop: async () => {
        await admin.disconnect();
        await stop();
      },
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** The first of three neighbours that are free now: start.sh takes two. */
async function freePorts(): Promise<number> {
  for (let first = 20_000 + (process.pid % 4_000) * 3; first < 32_000; first += 3) {
    const free = await Promise.all([first, first + 1, first + 2].map(isFree));
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
