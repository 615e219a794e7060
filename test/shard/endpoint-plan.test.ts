// What of a `remote_write` entry reaches the writer, and what is said at the start of an entry that can't work.

import { mkdtempSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createSeries, FORBIDDEN_HEADERS } from 'remote-write-ts';
import { describe, expect, it } from 'vitest';
import { describeEffective, loadConfig } from '../../src/config/index.ts';
import { endpointPlan, endpointProblem } from '../../src/endpoint-plan.ts';
import { httpWriter, refusingWriter } from '../../src/shard/renewable-writer.ts';

const load = (keys: string) =>
  loadConfig({ text: `metrics_generator: {storage: {remote_write: [{url: "https://p/write", name: p, ${keys}}]}}` })
    .config;
const endpoint = (keys: string) => load(keys).remoteWrite.endpoints[0]!;
const connection = (keys: string) => endpointPlan(endpoint(keys), { AWS_REGION: 'eu-west-1' }).connection;

const dir = mkdtempSync(join(tmpdir(), 'endpoint-plan-'));
const file = join(dir, 'secret');
writeFileSync(file, 'from the file\n');

describe('the plan of an endpoint', () => {
  it('leaves secrets in their files, as they may change, and reads what is read once', () => {
    expect(connection(`basic_auth: {username_file: "${file}", password_file: "${file}"}`).basicAuth).toEqual({
      username: 'from the file',
      password: { file },
    });
    expect(connection(`authorization: {type: Token, credentials_file: "${file}"}`).authorization).toEqual({
      type: 'Token',
      credentials: { file },
    });
    expect(endpointPlan(endpoint(`headers: {A: a}, http_headers: {B: {files: ["${file}"]}}`)).headers).toEqual({
      A: 'a',
      B: 'from the file',
    });
  });

  it('says TLS versions as Node.js does, also towards a token server', () => {
    const tls = 'tls_config: {ca_file: /ca, min_version: TLS11, max_version: TLS13, server_name: s}';
    const wanted = {
      caFile: '/ca',
      minVersion: 'TLSv1.1',
      maxVersion: 'TLSv1.3',
      serverName: 's',
      insecureSkipVerify: false,
    };
    expect(connection(tls).tls).toEqual(wanted);
    const oauth2 = `oauth2: {client_id: i, client_secret: s, token_url: "https://t", ${tls}, proxy_url: "http://q"}`;
    expect(connection(oauth2).oauth2).toMatchObject({ tls: wanted, proxy: { url: 'http://q' } });
  });

  it('takes the region of SigV4 from the environment where the file has none', () => {
    expect(connection('sigv4: {}').sigv4).toEqual({ service: 'aps', region: 'eu-west-1' });
    expect(connection('sigv4: {region: us-east-1}').sigv4).toMatchObject({ region: 'us-east-1' });
  });

  it('has the protocol, redirects and proxy as written', () => {
    expect(connection('')).toMatchObject({ protocol: '1.0', followRedirects: true });
    expect(
      connection(
        'protobuf_message: io.prometheus.write.v2.Request, follow_redirects: false, proxy_from_environment: true',
      ),
    ).toMatchObject({ protocol: 'auto', followRedirects: false, proxy: 'env' });
  });
});

describe('an endpoint that can’t work', () => {
  it.each([
    [`tls_config: {ca_file: ${dir}/missing}`, /"p": the file of ca can't be read/],
    [`http_headers: {A: {files: [${dir}/missing]}}`, /"p": ENOENT.*missing/],
    ['sigv4: {access_key: a, secret_key: b}', /"p": sigv4 needs a region/],
  ])('is named at the start: %s', async (keys, message) => {
    expect(await endpointProblem(endpoint(keys), {})).toMatch(message);
  });

  it('is none if all is well', async () => {
    expect(await endpointProblem(endpoint(''), {})).toBeUndefined();
  });
});

it('no secret of an endpoint is printed', () => {
  const config = load(
    'proxy_url: "http://u:hunter2@q", proxy_connect_header: {A: [hunter2]}, http_headers: {B: {secrets: [hunter2]}}, ' +
      'oauth2: {client_id: i, client_secret: hunter2, token_url: "http://t", proxy_url: "http://u:hunter2@q"}',
  );
  const printed = JSON.stringify(describeEffective(config));
  expect(printed).toContain('https://p/write');
  expect(printed).not.toContain('hunter2');
});

describe('the writer of a tenant', () => {
  const plan = (keys: string) => endpointPlan(endpoint(keys));
  const listen = async (write: (url: string) => Promise<unknown>) => {
    const seen: IncomingHttpHeaders[] = [];
    const server = createServer((request, response) => {
      seen.push(request.headers);
      request.resume();
      response.writeHead(204).end();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    await write(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
    server.closeAllConnections();
    server.close();
    return seen;
  };
  const points = [
    { kind: 'sample' as const, series: createSeries([['__name__', 'up']]), value: 1, timestampMs: 1_767_225_600_000 },
  ];

  it.each([
    ['Bearer t', 'Bearer t'],
    ['Token  a b', 'Token a b'],
    [`Basic ${Buffer.from('u:p:q').toString('base64')}`, `Basic ${Buffer.from('u:p:q').toString('base64')}`],
  ])('takes an Authorization of its own in place of the endpoint’s: %s', async (given, sent) => {
    const seen = await listen(async (url) => {
      const writer = httpWriter({ ...plan('basic_auth: {username: a, password: b}'), url }, { AUTHORIZATION: given });
      await writer.write(points);
      await writer.close();
    });
    expect(seen.map(({ authorization }) => authorization)).toEqual([sent]);
  });

  it('that can not be made refuses what it is given, with the reason', async () => {
    const outcome = await refusingWriter(new Error('no such header')).write(points);
    expect(outcome).toMatchObject({
      kind: 'settled',
      failed: { samples: 1 },
      refusals: [{ message: 'no such header' }],
    });
  });
});

it('the schema refuses every header that the package would', () => {
  for (const name of FORBIDDEN_HEADERS)
    expect(() => load(`headers: {${name}: x}`), name).toThrow(/belongs to the protocol|use authorization/);
});
