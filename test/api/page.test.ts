import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { count, duration, size, utc } from '../../src/api/format.ts';
import { html } from '../../src/api/html.ts';
import { shownUrl } from '../../src/api/secrets.ts';
import {
  ask,
  endpointStats,
  ledgerStats,
  shardStats,
  startApi,
  statusOf,
  statusWith,
  stopAll,
  tenantStats,
} from './support.ts';

afterEach(stopAll);

async function page(status = statusOf(), readiness = { ready: true, reasons: [] as string[] }): Promise<string> {
  const { port } = await startApi({ status: () => status, readiness: () => readiness });
  return (await ask(port, '/')).body;
}

describe('the status page', () => {
  it('is HTML that may run nothing and refreshes itself', async () => {
    const { port } = await startApi();
    const { status, headers, body } = await ask(port, '/');
    expect([status, headers['content-type']]).toEqual([200, 'text/html; charset=utf-8']);
    expect(body).toMatch(/^<!doctype html>/);
    expect(body).toContain('<meta http-equiv="refresh" content="5">');
    expect(body).toContain('width=device-width');
    expect(body).not.toMatch(/<script| style=| on\w+=/i);
    const style = /<style>(.*?)<\/style>/s.exec(body)![1]!;
    const hash = createHash('sha256').update(style).digest('base64');
    expect(headers['content-security-policy']).toContain(`default-src 'none'; style-src 'sha256-${hash}'`);
    expect(style).toContain('prefers-color-scheme: dark');
  });

  it('shows each stage with its count and what it dropped', async () => {
    const body = await page();
    const cards = [...body.matchAll(/<h3>(.*?)<\/h3>\s*<div class="count">(.*?) <small>(.*?)<\/small>/g)].map((match) =>
      match.slice(1),
    );
    expect(cards).toEqual([
      ['Received', '48,260', 'spans'],
      ['Decoded', '48,211', 'spans'],
      ['In slack', '48,099', 'spans'],
      ['Kept', '48,099', 'spans'],
      ['Paired', '11,876', 'edges'],
      ['Series', '4,120', 'series'],
      ['Durable', '41', 'boundaries'],
      ['Sent', '168,900', 'samples'],
    ]);
    expect(body).toContain('<li>112 spans: outside_metrics_ingestion_slack</li>');
    expect(body).toContain('Spans get through every stage.');
  });

  it('names the first empty stage and says what to look at', async () => {
    const body = await page(statusWith({ completedEdges: 0, pendingEdges: 0, expiredEdges: 0 }));
    expect(body).toContain('First empty stage: Paired. No span began an edge');
    expect(body).toMatch(/<li class="zero first"><h3>Paired/);
    expect(body.match(/ first"/g)).toHaveLength(1);
  });

  it('says why it is not ready', async () => {
    const body = await page(statusOf(), { ready: false, reasons: ['the ledger is being recovered'] });
    expect(body).toContain('not ready');
    expect(body).toContain('Not ready: the ledger is being recovered');
  });

  it('links to the other pages, and these exist', async () => {
    const { port } = await startApi();
    const links = [...(await ask(port, '/')).body.matchAll(/href="([^"]*)"/g)].map(([, href]) => href!);
    expect(links).toEqual(['/span-metrics', '/metrics', '/status', '/ready']);
    for (const link of links) expect((await ask(port, link)).status).toBe(200);
  });

  it('escapes whatever comes from outside', async () => {
    const evil = `<script>alert('x')</script>"&`;
    const view = statusOf({
      version: evil,
      api: evil,
      receivers: [{ name: evil, address: evil }],
      log: { kind: 'embedded', path: evil, partitions: [] },
      undecodable: new Map([[evil, 1]]),
      shards: [
        {
          shard: 0,
          stats: shardStats({ tenants: [tenantStats({ tenant: evil, discarded: [[`${evil} p`, 1]] })] }),
          ledger: ledgerStats({ endpoints: [endpointStats({ name: evil, url: evil, lastError: evil })] }),
        },
      ],
    });
    const body = await page(view, { ready: false, reasons: [evil] });
    expect(body).not.toContain('<script');
    expect(body.match(/&lt;script&gt;alert\(&#39;x&#39;\)&lt;\/script&gt;&quot;&amp;/g)!.length).toBeGreaterThanOrEqual(
      9,
    );
  });

  it('shows at most fifty tenants and says how many more there are', async () => {
    const tenants = Array.from({ length: 1_060 }, (_, i) =>
      tenantStats({ tenant: `tenant-${i}`, spansReceived: 5_000 - i }),
    );
    const view = statusOf({ shards: [{ shard: 0, stats: shardStats({ tenants }), ledger: ledgerStats() }] });
    const body = await page(view);
    expect(body.match(/>tenant-\d+</g)).toHaveLength(50);
    expect(body).toContain('and 1,010 more in');
    const { port } = await startApi({ status: () => view });
    const json = JSON.parse((await ask(port, '/status')).body);
    expect([json.tenants.length, json.tenantsLeftOut]).toEqual([1_000, 60]);
  });

  it('stands where nothing has reported yet', async () => {
    const body = await page(
      statusOf({ shards: [], endpoints: [], latencies: [], log: { kind: 'embedded', path: 'x', partitions: [] } }),
    );
    expect(body).not.toMatch(/undefined|NaN|Infinity|\[object/);
    expect(body).toContain('</html>');
  });
});

describe('GET /status', () => {
  it('is the view as JSON, with the pipeline and its findings', async () => {
    const { port } = await startApi();
    const answer = await ask(port, '/status');
    expect(answer.headers['content-type']).toBe('application/json');
    const json = JSON.parse(answer.body);
    expect(json).toMatchObject({ ...JSON.parse(JSON.stringify(statusOf())), tenantsLeftOut: 0 });
    expect(json.pipeline).toMatchObject({ findings: [{ severity: 'ok' }] });
    expect(json.pipeline.stages.map(({ id }: { id: string }) => id)).toEqual([
      'received',
      'decoded',
      'in_slack',
      'kept',
      'paired',
      'series',
      'durable',
      'sent',
    ]);
  });
});

describe('credentials in the address of an endpoint', () => {
  it('leave neither by the page nor by /status, also not inside an error', async () => {
    const url = 'https://user:hunter2@mimir.example/api/v1/push?token=s3cret&x=1';
    const lastError = `POST ${url}: 503, for /api/v1/push?token=s3cret&x=1`;
    const endpoint = endpointStats({ url, lastError, settledMs: 1 });
    const shards = [{ shard: 0, stats: shardStats(), ledger: ledgerStats({ endpoints: [endpoint] }) }];
    const view = statusOf({ shards, endpoints: [{ name: 'prometheus', url }] });
    const { port } = await startApi({ status: () => view });
    for (const path of ['/', '/status']) {
      const { body } = await ask(port, path);
      expect(body).not.toMatch(/hunter2|s3cret|user:/);
      expect(body).toContain('https://mimir.example/api/v1/push?token=…');
      expect(body).toMatch(/503, for \/api\/v1\/push\?token=…&(amp;)?x=1/);
    }
  });

  it.each([
    ['http://127.0.0.1:9090/api/v1/write', 'http://127.0.0.1:9090/api/v1/write'],
    ['https://token@host/', 'https://host/'],
    ['not a url with secret', '(not a URL)'],
  ])('%s is shown as %s', (url, shown) => {
    expect(shownUrl(url)).toBe(shown);
  });
});

describe('html', () => {
  it('lets no text end what it stands in', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(html`<p title="${text}">${[text]}</p>`.text).toMatch(/^<p title="[^<>"']*">[^<>"']*<\/p>$/);
      }),
    );
  });

  it('keeps HTML that was made by it', () => {
    expect(html`<ul>${['a<', 1].map((item) => html`<li>${item}</li>`)}</ul>`.text).toBe(
      '<ul><li>a&lt;</li><li>1</li></ul>',
    );
  });
});

describe('numbers', () => {
  it.each([
    [count(0), '0'],
    [count(999), '999'],
    [count(1_234_567), '1,234,567'],
    [size(1_023), '1023 B'],
    [size(1_536), '1.5 KiB'],
    [size(300 * 2 ** 20), '300 MiB'],
    [duration(0), '0 ms'],
    [duration(0.214), '0.21 ms'],
    [duration(850.4), '850 ms'],
    [duration(12_000), '12 s'],
    [duration(725_000), '12 min 5 s'],
    [duration(7_200_000), '2 h'],
    [duration(273_600_000), '3 d 4 h'],
    [utc(0), '1970-01-01 00:00:00'],
    [utc(undefined), undefined],
    [utc(Number.POSITIVE_INFINITY), undefined],
  ])('%s is written as %s', (shown, expected) => {
    expect(shown).toBe(expected);
  });
});
