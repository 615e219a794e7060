// The shard worker's thread: batches and end marks in, snapshots out to the ledger worker; what it does is in shard.ts.

import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { createLogger, LogSampler, StageLatencies, tracedSync } from '../telemetry/index.ts';
import { freeBatch } from './batch-buffers.ts';
import { ENGINE } from './engine.ts';
import type {
  FromShard,
  LedgerToShard,
  ShardPlan,
  ShardToLedger,
  SnapshotContent,
  TenantSettingsTable,
  ToShard,
} from './protocol.ts';
import { transferablesOf } from './sections-transfer.ts';
import { Shard } from './shard.ts';
import { shardStats } from './shard-stats.ts';

/** Records between two looks at the message queue. */
const RECORDS_PER_TURN = 2_000;
const CLOCK_EVERY_MS = 100;
const STATS_EVERY_MS = 1_000;
const POISON_LOG_EVERY_MS = 10_000;

const main = parentPort!;
const { plan, ledgerPort } = workerData as { plan: ShardPlan; ledgerPort: MessagePort };
const logger = createLogger(plan.logLevel, { shard: plan.shard, thread: 'shard' });
const latencies = new StageLatencies();
const sampler = new LogSampler(POISON_LOG_EVERY_MS);
const toMain = (message: FromShard): void => main.postMessage(message);
const toLedger = (message: ShardToLedger, transfer: ArrayBuffer[] = []): void =>
  ledgerPort.postMessage(message, transfer);

const inHand = new Float64Array(plan.inHand);
inHand[0] = -1;

/** Told to main once a turn. */
const folded = new Map<number, number>();

const shard = new Shard({
  boundaryMs: plan.boundaryMs,
  engine: ENGINE,
  settingsOf: settingsIn(plan.settings),
  aroundBoundary: (tMs, work) =>
    tracedSync('spanmill.boundary', { shard: plan.shard, boundary_ms: tMs }, () => latencies.time('boundary', work)),
  onSnapshot: (content: SnapshotContent) => toLedger({ type: 'snapshot', content }, transferablesOf(content.sections)),
  onBase: (tMs, sections) => toLedger({ type: 'base', tMs, sections }, transferablesOf(sections)),
  inHand: (partition, offset) => {
    inHand[1] = offset;
    inHand[0] = partition;
  },
  ...(plan.fatalRecords.length === 0
    ? {}
    : { fatalRecords: new Set(plan.fatalRecords.map(([partition, offset]) => `${partition}:${offset}`)) }),
  onFolded: (partition, bytes) => folded.set(partition, bytes),
  onSpent: freeBatch,
  onAdded: (partition, offset) => toMain({ type: 'added', partition, offset }),
  onPoison: (record) => {
    const held = sampler.admit(record.reason, Date.now());
    if (held !== undefined) logger.warn({ ...record, alsoHeldBack: held }, 'a record could not be decoded');
    toMain({ type: 'poison', ...record });
  },
});

let turnScheduled = false;
let started = false;
let stopped = false;

/** One turn of folding; what is left over goes on after the messages that have come in meanwhile. */
function turn(): void {
  turnScheduled = false;
  if (!started || stopped) return;
  const before = shard.records;
  const startMs = performance.now();
  const more = tracedSync('spanmill.fold', { shard: plan.shard }, (span) => {
    const again = shard.run(Date.now(), RECORDS_PER_TURN);
    inHand[0] = -1;
    span.setAttribute('records', shard.records - before);
    return again;
  });
  if (shard.records > before) latencies.record('fold', performance.now() - startMs);
  for (const [partition, bytes] of folded) toMain({ type: 'folded', partition, bytes });
  folded.clear();
  if (shard.done) finish();
  else if (more) schedule();
}

function schedule(): void {
  if (turnScheduled) return;
  turnScheduled = true;
  setImmediate(turn);
}

const clock = setInterval(schedule, CLOCK_EVERY_MS);
const stats = setInterval(sendStats, STATS_EVERY_MS);

function sendStats(): void {
  toMain({ type: 'stats', stats: shardStats(shard, latencies) });
}

function finish(): void {
  stopped = true;
  clearInterval(clock);
  clearInterval(stats);
  sendStats();
  // Behind the last snapshot, on the same port.
  toLedger({ type: 'closed' });
  toMain({ type: 'stopped' });
}

ledgerPort.on('message', (message: LedgerToShard) => {
  switch (message.type) {
    case 'state':
      shard.load(message.sections, message.tMs);
      break;
    case 'recovered':
      toMain({ type: 'recovered', position: message.position });
      pending = message.position;
      break;
    case 'committed':
      shard.committed(message.wantsBase);
      schedule();
      break;
  }
});

function settingsIn({ defaults, tenants }: TenantSettingsTable) {
  return (tenant: string) => (Object.hasOwn(tenants, tenant) ? tenants[tenant]! : defaults);
}

let pending: Parameters<typeof shard.begin>[0] | undefined;

main.on('message', (message: ToShard) => {
  switch (message.type) {
    case 'begin':
      shard.begin({ ...pending!, offsets: message.offsets });
      started = true;
      break;
    case 'batch':
      shard.offer(message.batch);
      break;
    case 'end':
      shard.end(message.mark);
      break;
    case 'paused':
      shard.setPaused(message.partition, message.isPaused);
      break;
    case 'add':
      shard.add(message.partition, message.offset);
      break;
    case 'configure':
      shard.configure(settingsIn(message.settings));
      break;
    case 'stop':
      shard.stop();
      break;
  }
  schedule();
});

main.on('close', () => {
  clearInterval(clock);
  clearInterval(stats);
});
