import { afterEach, describe, expect, it } from 'vitest';
import { createRemoteWrite, SenderError } from '../../src/index.ts';
import { closeMocks, type Judge, startMock, written } from '../client/mock.ts';
import { closeClients, holdToRules, PROTOCOLS, point, start } from './exchange.ts';

afterEach(async () => {
  await closeClients();
  await closeMocks();
});

const page = (value = 1) =>
  Array.from({ length: 20 }, (_, i) => point(`m${i}`, value, {}, { timestampMs: Date.now() + value }));

describe.each(PROTOCOLS)('answers to %s', (protocol) => {
  const counts = (request: Parameters<typeof written>[0]) => (protocol === '2.0' ? written(request) : {});

  it.each([200, 202, 204])('of %i are success, whatever the body says', async (status) => {
    const { mock, client } = await start(protocol, (request) => ({
      status,
      headers: counts(request),
      ...(status !== 204 && { body: '{"status":"error","error":"ignored"}' }),
    }));
    await client.append(page());
    await client.flush();
    expect(client.stats()).toMatchObject({ sent: { samples: 20 }, failed: { samples: 0 } });
    holdToRules(mock.requests[0]!);
  });

  it.each([400, 401, 403, 404, 413])('of %i end a batch without a retry', async (status) => {
    const { mock, client } = await start(protocol, () => ({ status }), { maxBisectRequests: 0 });
    await client.append(page());
    await client.flush();
    expect(mock.requests.length).toBe(1);
    expect(client.stats()).toMatchObject({ failed: { samples: 20 } });
  });

  it.each([429, 500, 502, 503, 504])('of %i are retried with the same bytes until it goes well', async (status) => {
    const { mock, client } = await start(protocol, ({ index }) => (index < 3 ? { status } : undefined), {
      metadata: { send: false },
    });
    await client.append(page());
    await client.flush();
    expect(mock.requests).toHaveLength(4);
    expect(mock.requests.map(({ body }) => Buffer.compare(body, mock.requests[0]!.body))).toEqual([0, 0, 0, 0]);
    expect(mock.requests.map(({ headers }) => headers['retry-attempt'])).toEqual([undefined, '1', '2', '3']);
    expect(client.stats()).toMatchObject({ sent: { samples: 20 } });
  });

  it('are taken verbatim into the report, up to a KiB', async () => {
    const refusals: string[] = [];
    const { client } = await start(protocol, () => ({ status: 403, body: `out of order: ${'x'.repeat(1 << 20)}` }), {
      onOutcome: (outcome) => refusals.push(...outcome.refusals.map(({ message }) => message)),
    });
    await client.append(page());
    await client.flush();
    expect(refusals).toEqual([`out of order: ${'x'.repeat(1024 - 14)}`]);
  });

  it.each<[string, Judge]>([
    ['a cut connection', () => 'reset'],
    ['no answer', () => 'hang'],
    ['a status of 999', () => ({ status: 999 })],
    ['an error of a mebibyte', () => ({ status: 500, body: 'e'.repeat(1 << 20) })],
    ['a long refusal', () => ({ status: 400, body: 'e'.repeat(1 << 20) })],
    ['an informal redirect', () => ({ status: 302, headers: { location: 'http://other.invalid/' } })],
  ])('that are %s leave the client able to go on', async (_title, judge) => {
    const { mock, client } = await start(
      protocol,
      ({ index }) => (index < 2 ? judge({} as never) : undefined) as never,
      {
        timeoutMs: 200,
        maxBisectRequests: 0,
      },
    );
    for (let round = 1; round <= 3; round++) {
      await client.append(page(round));
      await client.flush();
    }
    expect(client.stats().sent.samples).toBeGreaterThanOrEqual(20);
    expect(mock.requests.length).toBeGreaterThanOrEqual(3);
  });
});

describe('an endpoint that cannot be reached', () => {
  it.each(['http://127.0.0.1:1/write', 'http://does-not-exist.invalid/write'])(
    'is tried until the client is closed, which ends in time: %s',
    async (url) => {
      let attempts = 0;
      let seen = () => {};
      const thrice = new Promise<void>((resolve) => {
        seen = resolve;
      });
      const client = createRemoteWrite({
        url,
        userAgent: 'conformance/1.0',
        minBackoffMs: 1,
        maxBackoffMs: 5,
        onAttempt: () => {
          if (++attempts === 3) seen();
        },
      });
      await client.append(page());
      const flushed = client.flush();
      await thrice;
      await client.close(1);
      await flushed;
      expect(client.stats()).toMatchObject({ dropped: { closed: { samples: 20 } }, sent: { samples: 0 } });
    },
  );

  it('is an error at once where its scheme is unknown', () => {
    expect(() => createRemoteWrite({ url: 'foo://localhost/write', userAgent: 'a' })).toThrow(SenderError);
  });
});

describe('the fallback', () => {
  it('after a 415 to the first request sends 1.0 with its own headers, and stays there', async () => {
    const { mock, client } = await start(
      'auto',
      ({ protocol }) => (protocol === '2.0' ? { status: 415 } : { status: 204 }),
      {
        metadata: { send: false },
      },
    );
    for (let round = 1; round <= 3; round++) {
      await client.append(page(round));
      await client.flush();
    }
    expect(mock.requests.map(({ protocol }) => protocol)).toEqual(['2.0', '1.0', '1.0', '1.0']);
    for (const request of mock.requests) holdToRules(request);
    expect(client.stats()).toMatchObject({ protocol: '1.0', sent: { samples: 60 }, failed: { samples: 0 } });
  });

  it.each(['auto', 'prefer_2.0'] as const)('of %s follows a 415 even if it has Written headers', async (protocol) => {
    const { mock, client } = await start(
      protocol,
      (request) => (request.protocol === '2.0' ? { status: 415, headers: written(request) } : { status: 204 }),
      { metadata: { send: false } },
    );
    await client.append(page());
    await client.flush();
    expect(mock.requests.map((request) => request.protocol)).toEqual(['2.0', '1.0']);
    expect(client.stats()).toMatchObject({ protocol: '1.0', sent: { samples: 20 }, failed: { samples: 0 } });
  });

  it.each([204, 400, 404])('of prefer_2.0 does not follow a %i without Written headers', async (status) => {
    const { mock, client } = await start('prefer_2.0', () => ({ status }));
    for (let round = 1; round <= 2; round++) {
      await client.append(page(round));
      await client.flush();
    }
    expect(mock.requests.map(({ protocol }) => protocol)).toEqual(['2.0', '2.0']);
    expect(client.stats()).toMatchObject({ protocol: undefined, failed: { samples: 40 } });
  });

  it('does not happen on success', async () => {
    const { mock, client } = await start('auto');
    for (let round = 1; round <= 3; round++) {
      await client.append(page(round));
      await client.flush();
    }
    expect(mock.requests.map(({ protocol }) => protocol)).toEqual(['2.0', '2.0', '2.0']);
  });

  it.each([400, 401, 404, 413])('makes no more than two requests of a batch refused with %i', async (status) => {
    const { mock, client } = await start('auto', () => ({ status }));
    await client.append(page());
    await client.flush();
    expect(mock.requests.length).toBeLessThanOrEqual(2);
  });
});

describe('a partial write', () => {
  it('of 2.0 counts what the receiver did not write as failed, and resends nothing', async () => {
    for (const status of [200, 400]) {
      const { mock, client } = await start('auto', (request) => ({
        status,
        headers: { ...written(request), 'x-prometheus-remote-write-samples-written': '15' },
      }));
      await client.append(page());
      await client.flush();
      expect(mock.requests).toHaveLength(1);
      expect(client.stats()).toMatchObject({ sent: { samples: 15 }, failed: { samples: 5 } });
    }
  });

  it('with missing, broken or too large counts leaves the client able to go on', async () => {
    const counts = [
      {},
      { 'x-prometheus-remote-write-samples-written': '-1' },
      { 'x-prometheus-remote-write-samples-written': '99' },
    ];
    const { client } = await start('2.0', ({ index }) => ({
      status: 204,
      headers: counts[index]! as Record<string, string>,
    }));
    for (let round = 1; round <= 3; round++) {
      await client.append(page(round));
      await client.flush();
    }
    expect(client.stats()).toMatchObject({ sent: { samples: 20 }, failed: { samples: 40 } });
  });
});

describe('waits between attempts', () => {
  it.each(PROTOCOLS)(
    'of %s grow, with less than a fifth of jitter, between a millisecond and a minute',
    async (protocol) => {
      for (const random of [() => 0, () => 1 - Number.EPSILON, Math.random]) {
        const sleeps: number[] = [];
        const mock = await startMock(({ index }) => (index < 12 ? { status: 503 } : undefined));
        const client = createRemoteWrite({
          url: mock.url,
          userAgent: 'conformance/1.0',
          protocol,
          random,
          sleep: async (waitMs) => {
            sleeps.push(waitMs);
          },
        });
        await client.append(page());
        await client.close();
        expect(sleeps).toHaveLength(12);
        for (const [i, waitMs] of sleeps.entries()) {
          expect(waitMs).toBeGreaterThanOrEqual(1);
          expect(waitMs).toBeLessThanOrEqual(60_000);
          if (i > 0) expect(waitMs).toBeGreaterThanOrEqual(0.8 * sleeps[i - 1]!);
        }
      }
    },
  );

  it('are never used for a younger batch of the same series', async () => {
    const { mock, client } = await start('2.0', ({ index }) => (index < 4 ? { status: 500 } : undefined), {
      queue: { maxSamplesPerSend: 1 },
      sendExemplars: false,
    });
    await client.append([1, 2].map((value) => point('a', value, {}, { timestampMs: Date.now() + value })));
    await client.flush();
    expect(mock.requests.map(({ series }) => series[0]!.samples[0]!.value)).toEqual([1, 1, 1, 1, 1, 2]);
  });
});
