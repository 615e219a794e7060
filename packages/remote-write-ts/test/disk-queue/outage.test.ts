// Half an hour without a receiver, and a sender that is killed again and again meanwhile: real processes, files and sockets; only
// the time is virtual.

import { type ChildProcess, fork } from 'node:child_process';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import type { RemoteWriteStats } from '../../src/index.ts';
import { closeMocks, type Mock, startMock } from '../client/mock.ts';
import { type Orders, type Report, ROUND_MS, SERIES } from './outage-child.ts';
import { seeded } from './random.ts';

const START_MS = Date.UTC(2026, 0, 2, 3, 0, 0);
const SEEDS = Array.from({ length: Number(process.env['DISK_QUEUE_OUTAGES'] ?? 2) }, (_, i) => i + 1);
const ROUNDS = (30 * 60_000) / ROUND_MS;
const children: ChildProcess[] = [];
const directories: string[] = [];

afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  for (const directory of directories.splice(0)) await rm(directory, { recursive: true });
  await closeMocks();
});

/** Runs until so many rounds are safe and is killed a little later; or to its end. */
async function live(orders: Orders, killAtRound: number | undefined, onEnd?: () => void): Promise<Life> {
  const child = fork(join(import.meta.dirname, 'outage-child.ts'), ['outage']);
  children.push(child);
  const life: Life = { safeRound: orders.firstRound - 1, stats: undefined };
  child.on('message', (message: Report) => {
    if ('isDelivered' in message) {
      life.stats = message.stats as RemoteWriteStats;
      child.disconnect();
      return;
    }
    life.safeRound = message.safeRound;
    if (message.safeRound >= (killAtRound ?? Number.POSITIVE_INFINITY)) child.kill('SIGKILL');
    if (message.safeRound === orders.rounds - 1) onEnd?.();
  });
  child.send(orders);
  await new Promise((resolve) => child.once('exit', resolve));
  return life;
}

interface Life {
  safeRound: number;
  stats: RemoteWriteStats | undefined;
}

/** By series: the values of accepted requests, in their order. */
function stored(mock: Mock, isAccepted: (index: number) => boolean): number[][] {
  const values = Array.from({ length: SERIES }, (): number[] => []);
  for (const { index, series } of mock.requests) {
    if (!isAccepted(index)) continue;
    for (const { labels, samples } of series) values[Number(labels['i'])]!.push(...samples.map(({ value }) => value));
  }
  return values;
}

it.each(SEEDS)('nothing is lost, and each series arrives in its order (seed %i)', async (seed) => {
  const random = seeded(seed);
  const dir = await mkdtemp(join(tmpdir(), 'disk-queue-outage-'));
  directories.push(dir);
  let isDown = true;
  const refused = new Set<number>();
  const mock = await startMock(({ index }) => {
    if (!isDown) return undefined;
    refused.add(index);
    return random.chance(0.3) ? 'reset' : { status: 503 };
  });
  let firstRound = 0;
  let again = 0;
  for (let lives = 5; lives >= 0; lives--) {
    // A little later, in truth: the child goes on until the signal comes.
    // It must be told of that round, or it would wait for its end for ever.
    const killAtRound =
      lives > 0 && firstRound < ROUNDS ? Math.min(firstRound + 1 + random.below(15), ROUNDS - 1) : undefined;
    const orders = { url: mock.url, dir, startMs: START_MS, firstRound, rounds: ROUNDS, shards: 1 + random.below(4) };
    const isLast = killAtRound === undefined;
    // A signal may be late: one that was to die may come to the end, too.
    if (isLast && firstRound === ROUNDS) isDown = false;
    const life = await live(orders, killAtRound, () => {
      if (isLast) isDown = false;
    });
    if (isLast) {
      const { disk, sent } = life.stats!;
      expect(disk).toMatchObject({ bodies: 0, unstored: 0, lost: 0, dropped: { disk_max_bytes: 0, disk_max_age: 0 } });
      expect(sent.samples).toBeGreaterThanOrEqual(SERIES * ROUNDS);
      break;
    }
    // What it can't have said before it died is fed to the next one again.
    again += 1;
    firstRound = life.safeRound + 1;
  }
  const all = Array.from({ length: ROUNDS }, (_, round) => round);
  for (const values of stored(mock, (index) => !refused.has(index))) {
    expect([...new Set(values)]).toEqual(all);
    // Nothing was accepted before the end, so only rounds that were fed twice may be there twice.
    expect(values.length).toBeLessThanOrEqual(ROUNDS + again);
  }
  expect((await readdir(dir)).filter((name) => name.endsWith('.segment')).length).toBeLessThanOrEqual(1);
});
