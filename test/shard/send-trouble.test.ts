// An endpoint in trouble, over real sockets and on virtual time: what becomes visible of it, for whom, and for how long.

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { Fold } from '../../src/fold/index.ts';
import { type Ledger, openLedger } from '../../src/ledger/index.ts';
import { LedgerService } from '../../src/shard/ledger-service.ts';
import type { EndpointPlan, ShardPlan } from '../../src/shard/protocol.ts';
import type { MakeWriter } from '../../src/shard/senders.ts';
import type { Logger } from '../../src/telemetry/index.ts';
import { everybody, settingsWith } from '../invariants/support/settings.ts';
import { encodeSpans, span } from '../invariants/support/spans.ts';
import { World } from '../invariants/support/world.ts';
import { SimulatedDisk } from '../ledger/simulated-disk.ts';

const T1 = Date.UTC(2026, 0, 1);
const ends: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0)) await end();
});

async function receiver(answer: (request: IncomingMessage, response: ServerResponse) => void): Promise<string> {
  const server = createServer((request, response) => {
    request.resume().on('end', () => answer(request, response));
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  ends.push(async () => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/api/v1/write`;
}

type Line = Record<string, unknown> & { level: string; text: string };

interface Started {
  service: LedgerService;
  lines: Line[];
  boundary(tMs: number, spans: Record<string, number>): void;
}

interface More {
  makeWriter?: MakeWriter;
  flushDeadlineMs?: number;
}

async function started(endpoints: (Partial<EndpointPlan> & { url: string })[], more: More = {}) {
  return startedOn(await ledgerOn(new SimulatedDisk()), endpoints, more);
}

function ledgerOn(fs: SimulatedDisk): Promise<Ledger> {
  return openLedger({ path: '/ledger', shard: 0, logIdentity: 'log', maxBytes: 1 << 30, engine: 'test', fs });
}

async function startedOn(
  ledger: Ledger,
  endpoints: (Partial<EndpointPlan> & { url: string })[],
  { flushDeadlineMs, ...more }: More = {},
): Promise<Started> {
  const lines: Line[] = [];
  const say = (level: string) => (fields: Record<string, unknown>, text: string) => {
    lines.push({ ...fields, level, text });
  };
  const remoteWrite = endpoints.map((endpoint) => ({
    name: 'receiver',
    headers: {},
    connection: { protocol: '1.0', minBackoffMs: 1, maxBackoffMs: 5 },
    sampleAgeLimitMs: 0,
    maxSamplesPerSend: 100,
    maxParallelRequests: 1,
    ...endpoint,
  }));
  const settings = settingsWith();
  const service = new LedgerService({
    plan: {
      shard: 0,
      instance: 'one',
      settings: { defaults: settings, tenants: {} },
      addOrgIdHeader: true,
      remoteWrite,
      flushDeadlineMs,
    } as unknown as ShardPlan,
    ledger,
    toShard: () => undefined,
    toMain: () => undefined,
    now: () => T1 + 60_000,
    logger: { info: say('info'), warn: say('warn'), error: say('error') } as unknown as Logger,
    ...more,
  });
  await service.start();
  ends.push(() => service.stop(1));
  const fold = new Fold({ settingsOf: () => settings, originMs: 0 });
  return {
    service,
    lines,
    boundary(tMs, spans) {
      for (const [tenant, count] of Object.entries(spans))
        for (let i = 0; i < count; i++) fold.push(tenant, tMs - 500, tMs - 500, encodeSpans([span(tMs - 600)]), false);
      service.snapshot({
        kind: 'boundary',
        tMs,
        epoch: 1,
        engine: 'test',
        offsets: [[0, 1]],
        lastRecords: [],
        ticks: { endsMs: Float64Array.of(tMs), nextOffsets: Float64Array.of(1), partitions: [0] },
        sections: fold.collect(tMs),
      });
    },
  };
}

describe('an endpoint that is down from the first start on', () => {
  it('is in the log with its cause, and counts as behind from the first boundary on', async () => {
    const { service, lines, boundary } = await started([{ url: 'http://127.0.0.1:1/api/v1/write' }]);
    boundary(T1, { shop: 1 });
    boundary(T1 + 15_000, { shop: 1 });
    await vi.waitFor(() => expect(lines).toHaveLength(1));
    expect(lines[0]).toMatchObject({ level: 'warn', tenant: 'shop', endpoint: 'receiver' });
    expect(lines[0]!['error']).toMatch(/ECONNREFUSED/);
    expect(lines[0]!['boundariesWaiting']).toBeGreaterThan(0);
    const { endpoints, committedMs } = service.stats();
    expect(endpoints[0]).toMatchObject({ settledMs: T1 - 15_000, samplesSent: 0 });
    expect(endpoints[0]!.lastError).toMatch(/^tenant shop: .*ECONNREFUSED/);
    expect(committedMs).toBe(T1 + 15_000);
  });

  it('for one tenant is so for that one: the other is settled, and the endpoint is as far behind as the worse', async () => {
    const url = await receiver((request, response) => {
      if (request.headers['x-scope-orgid'] === 'evil') response.writeHead(503).end('not for you');
      else response.writeHead(204).end();
    });
    const { service, lines, boundary } = await started([{ url }]);
    boundary(T1, { shop: 1, evil: 1 });
    boundary(T1 + 15_000, { shop: 1, evil: 1 });
    await vi.waitFor(() => expect(service.stats().endpoints[0]).toMatchObject({ boundariesSent: 2 }));
    await vi.waitFor(() => expect(lines).toHaveLength(1));
    expect(lines[0]).toMatchObject({ tenant: 'evil', status: 503, error: 'status 503: not for you' });
    expect(service.stats().endpoints[0]).toMatchObject({
      settledMs: T1 - 15_000,
      lastError: 'tenant evil: status 503: not for you',
    });
  });
});

it('an endpoint that comes back is in the log, and its error is gone with the boundary that it takes', async () => {
  let isAway = true;
  const url = await receiver((_, response) => {
    response.writeHead(isAway ? 503 : 204).end(isAway ? 'away' : '');
  });
  const { service, lines, boundary } = await started([{ url }]);
  boundary(T1, { shop: 1 });
  await vi.waitFor(() => expect(service.stats().endpoints[0]!.lastError).toBe('tenant shop: status 503: away'));
  isAway = false;
  await vi.waitFor(() => expect(service.stats().endpoints[0]!.settledMs).toBe(T1));
  expect(service.stats().endpoints[0]!.lastError).toBeUndefined();
  expect(lines.map(({ level }) => level)).toEqual(['warn', 'info']);
});

it('a receiver that repeats headers and query gets no secret into the log, nor onto the page', async () => {
  const url = await receiver((request, response) => {
    response.writeHead(400).end(`${request.url} ${request.headers['x-customer']}`);
  });
  const { service, lines, boundary } = await started([
    { url: `${url}?team=SECRET-QUERY`, headers: { 'X-Customer': 'SECRET-HEADER' } },
  ]);
  boundary(T1, { shop: 1 });
  await vi.waitFor(() =>
    expect(service.stats().endpoints[0]).toMatchObject({ boundariesRefused: 1, boundariesSent: 0 }),
  );
  const { lastError } = service.stats().endpoints[0]!;
  expect(lastError).toBe('tenant shop: status 400: /api/v1/write?team=[redacted] [redacted]');
  expect(lines).toHaveLength(1);
  expect(JSON.stringify(lines)).not.toContain('SECRET');
});

it('a stop sends no longer than the configuration says, though it has more time', async () => {
  const url = await receiver(() => undefined);
  const { service, boundary } = await started([{ url }], { flushDeadlineMs: 1 });
  boundary(T1, { shop: 1 });
  await service.stop(3_600_000);
  expect(service.stats().endpoints[0]).toMatchObject({ settledMs: T1 - 15_000, boundariesSent: 0 });
});

it('what the package warns of is in the log', async () => {
  const { lines, boundary } = await started([{ url: 'http://127.0.0.1:1/' }], {
    makeWriter: (_, __, ___, ____, onWarning) => {
      queueMicrotask(() => onWarning("TLS material can't be reloaded"));
      throw new Error('none');
    },
  });
  boundary(T1, { shop: 1 });
  await vi.waitFor(() =>
    expect(lines).toContainEqual(expect.objectContaining({ warning: "TLS material can't be reloaded" })),
  );
});

it('an endpoint that was renamed leaves a word about what it had not taken', async () => {
  const disk = new SimulatedDisk();
  const before = await startedOn(await ledgerOn(disk), [{ name: 'old', url: 'http://127.0.0.1:1/' }]);
  before.boundary(T1, { shop: 1, other: 1 });
  await vi.waitFor(() => expect(before.service.stats().endpoints[0]!.lastError).toBeDefined());
  await before.service.stop(1);
  const after = await startedOn(await ledgerOn(disk), [{ name: 'new', url: 'http://127.0.0.1:1/' }]);
  expect(after.lines).toMatchObject([{ level: 'warn', endpoint: 'old', tenants: 2, newestMs: T1 }]);
  expect(after.lines[0]!.text).toMatch(/not configured any more/);
  await after.service.stop(1);
  const back = await startedOn(await ledgerOn(disk), [{ name: 'old', url: 'http://127.0.0.1:1/' }]);
  expect(back.lines.filter(({ text }) => /not configured/.test(text))).toEqual([]);
});

it('an outage is over for the page as soon as the backlog goes out, on the virtual clock as well', async () => {
  const world = new World({ settings: everybody() });
  await world.start();
  for (let i = 0; i < 40; i++) {
    world.log.append(world.nowMs, [span(world.nowMs)]);
    if (i === 20) world.receiver.outageUntilMs = world.nowMs + 30_000;
    await world.step(1_000);
  }
  expect(world.life!.service.stats().endpoints[0]!.lastError).toMatch(/connection refused/);
  await world.run(30_000);
  expect(world.life!.service.stats().endpoints[0]!.lastError).toBeUndefined();
});
