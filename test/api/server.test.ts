import * as net from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { createApiServer } from '../../src/api/index.ts';
import { ask, askRaw, startApi, statusOf, stopAll } from './support.ts';

afterEach(stopAll);

const PATHS = [
  '/',
  '/span-metrics',
  '/metrics',
  '/ready',
  '/-/ready',
  '/-/healthy',
  '/api/echo',
  '/api/status/buildinfo',
  '/status',
  '/status/overrides',
  '/status/overrides/team-a',
];

describe('health and info', () => {
  it('is ready in one word', async () => {
    const { port } = await startApi();
    for (const path of ['/ready', '/-/ready'])
      expect(await ask(port, path)).toMatchObject({ status: 200, body: 'ready\n' });
  });

  it('names each reason on a line of its own while it is not ready', async () => {
    const reasons = ['the ledger is being recovered', 'the receiver\nis not listening yet'];
    const { port } = await startApi({ readiness: () => ({ ready: false, reasons }) });
    for (const path of ['/ready', '/-/ready']) {
      const answer = await ask(port, path);
      expect(answer.status).toBe(503);
      expect(answer.headers['content-type']).toBe('text/plain; charset=utf-8');
      expect(answer.body).toBe('the ledger is being recovered\nthe receiver is not listening yet\n');
    }
  });

  it('is not ready also where nobody says why', async () => {
    const { port } = await startApi({ readiness: () => ({ ready: false, reasons: [] }) });
    expect(await ask(port, '/ready')).toMatchObject({ status: 503, body: 'not ready\n' });
  });

  it('is healthy while it is not ready', async () => {
    const { port } = await startApi({ readiness: () => ({ ready: false, reasons: ['no'] }) });
    expect((await ask(port, '/-/healthy')).status).toBe(200);
  });

  it('echoes for the test button of a Tempo data source', async () => {
    const { port } = await startApi();
    expect(await ask(port, '/api/echo')).toMatchObject({ status: 200, body: 'echo' });
  });

  it('tells its version as JSON', async () => {
    const { port } = await startApi();
    const answer = await ask(port, '/api/status/buildinfo');
    expect(answer.headers['content-type']).toBe('application/json');
    expect(JSON.parse(answer.body)).toMatchObject({ version: '0.1.0', revision: '', branch: '' });
  });

  it('passes own metrics on with their content type', async () => {
    const { port } = await startApi();
    const answer = await ask(port, '/metrics');
    expect(answer).toMatchObject({ status: 200, body: 'up 1\n' });
    expect(answer.headers['content-type']).toBe('text/plain; version=0.0.4; charset=utf-8');
  });
});

describe('the router', () => {
  it('names a path that it does not have', async () => {
    const { port } = await startApi();
    const answer = await ask(port, '/api/nothing?x=1');
    expect(answer).toMatchObject({ status: 404, body: 'no page at /api/nothing\n' });
    expect(answer.headers['content-type']).toBe('text/plain; charset=utf-8');
    expect(answer.headers['x-content-type-options']).toBe('nosniff');
  });

  it.each([
    '/../etc/passwd',
    '/status/../ready',
    '/%2e%2e/ready',
    '//ready',
    '/ready/',
    '/READY',
    '/ready%00',
    '/__proto__',
    '/constructor',
    '/%',
    '/ready;x',
    '/status/overrides/',
    '/status/overrides/..',
    '/status/overrides/a%2fb',
    '/status/overrides/a/b',
    '/status/*',
  ])('has nothing at %s', async (path) => {
    const { port } = await startApi();
    expect((await ask(port, path)).status).toBe(404);
  });

  it('shows neither markup to be sniffed nor endless paths', async () => {
    const { port } = await startApi();
    const answer = await ask(port, '/<script>alert(1)</script>');
    expect([answer.status, answer.headers['x-content-type-options']]).toEqual([404, 'nosniff']);
    const long = await ask(port, `/${'y'.repeat(3_000)}`);
    expect(long.status).toBe(404);
    expect(long.body.length).toBeLessThan(250);
  });

  it('refuses endless queries', async () => {
    const { port } = await startApi();
    expect((await ask(port, `/ready?${'x'.repeat(8_000)}`)).status).toBe(200);
    expect((await ask(port, `/ready?${'x'.repeat(9_000)}`)).status).toBe(414);
  });

  it('takes a target in absolute form, as a proxy sends it', async () => {
    const { port } = await startApi();
    expect(await ask(port, 'http://spanmill.example/ready?a=b')).toMatchObject({ status: 200, body: 'ready\n' });
    expect((await ask(port, 'http://spanmill.example')).status).toBe(200);
    expect((await ask(port, 'http://spanmill.example/nothing')).body).toBe('no page at /nothing\n');
  });

  it.each(['POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'TRACE', 'PROPFIND'])('does not take %s', async (method) => {
    const { port } = await startApi();
    for (const path of PATHS) {
      const answer = await ask(port, path, {}, method);
      expect([path, answer.status, answer.headers['allow']]).toEqual([path, 405, 'GET, HEAD']);
      expect(answer.body).toBe(`${path} takes GET, HEAD, not ${method}\n`);
    }
  });

  it('answers HEAD with the headers of GET and nothing else', async () => {
    const { port } = await startApi();
    for (const path of PATHS) {
      const [get, head] = [await ask(port, path), await ask(port, path, {}, 'HEAD')];
      const comparable = ({ date: _, ...headers }: typeof get.headers) => headers;
      expect([path, head.status, comparable(head.headers), head.body]).toEqual([
        path,
        get.status,
        comparable(get.headers),
        '',
      ]);
    }
  });

  it('survives what is no HTTP', async () => {
    const { port } = await startApi();
    expect(await askRaw(port, '\x16\x03\x01\x02\x00\x01\x00\x01\r\n\r\n')).toMatch(/^HTTP\/1\.1 400 /);
    expect(await askRaw(port, 'GET /ready HTTP/1.1\r\nHost: x\r\nBad Header: 1\r\n\r\n')).toMatch(/^HTTP\/1\.1 400 /);
    expect(await askRaw(port, 'GET /ready HTTP/1.1\r\nConnection: close\r\n\r\n')).toMatch(/^HTTP\/1\.1 400 /);
    expect(await askRaw(port, 'GET /a\x9bb HTTP/1.1\r\nHost: x\r\n\r\n')).toMatch(/^HTTP\/1\.1 400 /);
    expect(await askRaw(port, 'GET ready HTTP/1.1\r\nHost: x\r\n\r\n')).toMatch(/^HTTP\/1\.1 400 /);
    const huge = `GET /ready HTTP/1.1\r\nHost: x\r\nX: ${'y'.repeat(20_000)}\r\n\r\n`;
    expect(await askRaw(port, huge)).toMatch(/^HTTP\/1\.1 431 /);
    expect((await ask(port, '/ready')).status).toBe(200);
  });

  it('cuts a head that never ends', async () => {
    const { port } = await startApi({}, { headersTimeoutMs: 20, requestTimeoutMs: 40 });
    expect(await askRaw(port, 'GET /ready HTTP/1.1\r\nHost: x\r\n')).toMatch(/^HTTP\/1\.1 408 /);
  });

  it('refuses requests beyond those it answers at the same time, but never a probe', async () => {
    const gate = Promise.withResolvers<string>();
    const all = Promise.withResolvers<void>();
    let waiting = 0;
    const { port } = await startApi({
      spanMetrics: () => {
        if (++waiting === 64) all.resolve();
        return gate.promise;
      },
    });
    const held = Array.from({ length: 64 }, () => ask(port, '/span-metrics'));
    await all.promise;
    const refused = await ask(port, '/span-metrics');
    expect([refused.status, refused.headers['retry-after']]).toEqual([503, '1']);
    for (const probe of ['/ready', '/-/ready?x=1', '/-/healthy']) expect((await ask(port, probe)).status).toBe(200);
    gate.resolve('a 1\n');
    expect(new Set((await Promise.all(held)).map(({ status }) => status))).toEqual(new Set([200]));
  });
});

describe('start and stop', () => {
  const build = (over: { host?: string; port?: number }) =>
    createApiServer({
      host: '127.0.0.1',
      port: 0,
      multitenancy: false,
      providers: {
        spanMetrics: async () => undefined,
        ownMetrics: async () => ({ contentType: 'text/plain', body: '' }),
        readiness: () => ({ ready: true, reasons: [] }),
        status: () => statusOf(),
        overrides: () => ({ merge: 'deep', reloadFailures: 0, lastReloadSuccessfulMs: 0, tenants: [] }),
        tenantOverrides: (tenant) => ({ tenant, block: null, merge: 'deep', settings: {} }),
      },
      logger: { warn: () => undefined, error: () => undefined },
      version: '0.1.0',
      startedAtMs: 0,
      now: () => 0,
      ...over,
    });

  it('says where it listens', async () => {
    const server = build({});
    const { address, port } = await server.start();
    expect([address, port > 0]).toEqual(['127.0.0.1', true]);
    await server.stop(0);
  });

  it('says in one line that a port is taken', async () => {
    const { port } = await startApi();
    const second = build({ port });
    await expect(second.start()).rejects.toMatchObject({
      code: 'EADDRINUSE',
      message: `port ${port} on 127.0.0.1 is taken (server.http_listen_port)`,
    });
    await second.stop(0);
  });

  it('says in one line that an address is not of this machine', async () => {
    const server = build({ host: '192.0.2.1' });
    await expect(server.start()).rejects.toMatchObject({
      code: 'EADDRNOTAVAIL',
      message: '192.0.2.1 is no address of this machine (server.http_listen_address)',
    });
  });

  it('frees its port, more than once and without a start too', async () => {
    await build({}).stop(10);
    const server = build({});
    const { port } = await server.start();
    await Promise.all([server.stop(10), server.stop(10)]);
    const next = build({ port });
    expect((await next.start()).port).toBe(port);
    await next.stop(0);
  });

  it('finishes an answer that is under way', async () => {
    const begun = Promise.withResolvers<void>();
    const gate = Promise.withResolvers<string>();
    const { port, server } = await startApi({
      spanMetrics: () => {
        begun.resolve();
        return gate.promise;
      },
    });
    const answer = ask(port, '/span-metrics');
    await begun.promise;
    const stopped = server.stop(60_000);
    gate.resolve('a 1\n');
    expect(await answer).toMatchObject({ status: 200, body: 'a 1\n' });
    await stopped;
  });

  it('cuts an answer that never comes at the deadline', async () => {
    const begun = Promise.withResolvers<void>();
    const { port, server } = await startApi(
      {
        spanMetrics: () => {
          begun.resolve();
          return new Promise(() => undefined);
        },
      },
      { providerTimeoutMs: 60_000 },
    );
    const answer = ask(port, '/span-metrics');
    const cut = expect(answer).rejects.toThrow(/hang up|reset/);
    await begun.promise;
    await server.stop(5);
    await cut;
  });

  it('does not wait for connections that ask for nothing', async () => {
    const { port, server } = await startApi();
    const socket = net.connect(port, '127.0.0.1');
    await new Promise((resolve) => socket.once('connect', resolve));
    const closed = new Promise((resolve) => socket.once('close', resolve));
    await server.stop(60_000);
    await closed;
  });
});
