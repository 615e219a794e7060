// The command in this process, from a page to a receiver that decodes by itself.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, describe, expect, it } from 'vitest';
import {
  closeMocks,
  type Judge,
  type Mock,
  oldReceiver,
  startMock,
} from '../../packages/remote-write-ts/test/client/mock.ts';
import { relayCommand } from '../../src/relay/index.ts';
import { named, ofPage, ownLabels } from './support/rules.ts';
import { closeTargets, type Page, startTarget, type Target } from './support/target.ts';

const running: { stop: () => Promise<number> }[] = [];

afterEach(async () => {
  for (const { stop } of running.splice(0)) await stop();
  await closeTargets();
  await closeMocks();
});

function start(args: string[]) {
  const abort = new AbortController();
  const written = { stdout: '', stderr: '' };
  const into = (stream: 'stdout' | 'stderr') => ({
    write: (text: string) => {
      written[stream] += text;
    },
  });
  const done = relayCommand(args, { stdout: into('stdout'), stderr: into('stderr'), signal: abort.signal });
  const relay = {
    written,
    stop() {
      abort.abort();
      return done;
    },
    done,
  };
  running.push(relay);
  return relay;
}

async function relay(
  page: (scrape: number) => Page | string | 'hang',
  { judge, scrapes = 3, args = [] }: { judge?: Judge; scrapes?: number; args?: string[] } = {},
): Promise<{ mock: Mock; target: Target; log: string }> {
  const mock = await startMock(judge);
  const target = await startTarget(page);
  const running = start([
    '--target',
    target.url,
    '--remote-write',
    mock.url,
    '--interval',
    '50ms',
    '--job',
    'shop',
    ...args,
  ]);
  await target.scraped(scrapes + 1);
  expect(await running.stop()).toBe(0);
  return { mock, target, log: running.written.stderr };
}

const eof = (...lines: string[]) => `${lines.join('\n')}\n# EOF\n`;

describe('the relay', () => {
  it('asks for OpenMetrics first, says who it is and how long it waits', async () => {
    const { target } = await relay(() => eof('a 1'), { args: ['--timeout', '40ms'] });
    const { path, headers } = target.scrapes[0]!;
    expect(path).toBe('/metrics');
    expect(headers.accept).toMatch(/^application\/openmetrics-text;version=1.0.0/);
    expect(headers.accept).toContain('text/plain;version=0.0.4');
    expect(headers['user-agent']).toMatch(/^spanmill-rw-relay\//);
    expect(headers['x-prometheus-scrape-timeout-seconds']).toBe('0.04');
  });

  it('finds out that a receiver knows only 1.0, and loses nothing', async () => {
    const { mock } = await relay((scrape) => eof('# TYPE a counter', `a_total ${scrape}`), { judge: oldReceiver });
    expect(mock.requests[0]!.protocol).toBe('2.0');
    const taken = mock.requests.filter(({ protocol }) => protocol === '1.0');
    const values = named(
      taken.flatMap(({ series }) => series),
      'a_total',
    ).flatMap(({ samples }) => samples.map(({ value }) => value));
    expect(values.slice(0, 3)).toEqual([1, 2, 3]);
    expect(taken.flatMap(({ metadata }) => metadata)).toContainEqual({
      type: 'COUNTER',
      metric_family_name: 'a',
      help: '',
      unit: '',
    });
  });

  it('adds labels from outside where a series has none of that name', async () => {
    const { mock } = await relay(() => eof('a{zone="own"} 1', 'b 1'), {
      args: ['--external-label', 'zone=eu', '--external-label', 'job=never'],
    });
    const { series } = mock.requests[0]!;
    expect(ownLabels(named(series, 'a')[0]!)).toEqual({ zone: 'own' });
    expect(ownLabels(named(series, 'b')[0]!)).toEqual({ zone: 'eu' });
    expect(named(series, 'up')[0]!.labels).toMatchObject({ zone: 'eu', job: 'shop' });
  });

  it('lets the page’s own job and instance be where they are honoured', async () => {
    const { mock } = await relay(() => eof('a{job="own",instance=""} 1'), { args: ['--honor-labels'] });
    expect(named(mock.requests[0]!.series, 'a')[0]!.labels).toEqual({ __name__: 'a', job: 'own' });
  });

  it('sends nothing of a malformed page, says the line, ends the series, and goes on with the next', async () => {
    const { mock, log } = await relay((scrape) => (scrape === 2 ? eof('a 2', 'b{x=1} 2') : eof(`a ${scrape}`)));
    const series = mock.requests.flatMap((request) => request.series);
    expect(
      named(series, 'a')
        .flatMap(({ samples }) => samples.map(({ value }) => value))
        .slice(0, 3),
    ).toEqual([1, Number.NaN, 3]);
    expect(
      named(series, 'up')
        .flatMap(({ samples }) => samples.map(({ value }) => value))
        .slice(0, 3),
    ).toEqual([1, 0, 1]);
    expect(named(series, 'b')).toEqual([]);
    expect(log).toContain('line 2: the value of label "x" is not in quotes');
  });

  it.each<[string, (scrape: number) => Page | string | 'hang', string]>([
    ['no answer in time', () => 'hang', 'no whole page within 50 ms'],
    ['a bad status', () => ({ body: eof('a 1'), status: 503 }), 'the target answered 503'],
  ])('says up 0 on %s', async (_title, page, said) => {
    const { mock, log } = await relay(page);
    const { series } = mock.requests[0]!;
    expect(ofPage(series)).toEqual([]);
    expect(named(series, 'up')[0]!.samples[0]!.value).toBe(0);
    expect(log).toContain(said);
  });

  it('reads a compressed page, and follows a redirect', async () => {
    const server = createServer((request, response) => {
      if (request.url === '/metrics') response.writeHead(302, { location: '/moved' }).end();
      else response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync('a 7\n'));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    try {
      const mock = await startMock();
      const { port } = server.address() as AddressInfo;
      start(['--target', `http://127.0.0.1:${port}`, '--remote-write', mock.url, '--interval', '10s']);
      await mock.arrived(1);
      expect(named(mock.requests[0]!.series, 'a')[0]!.samples[0]!.value).toBe(7);
    } finally {
      server.closeAllConnections();
      server.close();
    }
  });
});

describe('its own address', () => {
  it('says that it runs and how it goes, in a form that it could relay itself', async () => {
    const mock = await startMock();
    const target = await startTarget(() => eof('a_total 1 # {x="1"} 1', 'a_total 2', 'b 1'));
    const running = start([
      ...['--target', target.url, '--remote-write', mock.url, '--interval', '50ms'],
      ...['--web.listen-address', '127.0.0.1:0'],
    ]);
    await target.scraped(3);
    const port = /listens on port (\d+)/.exec(running.written.stderr)![1];
    const get = (path: string, method = 'GET') => fetch(`http://127.0.0.1:${port}${path}`, { method });
    expect((await get('/-/ready')).status).toBe(200);
    expect((await get('/-/healthy')).status).toBe(200);
    expect((await get('/')).status).toBe(404);
    expect((await get('/metrics', 'POST')).status).toBe(405);

    const second = start([
      ...['--target', `http://127.0.0.1:${port}`, '--remote-write', mock.url, '--interval', '1h', '--job', 'self'],
      ...['--web.listen-address', '127.0.0.1:0'],
    ]);
    const own = async () => {
      const [, of] = /listens on port (\d+)/.exec(second.written.stderr) ?? [];
      return of === undefined ? '' : await (await fetch(`http://127.0.0.1:${of}/metrics`)).text();
    };
    await expect.poll(own, { timeout: 30_000 }).toContain('scrapes_total{outcome="ok"} 1');
    await second.stop();
    const { series } = mock.requests.at(-1)!;
    const value = (name: string, label?: [string, string]) =>
      named(series, name).find(({ labels }) => label === undefined || labels[label[0]] === label[1])!.samples[0]!.value;
    expect(value('spanmill_relay_series')).toBe(2);
    const scrapes = value('spanmill_relay_scrapes_total', ['outcome', 'ok']);
    expect(scrapes).toBeGreaterThanOrEqual(2);
    expect(value('spanmill_relay_scraped_samples_total')).toBe(3 * scrapes);
    expect(value('spanmill_relay_discarded_total', ['reason', 'duplicate'])).toBe(scrapes);
    expect(named(series, 'spanmill_relay_scrapes_total')[0]!.metadata).toMatchObject({ type: 'COUNTER' });
    // Its endpoint as Prometheus would show it.
    const [taken] = named(series, 'prometheus_remote_storage_samples_in_total');
    expect(taken!.labels).toEqual({ __name__: taken!.labels['__name__'], job: 'self', instance: `127.0.0.1:${port}` });
    expect(taken!.samples[0]!.value).toBeGreaterThanOrEqual(5 * (scrapes - 1));
    const [sent] = named(series, 'prometheus_remote_storage_samples_total');
    expect(ownLabels(sent!)).toEqual({ remote_name: 'default', url: mock.url });
    expect(named(series, 'prometheus_remote_storage_sent_batch_duration_seconds_bucket')).toHaveLength(16);
    await running.stop();
  });

  it('that is taken ends it with 1', async () => {
    const target = await startTarget(() => eof('a 1'));
    const running = start([
      ...['--target', target.url, '--remote-write', 'http://127.0.0.1:1/'],
      ...['--web.listen-address', target.address],
    ]);
    expect(await running.done).toBe(1);
    expect(running.written.stderr).toContain('EADDRINUSE');
  });
});

describe('the command', () => {
  it('ends with 2 and a line for flags and options that can not work', async () => {
    for (const [args, said] of [
      [['--nonsense'], 'no such flag: --nonsense'],
      [['--target', 'http://a', '--remote-write', 'http://r', '--external-label', '='], 'name=value'],
      [['--config.file', '/does/not/exist'], 'ENOENT'],
      [['--target', 'http://a', '--remote-write', 'http://r', '--external-label', '=x'], 'name=value'],
      [['--target', 'http://a', '--remote-write', 'http://r', '--job', '\ud800'], 'lone surrogate'],
    ] as const) {
      const running = start([...args]);
      expect(await running.done).toBe(2);
      expect(running.written.stderr).toMatch(new RegExp(`^spanmill rw-relay: .*${said}.*\n$`));
    }
  });

  it('explains itself', async () => {
    const running = start(['--help']);
    expect(await running.done).toBe(0);
    expect(running.written.stdout).toContain('--web.listen-address');
  });

  it('authorizes itself, and never says the password, even if the receiver does', async () => {
    const mock = await startMock(({ headers }) => ({
      status: 403,
      body: `no: ${headers.authorization} correct horse`,
    }));
    const target = await startTarget(() => eof('a 1'));
    const dir = mkdtempSync(join(tmpdir(), 'spanmill-relay-'));
    const file = join(dir, 'prometheus.yml');
    writeFileSync(
      file,
      `global: { scrape_interval: 50ms }
scrape_configs: [{ job_name: test, static_configs: [{ targets: ['${target.address}'] }] }]
remote_write: [{ url: '${mock.url}', headers: { X-Tenant: t }, basic_auth: { username: u, password: correct horse } }]
`,
    );
    const running = start(['--config.file', file]);
    await target.scraped(3);
    expect(await running.stop()).toBe(0);
    rmSync(dir, { recursive: true });
    const basic = Buffer.from('u:correct horse').toString('base64');
    expect(mock.requests[0]!.headers).toMatchObject({ authorization: `Basic ${basic}`, 'x-tenant': 't' });
    expect(running.written.stderr).toContain('status 403: no: ');
    expect(running.written.stderr).not.toContain(basic);
    expect(running.written.stderr).not.toContain('correct horse');
  });
});
