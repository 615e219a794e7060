// The per-tenant file changes under a running spanmill.

import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Spanmill } from './support/spanmill.ts';
import { waitFor } from './support/wait.ts';

const file = join(tmpdir(), `spanmill-overrides-${process.pid}.yaml`);
let serial = 0;

/** Whole or not at all, as a configuration that is deployed. */
function write(text: string): void {
  writeFileSync(`${file}.new`, text);
  renameSync(`${file}.new`, file);
}

async function call(spanmill: Spanmill, region: string): Promise<void> {
  const now = BigInt(Date.now()) * 1_000_000n;
  const traceId = (++serial).toString(16).padStart(32, 'a');
  const spanOf = (service: string, name: string, kind: number, spanId: string, parentSpanId: string) => ({
    resource: { attributes: [{ key: 'service.name', value: { stringValue: service } }] },
    scopeSpans: [
      {
        spans: [
          {
            traceId,
            spanId,
            parentSpanId,
            name,
            kind,
            startTimeUnixNano: String(now - 1_000_000n),
            endTimeUnixNano: String(now),
            attributes: [{ key: 'region', value: { stringValue: region } }],
          },
        ],
      },
    ],
  });
  const [client, server] = [serial.toString(16).padStart(16, 'b'), serial.toString(16).padStart(16, 'c')];
  const response = await fetch(`${spanmill.otlp}/v1/traces`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      resourceSpans: [spanOf('shop', 'pay', 3, client, ''), spanOf('bank', 'pay', 2, server, client)],
    }),
  });
  expect(response.status).toBe(200);
}

/** The value of the one series of that name with these labels; undefined if there is none. */
async function value(spanmill: Spanmill, name: string, ...labels: string[]): Promise<number | undefined> {
  const lines = (await spanmill.spanMetrics()).split('\n');
  const line = lines.find((text) => text.startsWith(`${name}{`) && labels.every((label) => text.includes(label)));
  return line === undefined ? undefined : Number(line.split('} ')[1]!.split(' ')[0]);
}

async function ownMetric(spanmill: Spanmill, name: string): Promise<number> {
  const text = await (await fetch(`${spanmill.url}/metrics`)).text();
  return Number(new RegExp(`^${name} (.*)$`, 'm').exec(text)![1]);
}

const EDGE = 'traces_service_graph_request_total';
const CALLS = 'traces_spanmetrics_calls_total';
const FAILURES = 'spanmill_overrides_reload_failures_total';

describe('the per-tenant file of a running spanmill', () => {
  let spanmill: Spanmill;
  const headers = new Set<string | undefined>();
  const receiver = createServer((request, response) => {
    headers.add(request.headers['x-token'] as string | undefined);
    request.resume().on('end', () => response.writeHead(204).end());
  });

  beforeAll(async () => {
    await new Promise<void>((resolve) => {
      receiver.listen(0, '127.0.0.1', resolve);
    });
    write('overrides: {}\n');
    spanmill = await Spanmill.start({
      remoteWrite: [`http://127.0.0.1:${(receiver.address() as AddressInfo).port}/`],
      intervalMs: 2_000,
      extra: `overrides: { per_tenant_override_config: ${file}, per_tenant_override_period: 200ms }`,
    });
  });
  afterAll(async () => {
    await spanmill?.remove();
    receiver.close();
    rmSync(file, { force: true });
  });

  it('brings a new dimension and a header in: edges go on, the series of the old labels end', async () => {
    for (let i = 0; i < 5; i++) await call(spanmill, 'north');
    await waitFor('the first boundary', async () => (await value(spanmill, EDGE)) === 5);
    expect(await value(spanmill, CALLS, 'service="shop"')).toBe(5);
    expect(await value(spanmill, CALLS, 'region=')).toBeUndefined();
    write(`overrides:
  single-tenant:
    metrics_generator:
      remote_write_headers: { X-Token: fresh }
      processor: { span_metrics: { dimensions: [region] } }
`);
    await waitFor('the old series to end', async () => (await value(spanmill, CALLS)) === undefined, 10_000);
    expect(await value(spanmill, EDGE)).toBe(5);
    for (let i = 0; i < 3; i++) await call(spanmill, 'south');
    await waitFor(
      'the new label',
      async () => (await value(spanmill, CALLS, 'service="shop"', 'region="south"')) === 3,
    );
    expect(await value(spanmill, EDGE)).toBe(8);
    await waitFor('the header', () => headers.has('fresh'));
    expect(await ownMetric(spanmill, FAILURES)).toBe(0);
    expect(spanmill.log).toContain('the per-tenant file changed');
  });

  it('says what holds for the tenant, and from where, without the secret', async () => {
    const list = await (await fetch(`${spanmill.url}/status/overrides`)).json();
    expect(list).toMatchObject({ merge: 'deep', file, tenants: ['single-tenant'] });
    const text = await (await fetch(`${spanmill.url}/status/overrides/single-tenant`)).text();
    expect(text).not.toContain('fresh');
    expect(JSON.parse(text).settings).toMatchObject({
      collection_interval: { value: '2s', source: 'metrics_generator' },
      'processor.span_metrics.dimensions': { value: ['region'], source: 'tenant' },
      'remote_write_headers.X-Token': { value: '<secret>', source: 'tenant' },
      max_active_series: { value: 0, source: 'default' },
    });
  });

  it.each([
    [
      'is wrong',
      () => write('overrides:\n  single-tenant: { metrics_generator: { processor: { spans: {} } } }\n'),
      ':2:',
    ],
    [
      'asks for an interval that only a restart can bring',
      () => write('overrides:\n  single-tenant: { metrics_generator: { collection_interval: 3s } }\n'),
      'restart it for this interval',
    ],
    ['vanishes', () => rmSync(file), 'ENOENT'],
  ])('keeps its settings when it %s, counts and says so', async (_, spoil, message) => {
    const before = await ownMetric(spanmill, FAILURES);
    const from = spanmill.log.length;
    spoil();
    // What is still wrong from before is counted at every reading too.
    await waitFor('the message', () => spanmill.log.slice(from).includes(message));
    expect(await ownMetric(spanmill, FAILURES)).toBeGreaterThan(before);
    expect(spanmill.log.slice(from)).toContain('the per-tenant file was not taken');
    const seconds = (await value(spanmill, CALLS, 'region="south"')) ?? 0;
    await call(spanmill, 'south');
    await waitFor('it to count on', async () => (await value(spanmill, CALLS, 'region="south"')) === seconds + 1);
    expect((await fetch(`${spanmill.url}/ready`)).status).toBe(200);
  });

  it('that is back is taken, also after a crash in between', async () => {
    const edges = (await value(spanmill, EDGE))!;
    write('overrides: {}\n');
    await spanmill.kill();
    await spanmill.resume();
    await call(spanmill, 'west');
    await waitFor('the edge', async () => (await value(spanmill, EDGE)) === edges + 1);
    await waitFor('no region any more', async () => !(await spanmill.spanMetrics()).includes('region='));
    expect(await value(spanmill, CALLS, 'service="shop"')).toBeGreaterThanOrEqual(1);
    expect(await ownMetric(spanmill, 'spanmill_overrides_last_reload_successful_timestamp_seconds')).toBeGreaterThan(0);
    expect(await spanmill.stop()).toBe(0);
  });
});
