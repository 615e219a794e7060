// A host with real workers, over a log that answers when it is told to.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { loadConfig } from '../../src/config/index.ts';
import { type CommitFence, LogError, type LogListener, type LogSource } from '../../src/log/index.ts';
import { ShardHost } from '../../src/shard/index.ts';
import { shardPlan } from '../../src/shard-plan.ts';
import { createLogger } from '../../src/telemetry/index.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean();
});

async function host(partitions: number[], fence?: Partial<CommitFence>) {
  const path = mkdtempSync(join(tmpdir(), 'spanmill-host-'));
  cleanups.push(() => rmSync(path, { recursive: true, force: true }));
  const { config } = loadConfig({ text: `ledger: { path: ${path} }` });
  const away = new Set<number>();
  const consumed = Promise.withResolvers<[number, number][]>();
  const isAdded = Promise.withResolvers<[number, number][]>();
  const failures: Error[] = [];
  const log = {
    identity: 'log',
    partitionIds: () => partitions,
    bounds: async (partition: number) => {
      if (away.has(partition)) throw new LogError('log_unavailable', 'there is no leader');
      return { start: 5, end: 9 };
    },
    identify: async () => undefined,
    consume: (from: ReadonlyMap<number, number>, _: LogListener) => {
      consumed.resolve([...from]);
      return {
        pause: () => undefined,
        resume: () => undefined,
        add: (more: ReadonlyMap<number, number>) => isAdded.resolve([...more]),
        stop: async () => undefined,
      };
    },
    release: () => undefined,
    ...(fence ? { fence: { committed: async () => new Map(), ...fence } } : {}),
  } as unknown as LogSource;
  const logger = createLogger('silent');
  const made = new ShardHost({
    plan: await shardPlan(config, 0, log, logger),
    log,
    logger,
    onCommitted: () => undefined,
    onPoison: () => undefined,
    onGap: () => 'continue',
    onFailed: (error) => failures.push(error),
    retryMs: 1,
  });
  cleanups.push(() => made.abandon());
  return { host: made, away, consumed: consumed.promise, added: isAdded.promise, failures };
}

describe('the host of a shard', () => {
  it('starts without a partition that has no leader, and reads it when it has one', async () => {
    const { host: started, away, consumed, added, failures } = await host([0, 1]);
    away.add(1);
    await started.start();
    expect(await consumed).toEqual([[0, 5]]);
    // One that the topic gains meanwhile has none, either.
    away.add(2);
    started.addPartition(2);
    away.delete(1);
    expect(await added).toEqual([[1, 5]]);
    expect([failures, started.ready]).toEqual([[], true]);
    await started.stop(5_000);
  });

  it('can be stopped while the log does not answer its first commit', async () => {
    const asked = Promise.withResolvers<void>();
    const { host: started, failures } = await host([0], {
      commit: () => {
        asked.resolve();
        return new Promise(() => undefined);
      },
    });
    const start = started.start();
    start.catch(() => undefined);
    await asked.promise;
    await started.stop(0);
    await expect(start).rejects.toThrow();
    expect(failures).toEqual([]);
  });

  it('ends its workers once, also when it is told to twice', async () => {
    const { host: started } = await host([0]);
    await started.start();
    const first = started.stop(5_000);
    // The second call must not come back while the first is under way.
    expect(started.stop(0)).toBe(first);
    expect(started.abandon()).toBe(first);
    await first;
  });
});
