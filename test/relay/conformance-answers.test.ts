// What a relay does with the answers of a receiver, after the assertions of the public remote-write sender suite in our own
// words: it repeats what may be repeated, falls back where it is told to, and survives the rest.

import { afterEach, describe, expect, it } from 'vitest';
import { type Judge, startMock, written } from '../../packages/remote-write-ts/test/client/mock.ts';
import { startRelay } from './support/relay.ts';
import { holdToRules, type Protocol } from './support/rules.ts';
import { closeAll, page, relay } from './support/run.ts';
import { startTarget } from './support/target.ts';

const PROTOCOLS: Protocol[] = ['2.0', '1.0'];

afterEach(closeAll);

// Five seconds of a batch and one at the end: eight scrapes, a second apart, make no more than two requests.
it.each(PROTOCOLS)(
  'a refusal of 400, 401, 404 or 413 is not repeated, and no reason for another protocol than %s',
  async (protocol) => {
    const refuse = async (status: number) => {
      const mock = await startMock(() => ({ status, body: 'no' }));
      const target = await startTarget(() => page('a 1'));
      const process = startRelay({ target, writeUrl: mock.url, protocol, interval: '1s' });
      await target.scraped(9);
      expect(await process.stop()).toBe(0);
      expect(mock.requests.length).toBeGreaterThanOrEqual(1);
      expect(mock.requests.length).toBeLessThanOrEqual(2);
      expect(mock.requests.every((request) => request.protocol === protocol)).toBe(true);
      expect(process.log()).toContain(`status ${status}: no`);
    };
    await Promise.all([400, 401, 404, 413].map(refuse));
  },
);

describe.each(PROTOCOLS)('trouble of the receiver, over %s,', (protocol) => {
  it.each([429, 500, 502, 503, 504])(
    'of %i is answered by the same request again, and nothing new before',
    async (status) => {
      const mock = await startMock(({ index }) => (index < 4 ? { status } : undefined));
      const target = await startTarget(() => page('a 1'));
      const process = startRelay({
        target,
        writeUrl: mock.url,
        protocol,
        write: ['queue_config: { batch_send_deadline: 100ms }'],
      });
      await mock.arrived(6);
      expect(await process.stop()).toBe(0);
      const [first, ...others] = mock.requests;
      expect(others.slice(0, 4).every(({ body }) => body.equals(first!.body))).toBe(true);
      expect(others[4]!.body.equals(first!.body)).toBe(false);
    },
  );

  it.each<[string, Judge]>([
    ['a cut connection', () => 'reset'],
    ['no answer', () => 'hang'],
    ['a status of 999', () => ({ status: 999 })],
    ['an error of a mebibyte', () => ({ status: 500, body: 'e'.repeat(1 << 20) })],
    ['a refusal of a mebibyte', () => ({ status: 400, body: 'e'.repeat(1 << 20) })],
    ['a redirect to elsewhere', () => ({ status: 302, headers: { location: 'http://other.invalid/' } })],
  ])('that is %s leaves it alive, and it ends by itself', async (_title, judge) => {
    const mock = await startMock(judge);
    const target = await startTarget(() => page('a 1'));
    const process = startRelay({
      target,
      writeUrl: mock.url,
      protocol,
      write: ['queue_config: { batch_send_deadline: 100ms }'],
    });
    await mock.arrived(1);
    const scrapes = target.scrapes.length;
    await target.scraped(scrapes + 5);
    expect(process.isAlive()).toBe(true);
    expect(await process.stop()).toBe(0);
    expect(process.log()).not.toContain('eeeee'.repeat(300));
  });
});

describe('trouble on the way', () => {
  it.each(['http://127.0.0.1:1/write', 'http://does-not-exist.invalid/write', 'foo://localhost/write'])(
    'that is an address of %s leaves it alive, and it ends by itself',
    async (writeUrl) => {
      const target = await startTarget(() => page('a 1'));
      const process = startRelay({
        target,
        writeUrl,
        write: ['queue_config: { batch_send_deadline: 100ms }'],
        flags: ['--storage.remote.flush-deadline=500ms'],
      });
      await process.said('trying again');
      await target.scraped(target.scrapes.length + 3);
      expect(process.isAlive()).toBe(true);
      expect(await process.stop('SIGTERM')).toBe(0);
      expect(process.log()).toContain('could not be delivered any more');
    },
  );
});

describe('answers', () => {
  it.each(PROTOCOLS.flatMap((protocol) => [200, 202, 204].map((status) => [status, protocol] as const)))(
    'of %i are success over %s, whatever the body says',
    async (status, protocol) => {
      const { requests, log } = await relay(page('a 1'), {
        protocol,
        judge: (request) => ({
          status,
          headers: protocol === '2.0' ? written(request) : {},
          ...(status !== 204 && { body: '{"status":"error"}' }),
        }),
      });
      // Metadata of 1.0 go in a request of their own.
      expect(requests.filter(({ series }) => series.length > 0)).toHaveLength(1);
      expect(log).not.toContain('samples');
    },
  );

  it.each<[string, Judge, string]>([
    [
      'with fewer written than sent',
      () => ({ status: 204, headers: { 'x-prometheus-remote-write-samples-written': '1' } }),
      'not stored',
    ],
    ['without Written headers', () => ({ status: 204 }), 'no Written headers'],
    [
      'that refuse a part',
      () => ({ status: 400, headers: { 'x-prometheus-remote-write-samples-written': '1' }, body: 'out of order' }),
      'out of order',
    ],
  ])('%s lead to no second request, no other protocol, and a word about it', async (_title, judge, said) => {
    const { requests, log } = await relay(page('a 1'), { judge });
    expect(requests.map(({ protocol }) => protocol)).toEqual(['2.0']);
    expect(log).toContain(said);
  });

  it('of 415 to the first request make it speak 1.0 from then on, even with Written headers', async () => {
    for (const headers of [{}, { 'x-prometheus-remote-write-samples-written': '0' }]) {
      const mock = await startMock(({ protocol }) => (protocol === '2.0' ? { status: 415, headers } : { status: 204 }));
      const target = await startTarget(() => page('a 1'));
      const process = startRelay({
        target,
        writeUrl: mock.url,
        write: ['queue_config: { batch_send_deadline: 100ms }'],
      });
      await mock.arrived(5);
      expect(await process.stop()).toBe(0);
      const [first, ...others] = mock.requests;
      expect(first!.protocol).toBe('2.0');
      expect(new Set(others.map(({ protocol }) => protocol))).toEqual(new Set(['1.0']));
      for (const request of mock.requests) holdToRules(request);
      expect(others[0]!.series.map(({ labels }) => labels)).toEqual(first!.series.map(({ labels }) => labels));
    }
  });

  it('that are good never change the protocol', async () => {
    for (const protocol of ['1.0', '2.0'] as const) {
      const { requests } = await relay(page('a 1'), {
        protocol,
        scrapes: 6,
        options: { write: ['queue_config: { batch_send_deadline: 100ms }'] },
      });
      expect(requests.length).toBeGreaterThan(1);
      expect(new Set(requests.map((request) => request.protocol))).toEqual(new Set([protocol]));
    }
  });
});
