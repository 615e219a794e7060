// What the set of shards makes of losses, deaths and stops, in whatever order they come: with hosts that do as they are told.

import { describe, expect, it } from 'vitest';
import { loadConfig } from '../../src/config/index.ts';
import { LogError } from '../../src/log/index.ts';
import type { OpenLog } from '../../src/open-log.ts';
import { type ShardHostOptions, WorkerDied } from '../../src/shard/index.ts';
import { type Host, ShardSet } from '../../src/shard-set.ts';
import { createLogger } from '../../src/telemetry/index.ts';
import { ledgerStats, shardStats } from '../api/support.ts';

const lost = (text = 'given to another member') => new LogError('ownership_lost', text);
const died = (record: [number, number] | undefined) => new WorkerDied(new Error('exit code 9'), record);
/** Everything that can go on has gone on. */
const settled = async () => {
  for (let turns = 0; turns < 5; turns++) await new Promise((resolve) => setImmediate(resolve));
};

/** A host whose ledger is locked from its making until it has ended. */
class FakeHost implements Host {
  ready = false;
  shardStats: Host['shardStats'];
  ledgerStats: Host['ledgerStats'];
  readonly options: ShardHostOptions;
  readonly began = Promise.withResolvers<void>();
  readonly leaving = Promise.withResolvers<void>();
  ended: 'abandon' | 'stop' | undefined;
  partitions: number[] = [];
  private readonly locks: Set<number>;

  constructor(options: ShardHostOptions, locks: Set<number>) {
    this.options = options;
    this.locks = locks;
    this.began.promise.catch(() => undefined);
    if (locks.has(this.shardId)) this.began.reject(new Error('ledger_locked'));
    locks.add(this.shardId);
  }

  get shardId() {
    return this.options.plan.shard;
  }

  start() {
    return this.began.promise;
  }

  begin(): this {
    this.ready = true;
    this.began.resolve();
    return this;
  }

  fail(error: Error): void {
    const hadBegun = this.ready;
    this.ready = false;
    this.began.reject(error);
    if (hadBegun) this.options.onFailed(error);
  }

  async end(how: 'abandon' | 'stop') {
    this.ended ??= how;
    this.began.reject(new WorkerDied(new Error('terminated'), [9, 9]));
    await this.leaving.promise;
    this.locks.delete(this.shardId);
  }

  abandon = () => this.end('abandon');
  stop = () => this.end('stop');
  configure = () => undefined;
  render = async () => undefined;
  addPartition = (partition: number) => this.partitions.push(partition);
}

function shards(own = [0], count = own.length) {
  const { config } = loadConfig({ text: `shards: { count: ${count}, own: [${own}] }` });
  const hosts: FakeHost[] = [];
  const failures: Error[] = [];
  const regains: PromiseWithResolvers<void>[] = [];
  const plans = { held: undefined as Promise<void> | undefined, error: undefined as Error | undefined, asked: 0 };
  const locks = new Set<number>();
  const logged: string[] = [];
  const logger = createLogger('silent');
  for (const level of ['info', 'error'] as const)
    logger[level] = ((...args: unknown[]) => logged.push(String(args.at(-1)))) as never;
  const state = { leaveAtOnce: true };
  const opened = {
    log: {
      identity: 'log',
      partitionIds: () => [0, 1, 2, 3],
      release: () => undefined,
      fence: {
        committed: async () => {
          plans.asked++;
          await plans.held;
          if (plans.error) throw plans.error;
          return new Map();
        },
      },
    },
    deadLetter: () => undefined,
    regain: () => {
      regains.push(Promise.withResolvers());
      return regains.at(-1)!.promise;
    },
  } as unknown as OpenLog;
  const set = new ShardSet({
    config,
    opened,
    logger,
    now: () => 0,
    current: () => config,
    onFailed: (error) => failures.push(error),
    retryMs: 1,
    makeHost: (options) => {
      const host = new FakeHost(options, locks);
      if (state.leaveAtOnce) host.leaving.resolve();
      hosts.push(host);
      return host;
    },
  });
  /** Started, with all hosts begun. */
  const started = async () => {
    const start = set.start();
    await settled();
    for (const host of hosts) host.begin();
    await start;
    return set;
  };
  return { set, hosts, failures, regains, plans, logged, state, started };
}

describe('shards that are lost to another process', () => {
  it('are recovered once they are ours again, and not before', async () => {
    const { set, hosts, failures, regains, started } = shards([0, 1]);
    await started();
    expect([set.ready, set.isElsewhere]).toEqual([true, false]);
    set.lost(lost());
    hosts[0]!.fail(lost('a consumer was told, too'));
    await settled();
    expect(hosts.map(({ ended }) => ended)).toEqual(['abandon', 'abandon']);
    expect([set.ready, set.isElsewhere, set.hosts.length, regains.length]).toEqual([false, true, 0, 1]);
    regains[0]!.resolve();
    await settled();
    expect([set.isElsewhere, hosts.length]).toEqual([false, 4]);
    for (const host of hosts.slice(2)) host.begin();
    await settled();
    expect([set.ready, failures]).toEqual([true, []]);
  });

  it('are elsewhere during a start, too, and a stop ends that wait', async () => {
    const { set, hosts, regains, failures } = shards();
    const start = set.start();
    await settled();
    hosts[0]!.fail(lost());
    await settled();
    expect([set.isElsewhere, regains.length]).toEqual([true, 1]);
    await set.stop(0);
    regains[0]!.reject(new LogError('log_closed', 'the log is closed'));
    await expect(start).rejects.toMatchObject({ code: 'log_closed' });
    await set.ended();
    expect([hosts.length, failures]).toEqual([1, []]);
  });

  it('are not run when the loss comes between the commit of a position and the word of it', async () => {
    const { set, hosts, regains, failures } = shards();
    const start = set.start();
    await settled();
    set.lost(lost());
    // What was under way in its workers still comes.
    hosts[0]!.begin();
    await settled();
    expect([hosts[0]!.ended, set.isElsewhere]).toEqual(['abandon', true]);
    regains[0]!.resolve();
    await settled();
    hosts[1]!.begin();
    await start;
    expect([set.hosts, failures]).toEqual([[hosts[1]], []]);
  });

  it('are recovered at whatever moment of a start the loss comes', async () => {
    for (let moments = 0; moments < 20; moments++) {
      const { set, hosts, regains } = shards();
      const start = set.start();
      await settled();
      hosts[0]!.begin();
      for (let i = 0; i < moments; i++) await Promise.resolve();
      set.lost(lost());
      await settled();
      expect([moments, regains.length, hosts[0]!.ended]).toEqual([moments, 1, 'abandon']);
      regains[0]!.resolve();
      await settled();
      hosts[1]!.begin();
      await start;
      await settled();
      expect([moments, set.ready]).toEqual([moments, true]);
    }
  });

  it('have no host when the process stops while one is being made, also after a loss', async () => {
    const { set, hosts, regains, plans, failures, started } = shards();
    await started();
    set.lost(lost());
    await settled();
    const held = Promise.withResolvers<void>();
    plans.held = held.promise;
    regains[0]!.resolve();
    await settled();
    expect(plans.asked).toBe(2);
    await set.stop(1_000);
    held.resolve();
    await set.ended();
    await settled();
    expect([hosts.length, set.hosts.length, failures]).toEqual([1, 0, []]);
  });

  it('end the process when they can never be ours again', async () => {
    const { set, regains, failures, started } = shards();
    await started();
    set.lost(lost());
    await settled();
    regains[0]!.reject(new LogError('log_incompatible', 'not spanmill'));
    await settled();
    expect(failures).toMatchObject([{ code: 'log_incompatible' }]);
  });

  it('are tried again while the log does not answer, but a first start says so', async () => {
    const { set, hosts, regains, plans, failures, started } = shards();
    await started();
    set.lost(lost());
    await settled();
    plans.error = new LogError('log_unavailable', 'no broker');
    regains[0]!.resolve();
    while (plans.asked < 4) await new Promise((resolve) => setImmediate(resolve));
    plans.error = undefined;
    while (hosts.length < 2) await new Promise((resolve) => setImmediate(resolve));
    expect(failures).toEqual([]);
    const first = shards();
    first.plans.error = new LogError('log_unavailable', 'no broker');
    await expect(first.set.start()).rejects.toMatchObject({ code: 'log_unavailable' });
  });
});

describe('a record that ends its worker', () => {
  it('is tried again twice, then passed over, each time with a host that waits for the lock of the one before', async () => {
    const { hosts, failures, logged, state, started, set } = shards([0, 1]);
    state.leaveAtOnce = false;
    await started();
    for (let deaths = 1; deaths <= 3; deaths++) {
      const host = hosts.findLast(({ shardId }) => shardId === 1)!;
      host.fail(died([1, 70]));
      await settled();
      expect([set.ready, hosts.length]).toEqual([false, deaths + 1]);
      host.leaving.resolve();
      await settled();
      expect(hosts.length).toBe(deaths + 2);
      const next = hosts.at(-1)!.begin();
      expect([next.shardId, next.options.plan.fatalRecords]).toEqual([1, deaths < 3 ? [] : [[1, 70]]]);
      await settled();
      expect(set.ready).toBe(true);
    }
    expect(hosts[0]!.ended).toBeUndefined();
    expect(failures).toEqual([]);
    expect(logged.map((text) => text.includes('passed over'))).toEqual([false, false, true]);
  });

  it('does not stand in the way of a loss that comes right after it', async () => {
    for (const turns of [0, 1, 2, 5]) {
      const { set, hosts, regains, failures, state, started } = shards();
      state.leaveAtOnce = turns === 0;
      await started();
      hosts[0]!.fail(died([0, 7]));
      for (let i = 0; i < turns; i++) await Promise.resolve();
      set.lost(lost());
      for (const host of hosts) host.leaving.resolve();
      await settled();
      expect([turns, regains.length, set.hosts.length]).toEqual([turns, 1, 0]);
      regains[0]!.resolve();
      await settled();
      hosts.at(-1)!.begin();
      await settled();
      expect([turns, set.ready, failures]).toEqual([turns, true, []]);
    }
  });

  it('leads to a loss that is waited out when the position of the new host is refused', async () => {
    const { set, hosts, regains, failures, started } = shards();
    await started();
    hosts[0]!.fail(died([0, 7]));
    await settled();
    hosts[1]!.fail(lost('the commit of entry T=1 was refused'));
    await settled();
    expect([regains.length, set.isElsewhere, failures]).toEqual([1, true, []]);
    regains[0]!.resolve();
    await settled();
    hosts[2]!.begin();
    await settled();
    expect([set.ready, failures]).toEqual([true, []]);
  });

  it('is no reason to fail when the process is stopped meanwhile', async () => {
    const { set, hosts, failures, state, started } = shards();
    state.leaveAtOnce = false;
    await started();
    hosts[0]!.fail(died([0, 7]));
    let hasStopped = false;
    const stop = set.stop(1_000).then(() => {
      hasStopped = true;
    });
    await settled();
    // The host that leaves has workers: a stop waits for them.
    expect(hasStopped).toBe(false);
    hosts[0]!.leaving.resolve();
    await stop;
    await set.ended();
    expect([hosts.length, failures]).toEqual([1, []]);
    const late = shards();
    await late.started();
    late.hosts[0]!.fail(died([0, 7]));
    await settled();
    await late.set.stop(1_000);
    await late.set.ended();
    expect([late.hosts[1]!.ended, late.failures]).toEqual(['stop', []]);
  });

  it('does not hide that records are not what is wrong', async () => {
    const none = shards();
    await none.started();
    none.hosts[0]!.fail(died(undefined));
    expect(none.failures).toHaveLength(1);
    const many = shards();
    await many.started();
    for (let offset = 0; offset < 17; offset++) {
      many.hosts.at(-1)!.fail(died([0, offset]));
      await settled();
      many.hosts.at(-1)!.begin();
      await settled();
    }
    expect([many.failures.length, many.hosts.length]).toEqual([1, 17]);
  });
});

describe('the hosts of a process', () => {
  it('watch for split traces only where there are two that could see one', async () => {
    const alone = shards([1], 2);
    await alone.started();
    expect(alone.hosts[0]!.options.onBatch).toBeUndefined();
    const both = shards([0, 1]);
    await both.started();
    expect(both.hosts.every(({ options }) => options.onBatch !== undefined)).toBe(true);
  });

  it('begin with no record in hand', async () => {
    const { hosts, started } = shards();
    await started();
    expect(new Float64Array(hosts[0]!.options.plan.inHand)[0]).toBe(-1);
  });

  it('hand their totals on to those that come after them', async () => {
    const { set, hosts, started } = shards([0, 1]);
    await started();
    const records = () => set.reports().reduce((sum, { stats }) => sum + (stats?.records ?? 0), 0);
    const entries = () => set.reports().reduce((sum, { ledger }) => sum + (ledger?.entries ?? 0), 0);
    for (const host of hosts) {
      host.shardStats = shardStats({ records: 100 });
      host.ledgerStats = ledgerStats({ entries: 10 });
    }
    expect([records(), entries()]).toEqual([200, 20]);
    hosts[1]!.fail(died([1, 7]));
    expect([records(), entries()]).toEqual([200, 20]);
    await settled();
    hosts[2]!.begin().shardStats = shardStats({ records: 5 });
    hosts[2]!.ledgerStats = ledgerStats({ entries: 1 });
    expect([records(), entries()]).toEqual([205, 21]);
    hosts[2]!.fail(died([1, 7]));
    expect([records(), entries()]).toEqual([205, 21]);
  });
});
