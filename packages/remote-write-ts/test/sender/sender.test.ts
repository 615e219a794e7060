import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { snappyUncompress } from '../../src/index.ts';
import { protoRequest } from '../wire/proto.ts';
import { answer, breakOff, hang, reset, type Step } from './receiver.ts';
import { body, closeRigs, NOW_MS, rig } from './rig.ts';

afterEach(closeRigs);

describe('a request', () => {
  it('is a POST of the compressed body with the headers of the protocol', async () => {
    const { receiver, sender } = await rig([answer(204)]);
    expect(await sender.send(body(42))).toEqual({ kind: 'accepted', status: 204, attempts: 1 });
    const [request] = receiver.received;
    expect(request).toMatchObject({ method: 'POST', url: '/api/v1/write?tenant=a' });
    expect(request!.headers).toMatchObject({
      'content-encoding': 'snappy',
      'content-type': 'application/x-protobuf',
      'x-prometheus-remote-write-version': '0.1.0',
      'user-agent': 'test/1.0',
      'content-length': String(body(42).length),
    });
    expect(request!.headers).not.toHaveProperty('retry-attempt');
    expect(request!.headers).not.toHaveProperty('authorization');
    const { timeseries } = protoRequest(snappyUncompress(request!.body, 1 << 20));
    expect(timeseries[0]!.samples).toEqual([{ value: 42, timestamp: String(NOW_MS) }]);
  });

  it('carries the headers and the credentials that were configured', async () => {
    const basic = await rig([answer(204)], {
      headers: { 'X-Scope-OrgID': 'team-a' },
      basicAuth: { username: 'u', password: 'pä:ss' },
    });
    const bearer = await rig([answer(204)], { bearerToken: 'abc.def' });
    await basic.sender.send(body());
    await bearer.sender.send(body());
    expect(basic.receiver.received[0]!.headers).toMatchObject({
      'x-scope-orgid': 'team-a',
      authorization: `Basic ${Buffer.from('u:pä:ss').toString('base64')}`,
    });
    expect(bearer.receiver.received[0]!.headers.authorization).toBe('Bearer abc.def');
  });

  it('carries a header of any legal name', async () => {
    const names: string[] = [];
    const { sender } = await rig([], {
      headers: { ['__proto__']: 'x', constructor: 'y' },
      transport: {
        async post({ headers }) {
          names.push(...Object.keys(headers));
          return { status: 204, text: '', cut: false, header: () => undefined };
        },
        close: async () => {},
      },
    });
    await sender.send(body());
    expect(names).toEqual(expect.arrayContaining(['__proto__', 'constructor']));
  });

  it('uses the same connection again, also after long answers', async () => {
    const { receiver, sender } = await rig([
      answer(200, {}, 'x'.repeat(300_000)),
      answer(400, {}, 'y'.repeat(1_000_000)),
      answer(204),
    ]);
    for (let i = 0; i < 3; i++) await sender.send(body());
    expect(new Set(receiver.received.map(({ remotePort }) => remotePort)).size).toBe(1);
  });

  it('gives up a connection whose answer does not end, and goes on with another', async () => {
    const endless: Step = (_request, response) => {
      response.writeHead(200);
      const more = () => {
        while (!response.destroyed && response.write('z'.repeat(65_536)));
      };
      response.on('drain', more);
      more();
    };
    const { receiver, sender } = await rig([endless, answer(204)]);
    expect(await sender.send(body())).toMatchObject({ kind: 'accepted', status: 200, attempts: 1 });
    expect(await sender.send(body())).toMatchObject({ kind: 'accepted', status: 204, attempts: 1 });
    expect(new Set(receiver.received.map(({ remotePort }) => remotePort)).size).toBe(2);
  });
});

describe('an outcome', () => {
  it('is accepted for any 2xx, with what the receiver says it stored', async () => {
    const written = {
      'X-Prometheus-Remote-Write-Samples-Written': '3',
      'X-Prometheus-Remote-Write-Exemplars-Written': '0',
      'X-Prometheus-Remote-Write-Histograms-Written': 'many',
    };
    const { sender } = await rig([answer(200, written, 'ignored'), answer(299)]);
    expect(await sender.send(body())).toEqual({
      kind: 'accepted',
      status: 200,
      attempts: 1,
      written: { samples: 3, exemplars: 0 },
    });
    expect(await sender.send(body())).toEqual({ kind: 'accepted', status: 299, attempts: 1 });
  });

  it.each([400, 401, 403, 404, 409, 413, 415, 301, 302, 303, 304, 999])(
    'is refused at once for status %i',
    async (status) => {
      const { receiver, sender, sleeps } = await rig([answer(status, {}, status === 304 ? '' : 'why')]);
      expect(await sender.send(body())).toEqual({
        kind: 'refused',
        status,
        message: status === 304 ? '' : 'why',
        attempts: 1,
      });
      expect(receiver.received).toHaveLength(1);
      expect(sleeps).toEqual([]);
    },
  );

  it('carries the first KiB of a refusal, cut between characters', async () => {
    const { sender } = await rig([answer(400, {}, `x${'é'.repeat(5_000)}`)]);
    const outcome = await sender.send(body());
    expect(outcome).toMatchObject({ kind: 'refused', message: `x${'é'.repeat(511)}` });
  });

  it('is decided by the status even if the body breaks off', async () => {
    const { sender } = await rig([breakOff(200, 'half'), breakOff(400, 'half')]);
    expect(await sender.send(body())).toMatchObject({ kind: 'accepted', status: 200, attempts: 1 });
    expect(await sender.send(body())).toMatchObject({ kind: 'refused', status: 400, message: 'half', attempts: 1 });
  });
});

describe('several batches', () => {
  it('arrive in the order of the calls when one may be on its way, whatever fails between', async () => {
    const { receiver, sender } = await rig([answer(500), reset, answer(204), answer(503), answer(204)], {
      maxConcurrent: 1,
    });
    const outcomes = await Promise.all([1, 2, 3].map((value) => sender.send(body(value))));
    expect(outcomes.map(({ kind, attempts }) => [kind, attempts])).toEqual([
      ['accepted', 3],
      ['accepted', 2],
      ['accepted', 1],
    ]);
    const values = receiver.received.map(
      (request) => protoRequest(snappyUncompress(request.body, 1000)).timeseries[0]!.samples[0]!.value,
    );
    expect(values).toEqual([1, 1, 1, 2, 2, 3]);
  });

  it('are on their way together up to the limit', async () => {
    const held: (() => void)[] = [];
    const hold: Step = (_request, response) => {
      held.push(() => response.writeHead(204).end());
    };
    const { receiver, sender } = await rig([hold], { maxConcurrent: 2 });
    const sends = [1, 2, 3].map((value) => sender.send(body(value)));
    await receiver.arrival(1);
    expect(sender.stats().attempts).toBe(2);
    held.shift()!();
    await receiver.arrival(2);
    for (const release of held) release();
    expect((await Promise.all(sends)).map(({ kind }) => kind)).toEqual(['accepted', 'accepted', 'accepted']);
  });

  it('leave the line when they are aborted, and let the next one through', async () => {
    const held: (() => void)[] = [];
    const { receiver, sender } = await rig([(_request, response) => held.push(() => response.writeHead(204).end())], {
      maxConcurrent: 1,
    });
    const stop = new AbortController();
    const first = sender.send(body(1));
    const second = sender.send(body(2), { signal: stop.signal });
    const third = sender.send(body(3));
    await receiver.arrival(0);
    stop.abort();
    expect(await second).toEqual({ kind: 'aborted', attempts: 0 });
    held.shift()!();
    await receiver.arrival(1);
    held.shift()!();
    expect([(await first).kind, (await third).kind]).toEqual(['accepted', 'accepted']);
  });
});

describe('closing', () => {
  it('aborts what is under way or waiting, may be repeated, and ends later sends at once', async () => {
    const { receiver, sender } = await rig([hang], { maxConcurrent: 1 });
    const sends = [sender.send(body()), sender.send(body())];
    await receiver.arrival(0);
    await Promise.all([sender.close(), sender.close()]);
    expect(await Promise.all(sends)).toEqual([
      { kind: 'aborted', attempts: 1 },
      { kind: 'aborted', attempts: 0 },
    ]);
    await sender.close();
    expect(await sender.send(body())).toEqual({ kind: 'aborted', attempts: 0 });
    expect(receiver.received).toHaveLength(1);
  });
});

describe('statistics', () => {
  it('add up attempts, retries, outcomes and accepted bytes, and keep the latest error and status', async () => {
    const { sender } = await rig([answer(503, {}, 'busy'), answer(204), answer(400, {}, 'bad'), answer(204)]);
    await sender.send(body());
    await sender.send(body());
    await sender.send(body());
    await sender.send(body(), { signal: AbortSignal.abort() });
    expect(sender.stats()).toEqual({
      attempts: 4,
      retries: 1,
      accepted: 2,
      refused: 1,
      aborted: 1,
      bytes: 2 * body().length,
      lastError: 'status 400: bad',
      lastStatus: 204,
    });
  });

  it('are not hurt by an observer that throws', async () => {
    const { sender } = await rig([answer(500), answer(204)], {
      onAttempt: () => {
        throw new Error('observer');
      },
    });
    expect(await sender.send(body())).toMatchObject({ kind: 'accepted', attempts: 2 });
  });

  it('are not hurt by an observer that rejects, nor is the process', async () => {
    const rejections: unknown[] = [];
    const onRejection = (error: unknown) => rejections.push(error);
    process.on('unhandledRejection', onRejection);
    const { sender } = await rig([answer(204)], {
      onAttempt: async () => {
        throw new Error('observer');
      },
    });
    expect(await sender.send(body())).toMatchObject({ kind: 'accepted' });
    await nextTurn();
    process.off('unhandledRejection', onRejection);
    expect(rejections).toEqual([]);
  });
});

describe('secrets', () => {
  it('do not appear in outcomes, statistics or reports though the receiver repeats them', async () => {
    const echo: Step = (request, response) => {
      response.writeHead(400);
      response.end(`${JSON.stringify(request.headers)} hunter2`);
    };
    const { sender, infos } = await rig([echo], {
      basicAuth: { username: 'u', password: 'hunter2' },
      headers: { 'x-api-key': 'k-123456' },
    });
    const outcome = await sender.send(body());
    const said = JSON.stringify([outcome, sender.stats(), infos]);
    expect(said).toContain('[redacted]');
    for (const secret of ['hunter2', 'k-123456', Buffer.from('u:hunter2').toString('base64')]) {
      expect(said).not.toContain(secret);
    }
  });

  it('do not appear in part where the first KiB ends inside one', async () => {
    const { sender } = await rig([answer(400, {}, `${'x'.repeat(1_018)}${'S3CRET-TOKEN'.repeat(3)}`)], {
      bearerToken: 'S3CRET-TOKEN',
    });
    expect(await sender.send(body())).toMatchObject({ message: 'x'.repeat(1_018) });
  });
});
