// The ledger worker's thread: messages in, messages out; what it does is in ledger-service.ts.

import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { LedgerError, openLedger } from '../ledger/index.ts';
import type { CommitEntry } from '../log/index.ts';
import { createLogger } from '../telemetry/index.ts';
import { ENGINE } from './engine.ts';
import { LedgerService } from './ledger-service.ts';
import type { FromLedger, LedgerToShard, ShardPlan, ShardToLedger, ToLedger } from './protocol.ts';

const STATS_EVERY_MS = 1_000;

const main = parentPort!;
const { plan, shardPort } = workerData as { plan: ShardPlan; shardPort: MessagePort };
const logger = createLogger(plan.logLevel, { shard: plan.shard, thread: 'ledger' });
const toMain = (message: FromLedger): void => main.postMessage(message);

try {
  const ledger = await openLedger({
    path: plan.ledgerPath,
    shard: plan.shard,
    maxBytes: plan.ledgerMaxBytes,
    engine: ENGINE,
    logIdentity: plan.logIdentity,
    ...(plan.committed ? { committed: plan.committed } : {}),
    now: Date.now,
    logger,
  });
  const closed = Promise.withResolvers<void>();
  let isStopping = false;
  let answerCommit: ((outcome: 'committed' | 'refused') => void) | undefined;
  const commitInLog = (entry: CommitEntry) => {
    toMain({ type: 'commit', entry });
    return new Promise<'committed' | 'refused'>((resolve) => {
      answerCommit = resolve;
    });
  };
  const service = new LedgerService({
    plan,
    ledger,
    toShard: (message: LedgerToShard) => shardPort.postMessage(message),
    toMain,
    ...(plan.isFenced ? { commitInLog } : {}),
    now: Date.now,
    logger,
  });
  let stats: NodeJS.Timeout | undefined;
  shardPort.on('message', (message: ShardToLedger) => {
    if (message.type === 'snapshot') service.snapshot(message.content);
    else if (message.type === 'base') service.base(message.tMs, message.sections);
    else closed.resolve();
  });
  main.on('message', async (message: ToLedger) => {
    switch (message.type) {
      case 'pin':
        service.pin(message.offsets);
        break;
      case 'commit_outcome':
        answerCommit?.(message.outcome);
        break;
      case 'render':
        toMain({ type: 'rendered', id: message.id, ...service.render(message.tenant, message.openMetrics) });
        break;
      case 'stop':
        isStopping = true;
        if (message.hasShardEnded) await closed.promise;
        await service.stop(message.deadlineMs);
        clearInterval(stats);
        toMain({ type: 'stats', stats: service.stats() });
        toMain({ type: 'stopped' });
        shardPort.close();
        main.close();
        break;
    }
  });
  await service.start();
  const tell = () => toMain({ type: 'stats', stats: service.stats() });
  tell();
  // Until now there was nothing to tell, however long the recovery took.
  if (!isStopping) stats = setInterval(tell, STATS_EVERY_MS);
} catch (error) {
  // A LedgerError says all there is to say; main logs it.
  if (!(error instanceof LedgerError)) logger.fatal({ err: error }, 'the ledger could not be opened');
  toMain({ type: 'failed', message: error instanceof Error ? error.message : String(error), isLost: false });
}
