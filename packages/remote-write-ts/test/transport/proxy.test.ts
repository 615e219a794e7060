import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { type AddressInfo, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { rootCertificates } from 'node:tls';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { createSender, SenderError, type SenderOptions } from '../../src/index.ts';
import { proxyFor } from '../../src/transport/index.ts';
import { CERT, KEY } from '../sender/material.ts';
import { answer, type Receiver, startReceiver } from '../sender/receiver.ts';
import { body } from '../sender/rig.ts';

const closers: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0)) await close();
  vi.unstubAllEnvs();
});

interface Proxy {
  url: string;
  seen: { method: string; target: string; headers: IncomingMessage['headers'] }[];
}

/** Forwards plain requests, and opens tunnels. */
async function startProxy(status = 200): Promise<Proxy> {
  const seen: Proxy['seen'] = [];
  const server: Server = createServer(async (request, response) => {
    seen.push({ method: request.method!, target: request.url!, headers: request.headers });
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    if (status !== 200) {
      response.writeHead(status).end();
      return;
    }
    const { 'proxy-authorization': _, ...headers } = request.headers;
    const forwarded = await fetch(request.url!, {
      method: 'POST',
      body: Buffer.concat(chunks),
      headers: { 'content-type': headers['content-type']! },
    });
    response.writeHead(forwarded.status).end();
  });
  server.on('connect', (request, socket) => {
    seen.push({ method: 'CONNECT', target: request.url!, headers: request.headers });
    if (status !== 200) {
      socket.end(`HTTP/1.1 ${status} No\r\n\r\n`);
      return;
    }
    const { port } = new URL(`http://${request.url}`);
    const upstream = connect(Number(port), '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
      upstream.pipe(socket);
      socket.pipe(upstream);
    });
    for (const end of [upstream, socket]) end.on('error', () => {});
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closers.push(
    () =>
      new Promise((resolve) => {
        server.close(resolve);
        server.closeAllConnections();
      }),
  );
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, seen };
}

async function startTarget(): Promise<Receiver> {
  const receiver = await startReceiver(answer(204));
  closers.push(receiver.close);
  return receiver;
}

function sender(options: Partial<SenderOptions> & { url: string }) {
  const stop = new AbortController();
  const made = createSender({ userAgent: 'test/1.0', sleep: async () => stop.abort(), ...options });
  closers.unshift(() => made.close());
  return { made, send: () => made.send(body(), { signal: stop.signal }) };
}

describe('through a proxy', () => {
  it('a plain receiver is asked for by its whole URL, with the credentials of the proxy for the proxy', async () => {
    const proxy = await startProxy();
    const target = await startTarget();
    const url = proxy.url.replace('http://', 'http://me:p%40ss@');
    const { made, send } = sender({ url: target.url, proxy: { url, headers: { 'X-Team': 'blue' } } });
    expect(await send()).toEqual({ kind: 'accepted', status: 204, attempts: 1 });
    expect(await send()).toMatchObject({ kind: 'accepted' });
    expect(target.received).toHaveLength(2);
    expect(Buffer.compare(target.received[0]!.body, body())).toBe(0);
    expect(proxy.seen[0]).toMatchObject({
      method: 'POST',
      target: target.url,
      headers: { 'proxy-authorization': `Basic ${Buffer.from('me:p@ss').toString('base64')}`, 'x-team': 'blue' },
    });
    expect(JSON.stringify(made.stats())).not.toContain('p@ss');
  });

  it('several requests are on their way at a time', async () => {
    const proxy = await startProxy();
    let now = 0;
    let letGo = () => {};
    const both = new Promise<void>((resolve) => {
      letGo = resolve;
    });
    const target = await startReceiver((_request, response) => {
      if (++now === 2) letGo();
      void both.then(() => response.writeHead(204).end());
    });
    closers.push(target.close);
    const { send } = sender({ url: target.url, proxy: { url: proxy.url } });
    expect((await Promise.all([send(), send()])).map(({ kind }) => kind)).toEqual(['accepted', 'accepted']);
  });

  it('a TLS receiver is reached by a tunnel that the proxy cannot look into', async () => {
    const proxy = await startProxy();
    const seen: (string | undefined)[] = [];
    const target = createTlsServer({ key: KEY, cert: CERT }, (request, response) => {
      seen.push(request.headers.authorization);
      request.resume().on('end', () => response.writeHead(204).end());
    });
    await new Promise<void>((resolve) => target.listen(0, '127.0.0.1', resolve));
    closers.push(
      () =>
        new Promise((resolve) => {
          target.close(resolve);
          target.closeAllConnections();
        }),
    );
    const { port } = target.address() as AddressInfo;
    const { send } = sender({
      url: `https://127.0.0.1:${port}/write`,
      proxy: { url: proxy.url },
      tls: { ca: CERT, serverName: 'receiver.test' },
      bearerToken: 'secret',
    });
    expect(await send()).toEqual({ kind: 'accepted', status: 204, attempts: 1 });
    expect(proxy.seen).toMatchObject([{ method: 'CONNECT', target: `127.0.0.1:${port}` }]);
    expect(proxy.seen[0]!.headers).not.toHaveProperty('authorization');
    expect(seen).toEqual(['Bearer secret']);
    const mistrusting = sender({
      url: `https://127.0.0.1:${port}/write`,
      proxy: { url: proxy.url },
      tls: { ca: CERT },
    });
    expect(await mistrusting.send()).toMatchObject({ kind: 'aborted' });
    expect(mistrusting.made.stats().lastError).toMatch(/ALTNAME/);
  });

  it('a refusal by the proxy is worth a retry', async () => {
    const proxy = await startProxy(407);
    for (const url of ['http://receiver.test/write', 'https://receiver.test/write']) {
      const { made, send } = sender({ url, proxy: { url: proxy.url } });
      expect(await send()).toEqual({ kind: 'aborted', attempts: 1 });
      expect(made.stats().lastError).toMatch(/407/);
    }
  });

  it('that is itself reached by TLS is trusted by files that are loaded again when they change', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'remote-write-proxy-'));
    const caFile = join(dir, 'ca');
    await writeFile(caFile, rootCertificates[0]!); // an authority, but not the proxy's
    const targets: (string | undefined)[] = [];
    const proxy = createTlsServer({ key: KEY, cert: CERT }, (request, response) => {
      targets.push(request.url);
      request.resume().on('end', () => response.writeHead(204).end());
    });
    await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
    closers.push(
      () => rm(dir, { recursive: true }),
      () =>
        new Promise((resolve) => {
          proxy.close(resolve);
          proxy.closeAllConnections();
        }),
    );
    const warnings: string[] = [];
    const made = createSender({
      url: 'http://target.test/write',
      userAgent: 'test/1.0',
      proxy: {
        url: `https://127.0.0.1:${(proxy.address() as AddressInfo).port}`,
        tls: { caFile, serverName: 'receiver.test' },
      },
      sleep: () => writeFile(caFile, CERT),
      onWarning: (message) => warnings.push(message),
    });
    closers.unshift(() => made.close());
    expect(await made.send(body())).toEqual({ kind: 'accepted', status: 204, attempts: 2 });
    await writeFile(caFile, '');
    expect(await made.send(body())).toMatchObject({ kind: 'accepted', attempts: 1 });
    expect(targets).toEqual(['http://target.test/write', 'http://target.test/write']);
    expect(warnings).toEqual([`proxy.tls.ca (${caFile}) is empty. Connections go on with what was loaded before`]);
  });

  it('goes nothing that needs none', async () => {
    const proxy = await startProxy();
    const target = await startTarget();
    const { send } = sender({ url: target.url, proxy: { url: proxy.url, noProxy: '10.0.0.0/8, 127.0.0.1' } });
    expect(await send()).toMatchObject({ kind: 'accepted' });
    expect(proxy.seen).toEqual([]);
  });
});

describe('the choice of a proxy', () => {
  const through = (target: string, noProxy: string) =>
    proxyFor(new URL(target), { url: 'http://proxy:3128', noProxy }) !== undefined;

  it.each([
    ['http://a.example.org/', '', true],
    ['http://a.example.org/', '*', false],
    ['http://a.example.org/', 'example.org', false],
    ['http://example.org/', 'example.org', false],
    ['http://example.org/', '.example.org', true],
    ['http://a.example.org/', '.example.org', false],
    ['http://a.example.org/', '*.example.org', false],
    ['http://badexample.org/', 'example.org', true],
    ['http://EXAMPLE.org/', 'other.org, Example.ORG', false],
    ['http://example.org:9090/', 'example.org:9090', false],
    ['http://example.org/', 'example.org:9090', true],
    ['https://example.org/', 'example.org:443', false],
    ['http://10.1.2.3/', '10.0.0.0/8', false],
    ['http://11.1.2.3/', '10.0.0.0/8', true],
    ['http://10.1.2.3/', '10.1.2.3', false],
    ['http://10.1.2.3/', '2.3', true],
    ['http://[fd00::1]/', 'fd00::/8', false],
    ['http://[fd00::1]:80/', '[fd00::1]:80', false],
    ['http://[fd00::1]/', 'fd00::1', false],
    ['http://10.1.2.3/', '10.0.0.0/99', true],
  ])('for %s without "%s"', (target, noProxy, isThrough) => {
    expect(through(target, noProxy)).toBe(isThrough);
  });

  it('can be that of the environment', () => {
    vi.stubEnv('HTTP_PROXY', 'plain:1');
    vi.stubEnv('https_proxy', 'http://secure:2');
    vi.stubEnv('NO_PROXY', 'direct.test');
    const choice = (target: string) => proxyFor(new URL(target), 'env')?.url.host;
    expect(choice('http://receiver.test/')).toBe('plain:1');
    expect(choice('https://receiver.test/')).toBe('secure:2');
    expect(choice('http://direct.test/')).toBeUndefined();
    expect(choice('http://localhost:9090/')).toBeUndefined();
    expect(choice('http://127.0.0.1:9090/')).toBeUndefined();
    expect(proxyFor(new URL('http://receiver.test/'), undefined)).toBeUndefined();
  });

  it('refuses what is no proxy, without repeating it', () => {
    const make = (url: string) => () => createSender({ url: 'http://h/', userAgent: 'a', proxy: { url } });
    expect(make('socks5://me:hunter2@proxy')).toThrow(SenderError);
    expect(make('socks5://me:hunter2@proxy')).not.toThrow(/hunter2/);
    expect(() =>
      createSender({ url: 'http://h/', userAgent: 'a', proxy: { url: 'http://p', headers: { 'a b': 'c' } } }),
    ).toThrow(SenderError);
  });
});
