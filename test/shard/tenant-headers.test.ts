// Headers of remote write follow the settings that the entries say, for what is under way too.

import { createWriter, type TransportRequest, type TransportResponse, type Writer } from 'remote-write-ts';
import { expect, it, vi } from 'vitest';
import { Fold } from '../../src/fold/index.ts';
import { openLedger } from '../../src/ledger/index.ts';
import { LedgerService } from '../../src/shard/ledger-service.ts';
import type { FromLedger, LedgerToShard, ShardPlan } from '../../src/shard/protocol.ts';
import { createLogger, noCounts } from '../../src/telemetry/index.ts';
import { settingsWith } from '../invariants/support/settings.ts';
import { encodeSpans, span } from '../invariants/support/spans.ts';
import { SimulatedDisk } from '../ledger/simulated-disk.ts';

const T1 = Date.UTC(2026, 0, 1);
const T2 = T1 + 15_000;
const withToken = (token: string) => settingsWith({ remoteWriteHeaders: { 'X-Token': token } });

it('a token that changes reaches the request that waits, which is sent again as it was', async () => {
  const sent: { token: string | undefined; body: string }[] = [];
  const closed: (string | undefined)[] = [];
  const toShard: LedgerToShard[] = [];
  const toMain: FromLedger[] = [];
  // A receiver that answers only to the new token.
  const makeWriter = (_: unknown, __: string, headers: Readonly<Record<string, string>>): Writer =>
    createWriter({
      url: 'http://receiver/',
      userAgent: 'test/1',
      protocol: '1.0',
      transport: {
        post: ({ body, signal }: TransportRequest) => {
          sent.push({ token: headers['X-Token'], body: Buffer.from(body).toString('hex') });
          if (headers['X-Token'] === 'new')
            return Promise.resolve<TransportResponse>({ status: 204, text: '', cut: false, header: () => undefined });
          return new Promise((_resolve, reject) => {
            signal.addEventListener('abort', () => reject(new Error('aborted')));
          });
        },
        close: async () => void closed.push(headers['X-Token']),
      },
    });
  const plan = {
    shard: 0,
    instance: 'one',
    settings: { defaults: withToken('old'), tenants: {} },
    addOrgIdHeader: true,
    remoteWrite: [
      { name: 'receiver', url: '', headers: {}, connection: {}, maxSamplesPerSend: 100, maxParallelRequests: 1 },
    ],
  } as unknown as ShardPlan;
  const ledger = await openLedger({
    path: '/ledger',
    shard: 0,
    logIdentity: 'log',
    maxBytes: 1 << 30,
    engine: 'test',
    fs: new SimulatedDisk(),
  });
  const service = new LedgerService({
    plan,
    ledger,
    toShard: (message) => toShard.push(message),
    toMain: (message) => toMain.push(message),
    now: () => T2,
    logger: createLogger('silent'),
    makeWriter,
  });
  await service.start();
  const fold = new Fold({ settingsOf: () => withToken('old'), originMs: 0 });
  const boundary = (tMs: number, epoch: number) =>
    service.snapshot({
      kind: 'boundary',
      tMs,
      epoch,
      engine: 'test',
      offsets: [[0, 1]],
      lastRecords: [],
      ticks: { endsMs: Float64Array.of(tMs), nextOffsets: Float64Array.of(1), partitions: [0] },
      sections: fold.collect(tMs),
    });

  fold.push('shop', T1 - 500, T1 - 500, encodeSpans([span(T1 - 600)]), false);
  boundary(T1, 1);
  await vi.waitFor(() => expect(sent).toHaveLength(1));
  expect(sent[0]!.token).toBe('old');

  expect(fold.configure(() => withToken('new'))).toBe(true);
  boundary(T2, 2);
  await vi.waitFor(() => expect(service.stats().endpoints[0]!.settledMs).toBe(T2));
  expect(sent[1]).toEqual({ token: 'new', body: sent[0]!.body });
  expect(sent.slice(1).every(({ token }) => token === 'new')).toBe(true);
  expect(closed).toEqual(['old']);
  expect(service.stats().endpoints[0]).toMatchObject({
    retries: 0,
    boundariesSent: 2,
    boundariesSkipped: noCounts().boundariesSkipped,
  });
  await service.stop(1_000);
  expect(toMain.some(({ type }) => type === 'failed')).toBe(false);
});
