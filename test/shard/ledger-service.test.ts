// What the ledger worker's service says of itself before it has anything to say.

import { expect, it } from 'vitest';
import { openLedger } from '../../src/ledger/index.ts';
import { LedgerService } from '../../src/shard/ledger-service.ts';
import type { ShardPlan } from '../../src/shard/protocol.ts';
import { createLogger } from '../../src/telemetry/index.ts';
import { SimulatedDisk } from '../ledger/simulated-disk.ts';

it('tells its numbers at any moment of a recovery, however long that takes', async () => {
  const ledger = await openLedger({
    path: '/ledger',
    shard: 0,
    logIdentity: 'log',
    maxBytes: 1 << 30,
    engine: 'test',
    fs: new SimulatedDisk(),
  });
  const recovered = Promise.withResolvers<void>();
  const recover = ledger.recover.bind(ledger);
  ledger.recover = async () => {
    await recovered.promise;
    return recover();
  };
  const service = new LedgerService({
    plan: { shard: 0, remoteWrite: [], settings: { tenants: {} } } as unknown as ShardPlan,
    ledger,
    toShard: () => undefined,
    toMain: () => undefined,
    now: () => 0,
    logger: createLogger('silent'),
  });
  expect(service.stats()).toMatchObject({ entries: 0, endpoints: [] });
  const starting = service.start();
  expect(service.stats()).toMatchObject({ entries: 0, endpoints: [] });
  recovered.resolve();
  await starting;
  expect(service.stats()).toMatchObject({ entries: 0, endpoints: [] });
  await service.stop(0);
});
