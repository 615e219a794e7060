// The fence against a real broker: zombies, take-overs, rebalances and broken connections in the middle of a commit.

import net, { type Socket } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import type { KafkaLogOptions } from '../../../src/log/index.ts';
import { describeWithKafka, useBroker } from './broker.ts';
import { Collector, closeAll, fromStart, type Opened, open, until } from './support.ts';

type SocketFactory = NonNullable<KafkaLogOptions['socketFactory']>;

/** A way to the broker that can be cut: then open sockets break, and no new one comes about. */
function cuttable(): {
  socketFactory: SocketFactory;
  cut(): void;
  mend(): void;
  dropNext(api: number): void;
  dropped(): number;
} {
  const sockets = new Set<Socket>();
  let isCut = false;
  let dropApi = -1;
  let drops = 0;
  return {
    socketFactory: ({ host, port, onConnect }) => {
      const socket = net.connect({ host, port: isCut ? 1 : port }, onConnect);
      sockets.add(socket);
      socket.on('close', () => sockets.delete(socket));
      const write = socket.write.bind(socket);
      socket.write = ((bytes: Buffer, ...rest: []) => {
        const sent = write(bytes, ...rest);
        // The request goes out, its answer never arrives: nobody knows whether it was carried out.
        if (Buffer.isBuffer(bytes) && bytes.readInt16BE(4) === dropApi) {
          dropApi = -1;
          drops++;
          socket.removeAllListeners('data');
          socket.once('data', () => socket.destroy(new Error('cut')));
        }
        return sent;
      }) as never;
      return socket;
    },
    cut() {
      isCut = true;
      for (const socket of sockets) socket.destroy(new Error('cut'));
    },
    mend() {
      isCut = false;
    },
    dropNext(api) {
      dropApi = api;
    },
    dropped: () => drops,
  };
}

const OFFSET_COMMIT = 8;
const entry = (claim: number, tMs: number, ...offsets: [number, number][]) => ({
  claim,
  tMs,
  digest: `d${claim}-${tMs}`,
  offsets,
});
const metadata = (claim: number, tMs: number) => `${claim}:${tMs}:d${claim}-${tMs}`;

describeWithKafka('the commit fence of a consumer group', () => {
  const broker = useBroker();
  afterEach(closeAll);
  const lost: string[] = [];

  function member(
    topic: string,
    options: Partial<KafkaLogOptions> = {},
    group: Partial<NonNullable<KafkaLogOptions['group']>> = {},
  ): Promise<Opened> {
    const shards = { count: 1, own: [0] };
    return open(broker.brokers, topic, {
      group: {
        id: `g-${topic}`,
        shards,
        sessionTimeoutMs: 1_500,
        rebalanceTimeoutMs: 5_000,
        heartbeatMs: 100,
        onLost: (reason) => lost.push(reason),
        ...group,
      },
      ...options,
    });
  }

  it('stores offsets with the entry that they stand for, where the usual tools see them', async () => {
    const topic = await broker.createTopic(3);
    const { log } = await member(topic);
    expect(await log.fence!.committed()).toEqual(new Map());
    expect(await log.fence!.commit(entry(1, 15_000, [0, 5], [1, 7], [2, 0]))).toBe('committed');
    expect(await log.fence!.committed()).toEqual(
      new Map([
        [0, { offset: 5, metadata: metadata(1, 15_000) }],
        [1, { offset: 7, metadata: metadata(1, 15_000) }],
        [2, { offset: 0, metadata: metadata(1, 15_000) }],
      ]),
    );
    const seen = await broker.admin().fetchOffsets({ groupId: `g-${topic}`, topics: [topic] });
    expect(seen[0]!.partitions.find(({ partition }) => partition === 1)).toMatchObject({
      offset: '7',
      metadata: metadata(1, 15_000),
    });
    const { groups } = await broker.admin().describeGroups([`g-${topic}`]);
    expect(groups[0]).toMatchObject({ state: 'Stable', protocol: 'spanmill' });
    await expect(log.fence!.commit({ ...entry(1, 30_000, [0, 6]), digest: 'x'.repeat(5_000) })).rejects.toMatchObject({
      code: 'commit_failed',
    });
    expect((await log.fence!.committed()).get(0)?.offset).toBe(5);
    expect(await log.fence!.commit(entry(1, 30_000, [0, 6]))).toBe('committed');
  });

  it('refuses a zombie: a live member whose session ended while another one took over', async () => {
    const topic = await broker.createTopic(2);
    // It beats less often than its session lasts.
    const zombie = await member(topic, {}, { heartbeatMs: 3_000 });
    expect(await zombie.log.fence!.commit(entry(1, 15_000, [0, 5], [1, 5]))).toBe('committed');
    const seen = new Collector();
    zombie.log.consume(fromStart(zombie.log), seen);
    const next = await member(topic);
    expect(await next.log.fence!.committed()).toEqual(await zombie.log.fence!.committed());
    expect(await next.log.fence!.commit(entry(2, 15_000, [0, 5], [1, 5]))).toBe('committed');
    expect(await zombie.log.fence!.commit(entry(1, 30_000, [0, 9], [1, 9]))).toBe('refused');
    // By now it is a live member again, without the shards: the broker would take its commit.
    const { groups } = await broker.admin().describeGroups([`g-${topic}`]);
    expect(groups[0]!.members).toHaveLength(2);
    expect(await zombie.log.fence!.commit(entry(1, 45_000, [0, 9], [1, 9]))).toBe('refused');
    expect((await next.log.fence!.committed()).get(0)).toEqual({ offset: 5, metadata: metadata(2, 15_000) });
    expect(await next.log.fence!.commit(entry(2, 30_000, [0, 6], [1, 6]))).toBe('committed');
    expect(seen.errors.map(({ error }) => (error as Error & { code: string }).code)).toEqual([
      'ownership_lost',
      'ownership_lost',
    ]);
    expect(zombie.log.stats().refusedCommits).toBe(2);
    expect(lost).toHaveLength(1);

    // When the other one leaves, the loser may begin anew, and only then.
    const regained = zombie.log.regain();
    await next.log.close();
    await regained;
    // What its former shards still want to commit comes too late, also now.
    expect(await zombie.log.fence!.commit(entry(1, 60_000, [0, 9], [1, 9]))).toBe('refused');
    expect(await zombie.log.fence!.commit(entry(2, 30_000, [0, 9], [1, 9]))).toBe('refused');
    expect(await zombie.log.fence!.commit(entry(3, 30_000, [0, 6], [1, 6]))).toBe('committed');
  });

  it('lets the owner commit while others ask for its shards, and nothing is read twice or lost', async () => {
    const topic = await broker.createTopic(2);
    const owner = await member(topic);
    const seen = new Collector();
    owner.log.consume(fromStart(owner.log), seen);
    const standby = member(topic);
    standby.catch(() => undefined);
    let made = 0;
    for (let t = 1; t <= 20 || owner.log.stats().rebalances < 2; t++) {
      await owner.log.append([{ partition: t % 2, tenant: 'a', encoding: 'otlp', bytes: Buffer.from([0x0a, 0]) }]);
      made++;
      expect(await owner.log.fence!.commit(entry(1, t * 15_000, [0, t], [1, t]))).toBe('committed');
    }
    await until('all records', () => seen.records.length === made);
    expect(new Set(seen.records.map(({ partition, offset }) => `${partition}/${offset}`)).size).toBe(made);
    expect(owner.log.stats()).toMatchObject({ refusedCommits: 0 });
    const before = await owner.log.fence!.committed();
    await owner.log.close();
    expect(await owner.log.fence!.commit(entry(1, 1e9, [0, 1]))).toBe('refused');
    const heir = await standby;
    expect(await heir.log.fence!.committed()).toEqual(before);
    expect(await heir.log.fence!.commit(entry(2, 15_000, [0, 3]))).toBe('committed');
  });

  it('repeats a commit whose answer was lost, over a rebalance too', async () => {
    const topic = await broker.createTopic(1);
    const way = cuttable();
    const owner = await member(topic, { socketFactory: way.socketFactory });
    way.dropNext(OFFSET_COMMIT);
    const commit = owner.log.fence!.commit(entry(1, 15_000, [0, 5]));
    await until('the loss', () => way.dropped() === 1);
    const standby = member(topic);
    standby.catch(() => undefined);
    expect(await commit).toBe('committed');
    await until('a rebalance', () => owner.log.stats().rebalances >= 2);
    expect(owner.log.stats().repeatedCommits).toBeGreaterThan(0);
    expect((await owner.log.fence!.committed()).get(0)).toEqual({ offset: 5, metadata: metadata(1, 15_000) });
    expect(await owner.log.fence!.commit(entry(1, 30_000, [0, 6]))).toBe('committed');
    await owner.log.close();
    await standby;
  });

  it('refuses the repeat of a commit when another owner came in the middle of it', async () => {
    const topic = await broker.createTopic(1);
    const way = cuttable();
    const owner = await member(topic, { socketFactory: way.socketFactory });
    expect(await owner.log.fence!.commit(entry(1, 15_000, [0, 5]))).toBe('committed');
    way.cut();
    const commit = owner.log.fence!.commit(entry(1, 30_000, [0, 6]));
    const next = await member(topic);
    expect((await next.log.fence!.committed()).get(0)).toEqual({ offset: 5, metadata: metadata(1, 15_000) });
    expect(await next.log.fence!.commit(entry(2, 15_000, [0, 5]))).toBe('committed');
    // Even when the other one is gone again by then.
    await next.log.close();
    way.mend();
    expect(await commit).toBe('refused');
    expect((await owner.log.fence!.committed()).get(0)).toEqual({ offset: 5, metadata: metadata(2, 15_000) });
  });

  it('keeps its ownership over a lost session when nobody else has committed meanwhile', async () => {
    const topic = await broker.createTopic(1);
    const way = cuttable();
    const owner = await member(topic, { socketFactory: way.socketFactory });
    expect(await owner.log.fence!.commit(entry(1, 15_000, [0, 5]))).toBe('committed');
    way.cut();
    const commit = owner.log.fence!.commit(entry(1, 30_000, [0, 6]));
    await until(
      'the end of its session',
      async () => (await broker.admin().describeGroups([`g-${topic}`])).groups[0]!.state === 'Empty',
    );
    way.mend();
    expect(await commit).toBe('committed');
    expect(owner.log.stats().refusedCommits).toBe(0);
  });

  it("does not take kafkajs's word: its own commit resolves without storing anything, the fence's does not", async () => {
    const topic = await broker.createTopic(1);
    const groupId = `plain-${topic}`;
    const consumer = broker.kafka().consumer({ groupId, maxWaitTimeInMs: 100 });
    await consumer.connect();
    await consumer.subscribe({ topic });
    const joined = new Promise((resolve) => consumer.on('consumer.group_join', resolve));
    await consumer.run({ autoCommit: false, eachMessage: async () => undefined });
    await joined;
    const stopping = consumer.stop();
    await consumer.commitOffsets([{ topic, partition: 0, offset: '5' }]);
    await stopping;
    await consumer.disconnect();
    const stored = await broker.admin().fetchOffsets({ groupId, topics: [topic] });
    expect(stored[0]!.partitions[0]!.offset).toBe('-1');

    const { log } = await member(topic);
    const closing = log.close();
    expect(await log.fence!.commit(entry(1, 15_000, [0, 5]))).toBe('refused');
    await closing;
    const after = await broker.admin().fetchOffsets({ groupId: `g-${topic}`, topics: [topic] });
    expect(after[0]!.partitions[0]!.offset).toBe('-1');
  });

  it('gives all shards to one of two members that both want all, and to the other when that one leaves', async () => {
    const topic = await broker.createTopic(2);
    const all = { shards: { count: 2, own: [0, 1] } };
    const holder = await member(topic, {}, all);
    const opening = [member(topic, {}, all), member(topic, {}, all)];
    const members = async () => (await broker.admin().describeGroups([`g-${topic}`])).groups[0]!.members.length;
    await until('three members', async () => (await members()) === 3);
    // Now both ask in the same generation.
    await holder.log.close();
    const first = await Promise.race(opening);
    expect(await first.log.fence!.commit(entry(1, 15_000, [0, 5], [1, 5]))).toBe('committed');
    await until('two members', async () => (await members()) === 2);
    await first.log.close();
    for (const next of await Promise.all(opening)) {
      if (next !== first) expect(await next.log.fence!.commit(entry(2, 15_000, [0, 5], [1, 5]))).toBe('committed');
    }
  });

  it('learns of new partitions while it waits for other members to join', async () => {
    const topic = await broker.createTopic(1);
    const found: number[] = [];
    const slow = { sessionTimeoutMs: 60_000, rebalanceTimeoutMs: 60_000 };
    const onPartition = (partition: number) => found.push(partition);
    const owner = await member(topic, { onPartition }, slow);
    const abort = new AbortController();
    const standbys: Promise<Opened>[] = [];
    const standBy = (heartbeatMs: number) => {
      const standby = member(topic, { signal: abort.signal }, { ...slow, heartbeatMs });
      standby.catch(() => undefined);
      standbys.push(standby);
    };
    try {
      const group = async () => (await broker.admin().describeGroups([`g-${topic}`])).groups[0]!;
      const state = async () => (await group()).state;
      // This one hears of nothing for a minute: whoever joins anew waits for it as long.
      standBy(60_000);
      await until('two members', async () => (await group()).members.length === 2 && (await state()) === 'Stable');
      standBy(100);
      await until('a join that waits', async () => (await state()) === 'PreparingRebalance');
      await until('the owner to join it', () => owner.log.stats().generation === -1);
      await broker.admin().createPartitions({ topicPartitions: [{ topic, count: 3 }] });
      await until('the new partitions', () => found.length === 2, 20_000);
      expect([found, await state()]).toEqual([[1, 2], 'PreparingRebalance']);
    } finally {
      abort.abort();
      await Promise.allSettled(standbys);
    }
  });

  it('says so when the group belongs to consumers of another kind', async () => {
    const topic = await broker.createTopic(1);
    const consumer = broker.kafka().consumer({ groupId: `g-${topic}`, maxWaitTimeInMs: 100 });
    await consumer.connect();
    await consumer.subscribe({ topic });
    const joined = new Promise((resolve) => consumer.on('consumer.group_join', resolve));
    await consumer.run({ autoCommit: false, eachMessage: async () => undefined });
    await joined;
    await expect(member(topic)).rejects.toMatchObject({ code: 'log_incompatible' });
    await consumer.disconnect();
  });

  it('shares shards between members, each of which may commit for its own', async () => {
    const topic = await broker.createTopic(4);
    const [a, b] = await Promise.all([
      member(topic, {}, { shards: { count: 2, own: [0] } }),
      member(topic, {}, { shards: { count: 2, own: [1] } }),
    ]);
    expect(await a.log.fence!.commit(entry(1, 15_000, [0, 1], [2, 1]))).toBe('committed');
    expect(await b.log.fence!.commit(entry(1, 15_000, [1, 1], [3, 1]))).toBe('committed');
    expect((await a.log.fence!.committed()).size).toBe(4);
  });
});
