// One scrape, over the wire.

import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { deflateSync, gzipSync } from 'node:zlib';
import { afterEach, describe, expect, it } from 'vitest';
import { ACCEPT, ScrapeError, scrape } from '../../src/relay/scrape.ts';

const servers: Server[] = [];

afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

async function serve(listener: RequestListener): Promise<URL> {
  const server = createServer(listener);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/metrics`);
}

const never = new AbortController().signal;
const get = (url: URL, { timeoutMs = 20_000, maxBytes = 1_000, signal = never } = {}) =>
  scrape({ url, timeoutMs, maxBytes, accept: ACCEPT, userAgent: 'test/1', takesCreated: true }, signal);
const failure = (done: Promise<unknown>) =>
  done.then(
    () => 'none',
    (error: unknown) => (error instanceof ScrapeError ? `${error.reason}: ${error.message}` : String(error)),
  );

describe('a scrape', () => {
  it.each([1, 2049, 6000, 6667])('goes to port %i as to any other', async (port) => {
    const said = await failure(get(new URL(`http://127.0.0.1:${port}/metrics`)));
    expect(said).toMatch(/^unreachable: connect ECONNREFUSED|^none$|^bad_status|^malformed/);
  });

  it('asks for gzip, and reads it and what is not compressed', async () => {
    const asked: unknown[] = [];
    const url = await serve(({ headers, url: path }, response) => {
      asked.push(headers['accept-encoding']);
      if (path === '/plain') response.end('a 1\n');
      else response.writeHead(200, { 'content-encoding': 'GZIP' }).end(gzipSync('a 2\n'));
    });
    expect((await get(url))[0]!.value).toBe(2);
    expect((await get(new URL('/plain', url.href)))[0]!.value).toBe(1);
    expect(asked).toEqual(['gzip', 'gzip']);
  });

  it('follows redirects, relative ones too, but not for ever and not to elsewhere than http', async () => {
    let hops = 0;
    const url = await serve(({ url: path }, response) => {
      hops++;
      if (path === '/metrics') response.writeHead(308, { location: 'next' }).end();
      else if (path === '/next') response.writeHead(302, { location: `${url.origin}/end` }).end();
      else if (path === '/loop') response.writeHead(301, { location: '/loop' }).end('x'.repeat(100_000));
      else if (path === '/away') response.writeHead(307, { location: 'file:///etc/hosts' }).end();
      else if (path === '/nowhere') response.writeHead(302).end();
      else response.end('a 1\n');
    });
    const at = (path: string) => new URL(path, url.href);
    expect((await get(url))[0]!.value).toBe(1);
    hops = 0;
    expect(await failure(get(at('/loop')))).toBe('unreachable: more than 10 redirects');
    expect(hops).toBe(11);
    expect(await failure(get(at('/away')))).toBe('unreachable: a redirect to what is no http or https URL');
    expect(await failure(get(at('/nowhere')))).toBe('bad_status: the target answered 302');
  });

  it('has a bound for what a page holds after decompression', async () => {
    const url = await serve(({ url: path }, response) => {
      const body = `# ${'x'.repeat(1_000_000)}\n`;
      if (path === '/plain') response.end(body);
      else response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync(body));
    });
    expect(await failure(get(url))).toBe('too_large: the page has more than 1000 bytes');
    expect(await failure(get(new URL('/plain', url.href)))).toBe('too_large: the page has more than 1000 bytes');
  });

  it.each<[string, RequestListener, RegExp]>([
    [
      'breaks off',
      (_, answer) => answer.writeHead(200, { 'content-length': '9' }).end('a 1\n', () => answer.destroy()),
      /^unreachable: /,
    ],
    [
      'breaks off in the middle of gzip',
      (_, answer) => {
        const zipped = gzipSync('a 1\n');
        const headers = { 'content-encoding': 'gzip', 'content-length': zipped.length };
        answer.writeHead(200, headers).write(zipped.subarray(0, 15), () => answer.destroy());
      },
      /^unreachable: /,
    ],
    [
      'is cut off in the middle of gzip',
      (_, answer) => answer.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync('a 1\n').subarray(0, 15)),
      /^unreachable: unexpected end/,
    ],
    [
      'is no gzip though it says so',
      (_, answer) => answer.writeHead(200, { 'content-encoding': 'gzip' }).end('a 1\n'),
      /^unreachable: incorrect header/,
    ],
    [
      'is compressed otherwise',
      (_, answer) => answer.writeHead(200, { 'content-encoding': 'deflate' }).end(deflateSync('a 1\n')),
      /^unreachable: .*wasn't asked for: "deflate"/,
    ],
  ])('fails if the answer %s', async (_, listener, said) => {
    expect(await failure(get(await serve(listener)))).toMatch(said);
  });

  it('ends when its time is over, before and within the body', async () => {
    const url = await serve(({ url: path }, response) => {
      if (path === '/body') response.writeHead(200).write('a 1\n');
    });
    for (const at of [url, new URL('/body', url.href)]) {
      expect(await failure(get(at, { timeoutMs: 50 }))).toBe('timeout: no whole page within 50 ms');
    }
  });

  it('ends when the relay does', async () => {
    const stop = new AbortController();
    const url = await serve(() => stop.abort());
    expect(await failure(get(url, { signal: stop.signal }))).toMatch(/^AbortError/);
  });

  it('tries once more if a kept connection was closed at that very moment', async () => {
    let asked = 0;
    const url = await serve((request, response) => {
      asked++;
      if (asked === 2) request.socket.resetAndDestroy();
      else response.end(`a ${asked}\n`);
    });
    expect((await get(url))[0]!.value).toBe(1);
    expect((await get(url))[0]!.value).toBe(3);
  });
});
