// One shard's life on virtual time: a simulated log, the real shard, ledger and senders wired together by copied messages, and
// receivers that keep a record. A crash drops every object and goes on from what of the disk was durable at that moment.
import { type Entry, type Ledger, openLedger } from '../../../src/ledger/index.ts';
import { LedgerService } from '../../../src/shard/ledger-service.ts';
import type {
  EndpointPlan,
  FromLedger,
  LedgerToShard,
  ShardPlan,
  ShardToLedger,
  TenantSettingsTable,
} from '../../../src/shard/protocol.ts';
import { IN_HAND_BYTES } from '../../../src/shard/protocol.ts';
import { transferablesOf } from '../../../src/shard/sections-transfer.ts';
import { Shard } from '../../../src/shard/shard.ts';
import { allReasons, createLogger } from '../../../src/telemetry/index.ts';
import { type Loss, SimulatedDisk } from '../../ledger/simulated-disk.ts';
import { Random } from './random.ts';
import { Receiver, type SentSample } from './receiver.ts';
import { settingsIn } from './settings.ts';
import { SimLog } from './sim-log.ts';

export const INSTANCE = 'shard-under-test';
export const ENGINE = 'test-engine';
/** On no round minute: 2026-01-01T00:00:07Z. */
export const START_MS = Date.UTC(2026, 0, 1, 0, 0, 7);
const LEDGER_PATH = '/ledger';
const RECORDS_PER_TURN = 50;

export interface WorldOptions {
  seed?: number;
  partitions?: number;
  settings: TenantSettingsTable;
  boundaryMs?: number;
  endpoints?: Partial<EndpointPlan>[];
  ledgerMaxBytes?: number;
  baseAfterEntries?: number;
}

const ENDPOINT: EndpointPlan = {
  name: 'receiver',
  url: 'http://receiver.invalid/',
  headers: {},
  // A receiver that is away is asked every second.
  connection: { protocol: '1.0', timeoutMs: 60_000, minBackoffMs: 1_000, maxBackoffMs: 1_000 },
  sendExemplars: true,
  sampleAgeLimitMs: 0,
  maxSamplesPerSend: 400,
  maxParallelRequests: 4,
};

export class World {
  nowMs = START_MS;
  readonly random: Random;
  readonly log: SimLog;
  readonly endpoints: EndpointPlan[];
  readonly receivers = new Map<string, Receiver>();
  settings: TenantSettingsTable;
  previousSettings: TenantSettingsTable | undefined;
  boundaryMs: number;
  ledgerMaxBytes: number;
  readonly baseAfterEntries: number | undefined;
  disk = new SimulatedDisk();
  /** Every committed entry, in order, also those that were pruned since. */
  readonly history: Entry[] = [];
  /** Settings of each epoch. */
  readonly epochs = new Map<number, TenantSettingsTable>();
  /** Damaged records by partition and offset. */
  readonly poison = new Map<string, string>();
  life: Life | undefined;
  /** Boundaries that senders counted as skipped, and refusals, over all lives that ended. */
  readonly counted = { skipped: 0, failed: 0, repeats: 0 };

  private stopStep = Number.POSITIVE_INFINITY;
  private sleepers: { dueMs: number; resolve: () => void }[] = [];

  constructor(options: WorldOptions) {
    this.random = new Random(options.seed ?? 1);
    this.log = new SimLog(options.partitions ?? 1);
    this.settings = options.settings;
    this.boundaryMs = options.boundaryMs ?? 15_000;
    this.baseAfterEntries = options.baseAfterEntries;
    this.ledgerMaxBytes = options.ledgerMaxBytes ?? Number.POSITIVE_INFINITY;
    this.endpoints = (options.endpoints ?? [{}]).map((more) => ({ ...ENDPOINT, ...more }));
    for (const { name } of this.endpoints) this.receivers.set(name, new Receiver(() => this.nowMs, INSTANCE));
  }

  /** The first receiver. */
  get receiver(): Receiver {
    return this.receivers.get(this.endpoints[0]!.name)!;
  }

  async start(): Promise<void> {
    this.life = await Life.begin(this);
    await this.life.turns();
  }

  /** One step of virtual time. */
  async step(ms: number): Promise<void> {
    this.nowMs += ms;
    if (!this.life) {
      await this.answers();
      return;
    }
    this.life.deliver();
    try {
      await this.life.turns();
    } catch (error) {
      if (!this.isStopped) throw error;
    }
    if (!this.isStopped) return;
    await this.crash(this.random.pick<Loss>(['all', 'nothing', this.random.below(1_000)]));
    await this.start();
  }

  /** The machine stops in the middle of the write, sync or rename that comes after so many others. */
  stopAtDiskStep(steps: number): void {
    this.disk.arm(() => undefined, steps);
    this.stopStep = steps;
  }

  private get isStopped(): boolean {
    return this.disk.steps > this.stopStep;
  }

  async run(ms: number, stepMs = 500): Promise<void> {
    for (const endMs = this.nowMs + ms; this.nowMs < endMs; ) await this.step(Math.min(stepMs, endMs - this.nowMs));
  }

  async crash(loss: Loss = 'all'): Promise<void> {
    const life = this.life!;
    this.life = undefined;
    life.isDead = true;
    this.count(life);
    for (const receiver of this.receivers.values()) await receiver.crashed(life, () => this.random.chance(0.5));
    this.stopStep = Number.POSITIVE_INFINITY;
    this.disk = this.disk.clone();
    this.disk.crash(loss);
  }

  /** As a shutdown does it. What isn't sent by then stays for the next start. */
  async stop(): Promise<void> {
    const life = this.life!;
    this.stopAtDiskStep(Number.POSITIVE_INFINITY);
    life.isPaused = false;
    life.shard.stop();
    await life.turns();
    for (let i = 0; i < 240 && !life.shard.done; i++) await this.step(500);
    if (!life.shard.done) throw new Error('the shard did not close its last tick');
    const stopped = life.service.stop(5);
    for (let i = 0; i < 20; i++) {
      this.nowMs += 100;
      await this.answers();
    }
    await stopped;
    this.count(life);
    this.life = undefined;
  }

  async restart(): Promise<void> {
    await this.stop();
    await this.start();
  }

  /** A ledger opened on what would be left after a power failure now. */
  async durableLedger(): Promise<Ledger> {
    const disk = this.disk.clone();
    disk.crash('all');
    return openLedger({
      path: LEDGER_PATH,
      shard: 0,
      logIdentity: this.log.identity,
      maxBytes: this.ledgerMaxBytes,
      engine: ENGINE,
      fs: disk,
    });
  }

  /** Lets what is under way get as far as it can without time. */
  async answers(): Promise<void> {
    for (;;) {
      await settle();
      let some = this.wake();
      for (const receiver of this.receivers.values()) some = (await receiver.runDue()) || some;
      if (!some) return;
    }
  }

  /** Virtual: ends in the step in which the time is over. */
  sleep(waitMs: number): Promise<void> {
    return new Promise((resolve) => {
      this.sleepers.push({ dueMs: this.nowMs + waitMs, resolve });
    });
  }

  private wake(): boolean {
    const due = this.sleepers.filter(({ dueMs }) => dueMs <= this.nowMs);
    this.sleepers = this.sleepers.filter((sleeper) => !due.includes(sleeper));
    for (const { resolve } of due) resolve();
    return due.length > 0;
  }

  private count(life: Life): void {
    for (const endpoint of life.service.stats().endpoints) {
      this.counted.skipped += allReasons(endpoint.boundariesSkipped);
      this.counted.failed += endpoint.samplesFailed;
      this.counted.repeats += endpoint.repeatsRefused;
    }
  }
}

/** From a start to a crash or a stop. */
export class Life {
  readonly shard: Shard;
  readonly service: LedgerService;
  readonly ledger: Ledger;
  isDead = false;
  isPaused = false;
  private readonly settings: TenantSettingsTable;
  private readonly world: World;
  private readonly toShard: LedgerToShard[] = [];
  private readonly toLedger: ShardToLedger[] = [];
  private readonly read: number[];
  private hasBegun = false;
  private failure: string | undefined;

  static async begin(world: World): Promise<Life> {
    const { disk, log, ledgerMaxBytes: maxBytes } = world;
    const ledger = await openLedger({
      path: LEDGER_PATH,
      shard: 0,
      logIdentity: log.identity,
      maxBytes,
      engine: ENGINE,
      fs: disk,
      now: () => world.nowMs,
    });
    const life = new Life(world, ledger);
    // What a life before this one wrote without being able to say so.
    await life.remember(world.previousSettings ?? world.settings);
    world.previousSettings = life.settings;
    await life.service.start();
    return life;
  }

  private constructor(world: World, ledger: Ledger) {
    this.world = world;
    this.ledger = ledger;
    const settings = structuredClone(world.settings);
    this.settings = settings;
    const append = ledger.append.bind(ledger);
    ledger.append = async (content) => {
      const appended = await append(content);
      // Before anybody can settle and prune it.
      await this.remember(settings, true);
      return appended;
    };
    const partitions = world.log.partitions.map((_, partition) => partition);
    this.read = partitions.map(() => 0);
    const plan: ShardPlan = {
      shard: 0,
      partitions,
      instance: INSTANCE,
      logIdentity: world.log.identity,
      isFenced: false,
      boundaryMs: world.boundaryMs,
      settings,
      ledgerPath: LEDGER_PATH,
      ledgerMaxBytes: world.ledgerMaxBytes,
      remoteWrite: world.endpoints,
      addOrgIdHeader: true,
      logLevel: 'silent',
      fatalRecords: [],
      inHand: new SharedArrayBuffer(IN_HAND_BYTES),
    };
    this.shard = new Shard({
      boundaryMs: plan.boundaryMs,
      engine: ENGINE,
      settingsOf: (tenant) => settingsIn(settings, tenant),
      onSnapshot: (content) =>
        this.toLedger.push(
          structuredClone({ type: 'snapshot', content }, { transfer: transferablesOf(content.sections) }),
        ),
      onBase: (tMs, sections) =>
        this.toLedger.push(structuredClone({ type: 'base', tMs, sections }, { transfer: transferablesOf(sections) })),
      onFolded: () => undefined,
      onPoison: ({ partition, offset, reason }) => world.poison.set(`${partition}/${offset}`, reason),
    });
    this.service = new LedgerService({
      plan,
      ledger,
      toShard: (message) => {
        if (!this.isDead) this.toShard.push(structuredClone(message));
      },
      toMain: (message: FromLedger) => {
        if (message.type === 'failed') this.failure ??= message.message;
      },
      now: () => world.nowMs,
      logger: createLogger('silent'),
      sleep: (waitMs) => world.sleep(waitMs),
      ...(world.baseAfterEntries === undefined ? {} : { baseAfterEntries: world.baseAfterEntries }),
      makeWriter: (endpoint, tenant, _headers, onBatch) =>
        world.receivers.get(endpoint.name)!.writer(endpoint, tenant, this, () => this.isDead, onBatch),
    });
  }

  /** Batches and end marks of what can be read now. */
  deliver(): void {
    const { world } = this;
    if (!this.hasBegun || this.isPaused) return;
    this.read.forEach((from, partition) => {
      const found = world.log.read(partition, from, world.nowMs, 100);
      if (!found) return;
      if (found.batch) {
        this.shard.offer(found.batch);
        this.read[partition] = from + found.batch.count;
      }
      if (found.isEnd) this.shard.end({ partition, end: this.read[partition]!, wallMs: world.nowMs });
    });
  }

  /** Folds, writes and sends until nothing moves any more. */
  async turns(): Promise<void> {
    for (;;) {
      await this.world.answers();
      if (this.failure !== undefined) throw new Error(`the ledger service failed: ${this.failure}`);
      let more = this.takeMessages();
      if (!this.isPaused) more = this.shard.run(this.world.nowMs, RECORDS_PER_TURN) || more;
      for (const message of this.toLedger.splice(0)) {
        more = true;
        if (message.type === 'snapshot') this.service.snapshot(message.content);
        else if (message.type === 'base') this.service.base(message.tMs, message.sections);
      }
      if (!more) return;
    }
  }

  /** Takes entries after the last known one into the history: all, or only the next. */
  private async remember(settings: TenantSettingsTable, onlyNext = false): Promise<void> {
    const { history, epochs } = this.world;
    for await (const entry of this.ledger.read(history.at(-1)?.tMs ?? Number.NEGATIVE_INFINITY)) {
      history.push(entry);
      if (!epochs.has(entry.epoch)) epochs.set(entry.epoch, settings);
      if (onlyNext) return;
    }
  }

  private takeMessages(): boolean {
    const messages = this.toShard.splice(0);
    for (const message of messages) {
      if (message.type === 'state') this.shard.load(message.sections, message.tMs);
      else if (message.type === 'committed') this.shard.committed(message.wantsBase);
      else {
        const offsets = new Map(message.position.offsets);
        this.read.forEach((_, partition) => {
          this.read[partition] = offsets.get(partition) ?? 0;
        });
        this.shard.begin({ ...message.position, offsets: this.read.map((offset, partition) => [partition, offset]) });
        this.hasBegun = true;
      }
    }
    return messages.length > 0;
  }
}

export type { SentSample };

/** Everything that is ready to run has run: the disk and the receivers are in memory. */
async function settle(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}
