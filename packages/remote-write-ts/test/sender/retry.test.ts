import { afterEach, describe, expect, it } from 'vitest';
import { createSender } from '../../src/index.ts';
import { answer, hang, reset, startReceiver } from './receiver.ts';
import { body, closeRigs, NOW_MS, rig } from './rig.ts';

afterEach(closeRigs);

describe('retrying', () => {
  it.each([429, 500, 502, 503, 504])(
    'resends the same bytes after status %i, saying which attempt it is',
    async (status) => {
      const { receiver, sender, sleeps } = await rig([answer(status), answer(status), answer(204)]);
      expect(await sender.send(body())).toEqual({ kind: 'accepted', status: 204, attempts: 3 });
      expect(sleeps).toEqual([30, 60]);
      expect(receiver.received.map(({ headers }) => headers['retry-attempt'])).toEqual([undefined, '1', '2']);
      expect(receiver.received.map((request) => Buffer.compare(request.body, body()))).toEqual([0, 0, 0]);
    },
  );

  it('follows a connection that is cut, and one that cannot be made', async () => {
    const { sender, infos } = await rig([reset, answer(204)]);
    expect(await sender.send(body())).toMatchObject({ kind: 'accepted', attempts: 2 });
    expect(infos[0]).toMatchObject({ attempt: 0, result: 'retry', waitMs: 30 });
    expect(infos[0]!.error).toMatch(/\w/);
    expect(infos[0]).not.toHaveProperty('status');

    const gone = await startReceiver(answer(204));
    await gone.close();
    const stop = new AbortController();
    const refusing = await rig([answer(204)], {
      url: gone.url,
      sleep: async () => stop.abort(),
    });
    expect(await refusing.sender.send(body(), { signal: stop.signal })).toEqual({ kind: 'aborted', attempts: 1 });
    expect(refusing.sender.stats().lastError).toMatch(/ECONNREFUSED/);
  });

  it('follows an answer that does not come in time', async () => {
    const { sender, infos } = await rig([hang, answer(204)], { timeoutMs: 100 });
    expect(await sender.send(body())).toMatchObject({ kind: 'accepted', status: 204 });
    expect(infos[0]).toMatchObject({ attempt: 0, result: 'retry', error: 'no answer within 100 ms', waitMs: 30 });
    expect(infos[0]).not.toHaveProperty('status');
  });

  it('waits what Retry-After asks for, in seconds or as a date, and doubles from there', async () => {
    const date = new Date(NOW_MS + 1_000).toUTCString();
    const { sender, sleeps } = await rig([
      answer(429, { 'retry-after': '2' }),
      answer(503),
      answer(503, { 'retry-after': date }),
      answer(503),
      answer(204),
    ]);
    expect(await sender.send(body())).toMatchObject({ kind: 'accepted', attempts: 5 });
    expect(sleeps).toEqual([2_000, 4_000, 1_000, 2_000]);
  });

  it('ignores a Retry-After that is past, zero or unreadable', async () => {
    const { sender, sleeps } = await rig([
      answer(429, { 'retry-after': new Date(NOW_MS - 60_000).toUTCString() }),
      answer(429, { 'retry-after': '0' }),
      answer(429, { 'retry-after': 'soon' }),
      answer(204),
    ]);
    await sender.send(body());
    expect(sleeps).toEqual([30, 60, 120]);
  });

  it('obeys an immense Retry-After only up to its limit', async () => {
    const { sender, sleeps } = await rig([answer(429, { 'retry-after': '99999999999' }), answer(204)]);
    await sender.send(body());
    expect(sleeps).toEqual([300_000]);
  });

  it('goes on until the signal aborts, in a wait or during a request', async () => {
    const inWait = new AbortController();
    let waits = 0;
    const waiting = await rig([answer(500)], {
      sleep: (_waitMs, signal) => {
        if (++waits < 20) return Promise.resolve();
        inWait.abort();
        return Promise.reject(signal.reason);
      },
    });
    expect(await waiting.sender.send(body(), { signal: inWait.signal })).toEqual({ kind: 'aborted', attempts: 20 });

    const inRequest = new AbortController();
    const requesting = await rig([hang]);
    const sent = requesting.sender.send(body(), { signal: inRequest.signal });
    await requesting.receiver.arrival(0);
    inRequest.abort();
    expect(await sent).toEqual({ kind: 'aborted', attempts: 1 });
    expect(requesting.infos.at(-1)).toMatchObject({ result: 'aborted' });
  });

  it('sleeps by a timer of its own that an abort ends', async () => {
    const receiver = await startReceiver(answer(500));
    const stop = new AbortController();
    const sender = createSender({
      url: receiver.url,
      userAgent: 'test/1.0',
      minBackoffMs: 600_000,
      maxBackoffMs: 600_000,
      onAttempt: () => setImmediate(() => stop.abort()),
    });
    expect(await sender.send(body(), { signal: stop.signal })).toEqual({ kind: 'aborted', attempts: 1 });
    await sender.close();
    await receiver.close();
  });

  it('sends nothing for a signal that has aborted before', async () => {
    const { receiver, sender } = await rig([answer(204)]);
    expect(await sender.send(body(), { signal: AbortSignal.abort() })).toEqual({ kind: 'aborted', attempts: 0 });
    expect(receiver.received).toHaveLength(0);
  });
});

describe('a redirect', () => {
  it.each([307, 308])('with status %i within the origin is followed with body and credentials', async (status) => {
    const { receiver, sender } = await rig([answer(status, { location: '/other?x=1' }), answer(204)], {
      bearerToken: 'tok',
    });
    expect(await sender.send(body())).toEqual({ kind: 'accepted', status: 204, attempts: 1 });
    expect(receiver.received[1]).toMatchObject({ method: 'POST', url: '/other?x=1' });
    expect(receiver.received[1]!.headers.authorization).toBe('Bearer tok');
    expect(Buffer.compare(receiver.received[1]!.body, body())).toBe(0);
  });

  it('to another origin is refused, and nothing reaches it', async () => {
    const other = await startReceiver(answer(204));
    const { sender } = await rig([answer(307, { location: `${other.origin}/api/v1/write` })], { bearerToken: 'tok' });
    expect(await sender.send(body())).toMatchObject({ kind: 'refused', status: 307, attempts: 1 });
    expect(other.received).toHaveLength(0);
    await other.close();
  });

  it('that goes in circles, or nowhere, is refused', async () => {
    const circle = await rig([answer(308, { location: '/' })]);
    expect(await circle.sender.send(body())).toMatchObject({
      kind: 'refused',
      status: 308,
      message: 'too many redirects',
    });
    expect(circle.receiver.received).toHaveLength(6);
    const nowhere = await rig([answer(308)]);
    expect(await nowhere.sender.send(body())).toMatchObject({ kind: 'refused', status: 308 });
  });
});

describe('a transport of the caller', () => {
  it('stands in for the network, through any number of retries', async () => {
    const statuses = [...Array<number>(999).fill(503), 200];
    let closed = 0;
    const { sender, sleeps } = await rig([hang], {
      transport: {
        post: async () => ({ status: statuses.shift()!, header: () => undefined, text: '', cut: false }),
        close: async () => {
          closed++;
        },
      },
    });
    expect(await sender.send(body())).toEqual({ kind: 'accepted', status: 200, attempts: 1000 });
    expect(sleeps).toHaveLength(999);
    expect(Math.max(...sleeps)).toBe(5_000);
    await Promise.all([sender.close(), sender.close()]);
    expect(closed).toBe(1);
  });
});

describe('a mistake of the caller', () => {
  it('rejects instead of being retried for ever', async () => {
    const { sender, sleeps } = await rig([answer(204)]);
    await expect(sender.send(7 as unknown as Uint8Array)).rejects.toThrow();
    expect(sleeps).toEqual([]);
    expect(await sender.send(body())).toMatchObject({ kind: 'accepted' });
  });
});
