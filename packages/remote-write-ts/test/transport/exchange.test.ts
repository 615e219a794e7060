import { type Channel, channel } from 'node:diagnostics_channel';
import { afterEach, describe, expect, it } from 'vitest';
import { createPoolTransport, type Transport } from '../../src/transport/index.ts';
import { type Receiver, type Step, startReceiver } from '../sender/receiver.ts';

const open: { close(): Promise<void> }[] = [];

afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close();
});

async function rig(script: Step[]): Promise<{ receiver: Receiver; transport: Transport }> {
  const receiver = await startReceiver(...script);
  const transport = createPoolTransport({ origin: receiver.origin, connections: 1, connectTimeoutMs: 10_000 });
  open.push(receiver, transport);
  return { receiver, transport };
}

function request(text: string, { signal } = new AbortController()) {
  return { path: '/write', headers: { 'content-type': 'text/plain' }, body: Buffer.from(text), signal };
}

function once(of: Channel): Promise<void> {
  return new Promise((resolve) => {
    const told = () => {
      of.unsubscribe(told);
      resolve();
    };
    of.subscribe(told);
  });
}

const fine: Step = (_request, response) => response.writeHead(204).end();

describe('a request', () => {
  it('that is given up before is not sent', async () => {
    const { receiver, transport } = await rig([fine]);
    const stop = new AbortController();
    stop.abort(new Error('no more'));
    await expect(transport.post(request('a', stop))).rejects.toThrow('no more');
    await transport.post(request('b'));
    expect(receiver.received.map(({ body }) => String(body))).toEqual(['b']);
  });

  it('that is given up while another has the connection is never sent, and the next one is', async () => {
    let answerFirst = () => {};
    const { receiver, transport } = await rig([
      (_request, response) => {
        answerFirst = () => response.writeHead(200).end('first');
      },
      fine,
    ]);
    const first = transport.post(request('first'));
    await receiver.arrival(0);
    const stop = new AbortController();
    const second = transport.post(request('second', stop));
    const third = transport.post(request('third'));
    stop.abort(new Error('given up'));
    await expect(second).rejects.toThrow('given up');
    answerFirst();
    expect(await first).toMatchObject({ status: 200, text: 'first', cut: false });
    expect(await third).toMatchObject({ status: 204, text: '' });
    expect(receiver.received.map(({ body }) => String(body))).toEqual(['first', 'third']);
  });

  it('that is given up under way rejects, and gives its connection up', async () => {
    const { receiver, transport } = await rig([() => {}, fine]);
    const stop = new AbortController();
    const given = transport.post(request('a', stop));
    await receiver.arrival(0);
    stop.abort(new Error('enough'));
    await expect(given).rejects.toThrow('enough');
    expect(await transport.post(request('b'))).toMatchObject({ status: 204 });
    expect(new Set(receiver.received.map(({ remotePort }) => remotePort)).size).toBe(2);
  });
});

describe('an answer', () => {
  it('whose status has come stands, though the request is given up before its end', async () => {
    const { transport } = await rig([
      (_request, response) => {
        response.writeHead(400, { 'x-why': 'because' }).flushHeaders();
      },
      fine,
    ]);
    const stop = new AbortController();
    const headersRead = once(channel('undici:request:headers'));
    const post = transport.post(request('a', stop));
    await headersRead;
    stop.abort();
    const response = await post;
    expect(response).toMatchObject({ status: 400, text: '', cut: true });
    expect(response.header('x-why')).toBe('because');
    expect(await transport.post(request('b'))).toMatchObject({ status: 204 });
  });

  it('that is announced by others is the last one', async () => {
    const { transport } = await rig([
      (_request, response) => {
        response.writeProcessing();
        response.writeEarlyHints({ link: '</style.css>; rel=preload' });
        response.writeHead(202).end('later');
      },
    ]);
    expect(await transport.post(request('a'))).toMatchObject({ status: 202, text: 'later', cut: false });
  });
});
