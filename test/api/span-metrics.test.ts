import { gunzipSync } from 'node:zlib';
import { afterEach, describe, expect, it } from 'vitest';
import { OPENMETRICS_TYPE, TEXT_TYPE } from '../../src/api/negotiate.ts';
import * as shard from '../../src/shard/index.ts';
import { ask, startApi, stopAll } from './support.ts';

const PATH = '/span-metrics';
const PROMETHEUS_3 =
  'application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1;q=0.5,' +
  'text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2';
const PROTOBUF_FIRST =
  'application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.6,text/plain;version=0.0.4;q=0.5,*/*;q=0.1';

afterEach(stopAll);

describe('GET /span-metrics', () => {
  it('answers the one tenant as Prometheus text that nobody may cache', async () => {
    const { port, asked } = await startApi();
    const answer = await ask(port, PATH);
    expect(answer).toMatchObject({ status: 200, body: 'calls_total{tenant="single-tenant"} 1\n' });
    expect(answer.headers['content-type']).toBe(TEXT_TYPE);
    expect(answer.headers['cache-control']).toBe('no-store');
    expect(answer.headers['vary']).toBe('Accept, Accept-Encoding');
    expect(asked).toEqual([['single-tenant', false]]);
  });

  it('asks the provider again for each request', async () => {
    let n = 0;
    const { port } = await startApi({ spanMetrics: async () => `calls_total ${++n}\n` });
    expect((await ask(port, PATH)).body).toBe('calls_total 1\n');
    expect((await ask(port, PATH)).body).toBe('calls_total 2\n');
  });

  it('says the content types that the texts are written in', () => {
    expect([TEXT_TYPE, OPENMETRICS_TYPE]).toEqual([shard.TEXT_TYPE, shard.OPENMETRICS_TYPE]);
  });

  it.each([
    [undefined, false],
    ['', false],
    ['*/*', false],
    ['text/plain', false],
    ['application/json', false],
    ['application/openmetrics-text', true],
    ['Application/OpenMetrics-Text; Version=1.0.0', true],
    ['application/openmetrics-text; version="1.0.0"', true],
    ['application/openmetrics-text; version=0.0.1', false],
    ['application/openmetrics-text; version=2.0.0', false],
    ['application/openmetrics-text;q=0', false],
    ['application/openmetrics-text;q=0.5, text/plain;q=0.4', true],
    ['application/openmetrics-text;q=0.4, text/plain;q=0.5', false],
    ['text/plain;q=0.5, application/openmetrics-text;q=0.500', false],
    ['application/openmetrics-text, text/plain', true],
    ['text/plain;q=0, application/openmetrics-text;q=0.001', true],
    ['*/*, application/openmetrics-text;q=0.1', true],
    ['application/openmetrics-text;q=nonsense, text/plain', false],
    ['application/openmetrics-text;q=7', false],
    [',;=,;;q,=;application/openmetrics-text', false],
    [PROMETHEUS_3, true],
    [PROTOBUF_FIRST, false],
  ])('for Accept: %s, OpenMetrics is %s', async (accept, openMetrics) => {
    const { port, asked } = await startApi();
    const answer = await ask(port, PATH, accept === undefined ? {} : { accept });
    expect(answer.status).toBe(200);
    expect(answer.headers['content-type']).toBe(openMetrics ? OPENMETRICS_TYPE : TEXT_TYPE);
    expect(asked).toEqual([['single-tenant', openMetrics]]);
  });

  it('is empty for a tenant that has no boundary, and ends as OpenMetrics must', async () => {
    const { port } = await startApi({ spanMetrics: async () => undefined });
    expect(await ask(port, PATH)).toMatchObject({ status: 200, body: '' });
    const openMetrics = await ask(port, PATH, { accept: 'application/openmetrics-text' });
    expect(openMetrics).toMatchObject({ status: 200, body: '# EOF\n' });
  });

  it.each([
    ['gzip', true],
    ['deflate, gzip;q=0.5', true],
    ['*', true],
    ['GZIP', true],
    ['x-gzip', true],
    ['gzip;q=0', false],
    ['gzip;q=0, *', false],
    ['*;q=0', false],
    ['identity', false],
    ['br', false],
    [undefined, false],
  ])('for Accept-Encoding: %s, gzip is %s', async (encoding, isZipped) => {
    const text = 'calls_total{service="checkout"} 1\n'.repeat(500);
    const { port } = await startApi({ spanMetrics: async () => text });
    const { headers, raw } = await ask(port, PATH, encoding === undefined ? {} : { 'accept-encoding': encoding });
    expect(headers['content-encoding']).toBe(isZipped ? 'gzip' : undefined);
    expect((isZipped ? gunzipSync(raw) : raw).toString()).toBe(text);
    expect(Number(headers['content-length'])).toBe(raw.length);
  });

  it('leaves short answers unzipped', async () => {
    const { port } = await startApi();
    expect((await ask(port, PATH, { 'accept-encoding': 'gzip' })).headers['content-encoding']).toBeUndefined();
  });

  it('pays no attention to X-Scope-OrgID where there is one tenant', async () => {
    const { port, asked } = await startApi();
    await ask(port, PATH, { 'x-scope-orgid': 'somebody' });
    expect(asked).toEqual([['single-tenant', false]]);
  });

  it('takes the tenant from X-Scope-OrgID where there are many', async () => {
    const { port, asked } = await startApi({}, { multitenancy: true });
    expect((await ask(port, PATH, { 'X-Scope-OrgID': "team-a_(1).*!'" })).status).toBe(200);
    expect(asked).toEqual([["team-a_(1).*!'", false]]);
  });

  it('refuses a request that names no tenant', async () => {
    const { port, asked } = await startApi({}, { multitenancy: true });
    expect(await ask(port, PATH)).toMatchObject({ status: 401, body: 'no org id\n' });
    expect(await ask(port, PATH, { 'x-scope-orgid': '' })).toMatchObject({ status: 401, body: 'no org id\n' });
    expect(asked).toEqual([]);
  });

  it.each([['..'], ['.'], ['a/b'], ['a|b'], ['a b'], ['<script>'], ['x'.repeat(151)], ['ä'], [['a', 'b']]])(
    'refuses the tenant %j',
    async (tenant) => {
      const { port, asked } = await startApi({}, { multitenancy: true });
      const answer = await ask(port, PATH, { 'x-scope-orgid': tenant });
      expect(answer.status).toBe(400);
      expect(answer.headers['content-type']).toBe('text/plain; charset=utf-8');
      expect(answer.body.trimEnd().split('\n')).toHaveLength(1);
      expect(asked).toEqual([]);
    },
  );

  it('answers 500 in one line and logs the cause if the provider fails', async () => {
    const { port, errors } = await startApi({ spanMetrics: () => Promise.reject(new Error('secret detail')) });
    const answer = await ask(port, PATH);
    expect(answer).toMatchObject({ status: 500, body: 'internal error: the log says more\n' });
    expect(errors).toMatchObject([{ err: { message: 'secret detail' }, path: PATH }]);
    expect((await ask(port, '/-/healthy')).status).toBe(200);
  });

  it('answers 503 if the workers never do', async () => {
    const { port } = await startApi({ spanMetrics: () => new Promise(() => undefined) }, { providerTimeoutMs: 5 });
    const answer = await ask(port, PATH);
    expect(answer).toMatchObject({ status: 503, body: 'the newest boundary did not come within 5 ms\n' });
  });
});
