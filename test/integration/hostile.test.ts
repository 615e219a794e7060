// What no honest client sends. Every group has a tenant of its own and sends a good span before, between and after: each of them
// must be counted, once, and nothing of what was refused. Long, as all groups attack one process, and its survival is the last test.

import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import * as net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as zlib from 'node:zlib';
import { status as code } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ConfigError, loadConfig } from '../../src/config/index.ts';
import { delimited, integer, keyValue, request, type SpanFields, span, value } from './support/crooked-otlp.ts';
import { LAUNCHER } from './support/spanmill.ts';
import { type Answer, type Sent, Victim } from './support/victim.ts';
import { waitFor } from './support/wait.ts';

const LIMIT = 20 * 1024 * 1024;
const LARGEST = 2n ** 64n - 1n;
const JSON_TYPE = 'application/json';

/** The same for the same seed (mulberry32). */
function randomOf(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}

function noise(seed: number, sizeBytes: number): Buffer {
  const random = randomOf(seed);
  return Buffer.from(Array.from({ length: sizeBytes }, () => random(256)));
}

let victim: Victim;
/** By tenant, what must have been counted. */
const expected = new Map<string, Record<string, number>>();

/** Sends each row with a good span before it, and one at the end. Afterwards exactly these are counted, and what `kept` names. */
async function amongGood<Row>(
  tenant: string,
  rows: readonly Row[],
  send: (row: Row) => Promise<unknown>,
  kept: Record<string, number> = {},
): Promise<unknown[]> {
  const good = async () => expect(await statusOf(victim.post({ body: request([span()]), tenant }))).toBe(200);
  const got: unknown[] = [];
  for (const row of rows) {
    await good();
    got.push(await send(row));
  }
  await good();
  await counted(tenant, { good: rows.length + 1, ...kept });
  return got;
}

async function counted(tenant: string, wanted: Record<string, number>): Promise<void> {
  expected.set(tenant, wanted);
  const total = (calls: Record<string, number>) => Object.values(calls).reduce((sum, count) => sum + count, 0);
  let calls: Record<string, number> = {};
  await waitFor(
    `${total(wanted)} calls of ${tenant}`,
    async () => {
      calls = await victim.calls(tenant);
      return total(calls) >= total(wanted);
    },
    20_000,
  ).catch(() => undefined);
  expect(calls).toEqual(wanted);
}

async function statusOf(answer: Promise<Answer | string>): Promise<number | string> {
  const got = await answer;
  return typeof got === 'string' ? got : got.status;
}

/** Rows of a name, what is sent, and the status that it must get; all statuses are compared at once. */
async function answersOf(
  tenant: string,
  rows: [name: string, sent: Sent, status: number][],
  kept?: Record<string, number>,
) {
  const got = await amongGood(tenant, rows, ([, sent]) => statusOf(victim.post({ tenant, ...sent })), kept);
  expect(rows.map(([name], i) => [name, got[i]])).toEqual(rows.map(([name, , status]) => [name, status]));
}

describe('a spanmill that is attacked', () => {
  beforeAll(async () => {
    victim = await Victim.start();
  });
  afterAll(async () => {
    await victim?.remove();
  });

  it('refuses protobuf that is none with 400, and says where it is wrong', async () => {
    const three = request([span({ name: 'cut' }), span({ name: 'cut' }), span({ name: 'cut' })]);
    const deep = (depth: number, kind: 'array' | 'map') =>
      request([span({ name: `${kind} ${depth} deep`, attributes: [keyValue('a', value('x', depth, kind))] })]);
    await answersOf(
      'protobuf',
      [
        ...[1, 2, 3, 4].map((seed): [string, Sent, number] => [
          `noise ${seed}`,
          { body: noise(seed, 10 ** seed) },
          400,
        ]),
        ...[1, 2, 40, three.length - 1].map((size): [string, Sent, number] => [
          `cut at ${size}`,
          { body: three.subarray(0, size) },
          400,
        ]),
        ['an array 10,000 deep', { body: deep(10_000, 'array') }, 400],
        ['a map 10,000 deep', { body: deep(10_000, 'map') }, 400],
        ['an array 64 deep', { body: deep(64, 'array') }, 200],
        ['JSON', { body: '{"resourceSpans":[]}' }, 400],
        ['a field number of 0', { body: Buffer.from([2, 0]) }, 400],
        ['a varint without an end', { body: Buffer.alloc(30, 0xff) }, 400],
        ['a length beyond all', { body: Buffer.from([10, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1]) }, 400],
        ['nothing', { body: '' }, 200],
      ],
      { 'array 64 deep': 1 },
    );
    const answer = (await victim.post({ body: three.subarray(0, 40), tenant: 'protobuf' })) as Answer;
    expect(answer.text).toContain('ExportTraceServiceRequest.resource_spans');
    expect(answer.text).toMatch(/bytes cut off at byte 1/);
  });

  it('refuses JSON that is none with 400, and says where it is wrong', async () => {
    const spans = (fields: string) => `{"resourceSpans":[{"scopeSpans":[{"spans":[{${fields}}]}]}]}`;
    const attribute = (any: string) => spans(`"attributes":[{"key":"a","value":${any}}]`);
    const nested = (open: string, close: string) => attribute(`${open.repeat(10_000)}{}${close.repeat(10_000)}`);
    const bad = [
      '',
      'null',
      '[]',
      '"text"',
      '{}{}',
      '\0',
      '['.repeat(1_000_000),
      '{"resourceSpans":{}}',
      '{"resourceSpans":[null]}',
      spans('"traceId":"zz"'),
      spans('"traceId":5'),
      spans('"kind":"NO_KIND"'),
      spans('"startTimeUnixNano":-1'),
      spans('"startTimeUnixNano":1.5'),
      spans('"endTimeUnixNano":"99999999999999999999999"'),
      spans('"name":1'),
      spans('"status":{"code":"NO_CODE"}'),
      attribute('{"intValue":"9223372036854775808"}'),
      attribute('{"bytesValue":"!!!"}'),
      attribute('{"intValue":1,"stringValue":"1"}'),
      nested('{"arrayValue":{"values":[', ']}}'),
      nested('{"kvlistValue":{"values":[{"key":"k","value":', '}]}}'),
    ];
    const odd = [
      '{}',
      '\ufeff{}',
      '{"resourceSpans":null}',
      '{"__proto__":{"resourceSpans":[{}]}}',
      '{"x":{"constructor":1}}',
    ];
    const rowOf =
      (status: number) =>
      (body: string): [string, Sent, number] => [body.slice(0, 60), { body, type: JSON_TYPE }, status];
    await answersOf('json', [...bad.map(rowOf(400)), ...odd.map(rowOf(200))]);
    const answer = (await victim.post({ body: spans('"kind":"NO_KIND"'), type: JSON_TYPE, tenant: 'json' })) as Answer;
    expect(JSON.parse(answer.text)).toMatchObject({
      code: 3,
      message: expect.stringContaining('resourceSpans[0].scopeSpans[0].spans[0].kind'),
    });
  });

  it('refuses bodies that are too large, or become it, and never holds them', async () => {
    const zeros = Buffer.alloc(16 * 1024 * 1024);
    // A member, or a block that ends on a byte, may follow another: 1 GiB in all.
    const gzip = Buffer.concat(Array<Buffer>(64).fill(zlib.gzipSync(zeros, { level: 1 })));
    const deflate = Buffer.concat(
      Array<Buffer>(64).fill(zlib.deflateRawSync(zeros, { level: 1, finishFlush: zlib.constants.Z_FULL_FLUSH })),
    );
    const zstd = zlib.zstdCompressSync(Buffer.alloc(64 * 1024 * 1024));
    const hundred = Buffer.alloc(100 * 1024 * 1024);
    const encoded = (body: Uint8Array, encoding: string): Sent => ({ body, headers: { 'content-encoding': encoding } });
    const whole = zlib.gzipSync(request([span({ name: 'gzip' })]));
    await answersOf(
      'large',
      [
        ['gzip of 1 GiB', encoded(gzip, 'gzip'), 413],
        ['deflate of 1 GiB', encoded(deflate, 'deflate'), 413],
        ['zstd of 64 MiB', encoded(zstd, 'zstd'), 413],
        ['100 MiB', { body: hundred }, 413],
        ['100 MiB in chunks', { body: hundred, isChunked: true }, 413],
        ['a byte over the limit', { body: hundred.subarray(0, LIMIT + 1) }, 413],
        ['gzip that is whole', encoded(whole, 'gzip'), 200],
        ['gzip that is cut', encoded(whole.subarray(0, -5), 'gzip'), 400],
        ['gzip with more behind it', encoded(Buffer.concat([whole, Buffer.from('more')]), 'gzip'), 400],
        ['noise as gzip', encoded(noise(5, 1_000), 'gzip'), 400],
        ['noise as deflate', encoded(noise(6, 1_000), 'deflate'), 400],
        ['noise as zstd', encoded(noise(7, 1_000), 'zstd'), 400],
      ],
      { gzip: 1 },
    );
    expect(victim.peakBytes).toBeLessThan(768 * 1024 * 1024);
  });

  it('refuses wrong types, encodings, methods and paths with the status of each', async () => {
    const body = request([span({ name: 'right' })]);
    const encoding = (name: string): Sent => ({ body, headers: { 'content-encoding': name } });
    await answersOf(
      'heads',
      [
        ['no type', { body, headers: { 'content-type': '' } }, 415],
        ['text', { body, type: 'text/plain' }, 415],
        ['two types', { body, type: 'application/x-protobuf, application/json' }, 415],
        ['a parameter', { body, type: 'Application/X-Protobuf; charset=utf-8' }, 200],
        ['br', encoding('br'), 415],
        ['gzip twice', encoding('gzip, gzip'), 415],
        ['identity', encoding('identity'), 200],
        ...['GET', 'PUT', 'DELETE', 'PATCH', 'OPTIONS'].map((method): [string, Sent, number] => [
          method,
          { method },
          405,
        ]),
        ...['/', '/v1/traces/', '//v1/traces', '/V1/traces', '/v1%2ftraces', '/v1/metrics'].map(
          (path): [string, Sent, number] => [path, { body, path }, 404],
        ),
        ['a query', { body, path: '/v1/traces?a=b' }, 200],
        ['a header of 20 KB', { body, headers: { 'x-long': 'a'.repeat(20_000) } }, 431],
      ],
      { right: 3 },
    );
  });

  it('keeps requests on one socket apart, whatever comes between or instead of them', async () => {
    const head =
      'POST /v1/traces HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-protobuf\r\nX-Scope-OrgID: sockets\r\n';
    const whole = (body: Uint8Array) =>
      Buffer.concat([Buffer.from(`${head}Content-Length: ${body.length}\r\n\r\n`), body]);
    const one = () => whole(request([span({ name: 'piped' })]));
    const four = Buffer.concat([one(), whole(Buffer.from('garbage')), one(), one()]);
    const rows: [bytes: Uint8Array | string, statuses: string[]][] = [
      [four, ['200', '400', '200', '200']],
      ['\x16\x03\x01\x02\0\x01\0\r\n\r\n', ['400']],
      [`${head}Content-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef`, ['400']],
      [`${head}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`, ['400']],
      [`${head}Content-Length: -5\r\n\r\n`, ['400']],
      [`${head}Content-Length: 1000000000000000\r\n\r\n`, ['413']],
      [`${head}Transfer-Encoding: chunked\r\n\r\nZZ\r\n`, ['400']],
      [`${head}Transfer-Encoding: chunked\r\n\r\n1;${'a'.repeat(100_000)}\r\n`, ['413']],
    ];
    const got = await amongGood(
      'sockets',
      rows,
      async ([bytes, statuses]) => {
        const heads = new RegExp(`(HTTP/1.1 [\\s\\S]*?\\r\\n\\r\\n[\\s\\S]*?){${statuses.length}}`);
        const text = await victim.raw(victim.httpPort, bytes, heads);
        return [...text.matchAll(/HTTP\/1\.1 (\d+)/g)].map((match) => match[1]);
      },
      { piped: 3 },
    );
    expect(got).toEqual(rows.map(([, statuses]) => statuses));
  });

  it('counts uploads that are cut off, and nothing of what they sent', async () => {
    const head =
      'POST /v1/traces HTTP/1.1\r\nContent-Type: application/x-protobuf\r\nX-Scope-OrgID: cut\r\nHost: a\r\n';
    const body = request([span({ name: 'cut' })]);
    const before = await victim.own('spanmill_receiver_aborted_total');
    await amongGood('cut', Array.from({ length: 20 }), async () => {
      const socket = net.connect(victim.httpPort, '127.0.0.1');
      await new Promise((resolve) => socket.write(`${head}Content-Length: ${body.length + 1}\r\n\r\n`, resolve));
      await new Promise((resolve) => socket.write(body, resolve));
      socket.resetAndDestroy();
    });
    const total = ([line = ' 0']: string[]) => Number(line.slice(line.lastIndexOf(' ')));
    await waitFor('all to be counted', async () => {
      return total(await victim.own('spanmill_receiver_aborted_total')) - total(before) === 20;
    });
  });

  it('takes spans that are odd but legal: each is counted, or has a reason why not', async () => {
    const nowNano = BigInt(Date.now()) * 1_000_000n;
    const bad = Buffer.from([0xff, 0xfe, 0x41]);
    const many = Array.from({ length: 100_000 }, (_, i) => keyValue(`a${i}`, value('v')));
    const rows: SpanFields[] = [
      { name: 'trace id of 3 bytes', traceId: 'abc' },
      { name: 'no trace id', traceId: '' },
      { name: 'trace id of 100 bytes', traceId: noise(8, 100) },
      { name: 'span id of 1 MiB', spanId: Buffer.alloc(1024 * 1024, 7) },
      { name: '100,000 attributes', attributes: many },
      { name: 'an attribute of 1 MiB', attributes: [keyValue('a', value(Buffer.alloc(1024 * 1024, 97)))] },
      { name: 'a name of 4 MiB', more: [delimited(5, Buffer.alloc(4 * 1024 * 1024, 0x78))] },
      { name: 'bad UTF-8 in an attribute', attributes: [keyValue(bad, value(bad))] },
      { name: 'kind 99', kind: 99 },
      { name: 'kind beyond all', kind: LARGEST },
      { name: 'status 77', more: [delimited(15, integer(3, 77))] },
      { name: 'an end before its start', endNano: nowNano - 5_000_000_000n },
      { name: 'a start of 0', startNano: 0n },
      { name: 'a start beyond all', startNano: LARGEST },
      { name: 'NUL\0 "quote" \\ line\nbreak' },
      // Not counted:
      { name: bad },
      { name: 'an end of 0', endNano: 0n },
      { name: 'an end beyond all', endNano: LARGEST },
    ];
    const names = rows.slice(0, -3).map(({ name }) => name as string);
    const kept = Object.fromEntries(names.map((name) => [name.replace(/[\\"]/g, '\\$&').replace('\n', '\\n'), 1]));
    delete kept['a name of 4 MiB'];
    kept['x'.repeat(2_048)] = 1;
    const got = await amongGood(
      'odd',
      rows,
      (fields) => statusOf(victim.post({ body: request([span(fields)]), tenant: 'odd' })),
      kept,
    );
    expect(got).toEqual(rows.map(() => 200));
    await waitFor('what was left out', async () => (await victim.own('discarded_total{tenant="odd"')).length >= 2);
    const discarded = (await victim.own('discarded_total{tenant="odd"')).map((line) =>
      line.replace(/^.*tenant="odd",/, ''),
    );
    expect(discarded).toContain('reason="outside_metrics_ingestion_slack",processor="all"} 2');
    expect(discarded).toContain('reason="invalid_utf8",processor="span-metrics"} 1');
  });

  it('says no exemplar whose labels are longer than the 128 characters that OpenMetrics allows', async () => {
    const body = request([span({ name: 'long id', traceId: Buffer.alloc(100_000, 0x11) })]);
    expect(await statusOf(victim.post({ body, tenant: 'exemplar' }))).toBe(200);
    await counted('exemplar', { 'long id': 1 });
    const headers = { accept: 'application/openmetrics-text', 'x-scope-orgid': 'exemplar' };
    const { text } = await victim.get('/span-metrics', headers);
    const longest = Math.max(0, ...[...text.matchAll(/ # \{(.*?)\}/g)].map(([, labels]) => labels!.length));
    expect(longest).toBeLessThan(200);
  });

  it('folds whatever it let in: mutations are refused at the door or can be read', async () => {
    const random = randomOf(2026);
    const seeds = [
      request([span({ name: 'mutant', attributes: [keyValue('db.system', value('x', 3))] }), span({ name: 'mutant' })]),
      request(
        [span({ name: 'mutant', kind: 3, attributes: [keyValue('peer.service', value('y', 2, 'map'))] })],
        'cart',
      ),
    ];
    const statuses = new Set<number | string>();
    for (let i = 0; i < 1_000; i++) {
      const body = Buffer.from(seeds[i % 2]!);
      for (let flips = 1 + random(3); flips > 0; flips--) body[random(body.length)] = random(256);
      statuses.add(await statusOf(victim.post({ body, tenant: 'mutants' })));
    }
    expect([...statuses].sort()).toEqual([200, 400]);
    expect(await statusOf(victim.post({ body: request([span({ name: 'the last' })]), tenant: 'mutants' }))).toBe(200);
    await waitFor('the last one', async () => (await victim.calls('mutants'))['the last'] === 1);
    expect(await victim.own('records_undecodable_total')).toEqual([]);
  });

  it('takes tenants by their name alone, however it sounds, and refuses names that may not be', async () => {
    const fine = ['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'a'.repeat(150), "a'()*!", '_other'];
    const bad = [
      '',
      ' ',
      '.',
      '..',
      '../../etc/passwd',
      'a/b',
      'a|b',
      'é',
      'a'.repeat(151),
      'a'.repeat(10_240),
      'a, b',
    ];
    const body = () => request([span({ name: 'told apart' })]);
    const send = (tenant: string) => statusOf(victim.post({ body: body(), tenant }));
    const exported = (tenant: string) => victim.export(body(), tenant);
    expect(await Promise.all(fine.map(send))).toEqual(fine.map(() => 200));
    expect(await Promise.all(fine.map(exported))).toEqual(fine.map(() => code.OK));
    expect(await Promise.all(bad.map(send))).toEqual(bad.map(() => 400));
    const ascii = bad.filter((tenant) => /^[!-~]+$/.test(tenant));
    expect(await Promise.all(ascii.map(exported))).toEqual(ascii.map(() => code.INVALID_ARGUMENT));
    expect(await statusOf(victim.post({ body: body() }))).toBe(401);
    expect(await victim.export(body())).toBe(code.UNAUTHENTICATED);
    for (const tenant of fine) await counted(tenant, { 'told apart': 2 });
  });

  it('says of every bad message over gRPC what is wrong, and goes on on the same connection', async () => {
    const good = request([span({ name: 'message' })]);
    const deep = request([span({ attributes: [keyValue('a', value('x', 10_000, 'map'))] })]);
    const rows: [string, Uint8Array, code][] = [
      ['good', good, code.OK],
      ['noise', noise(9, 500), code.INVALID_ARGUMENT],
      ['cut', good.subarray(0, -1), code.INVALID_ARGUMENT],
      ['too deep', deep, code.INVALID_ARGUMENT],
      ['100 MiB', Buffer.alloc(100 * 1024 * 1024), code.RESOURCE_EXHAUSTED],
      ['a byte over the limit', Buffer.alloc(LIMIT + 1), code.RESOURCE_EXHAUSTED],
      ['nothing', Buffer.alloc(0), code.OK],
    ];
    const got = await amongGood('grpc', rows, ([, message]) => victim.export(message, 'grpc'), { message: 1 });
    expect(rows.map(([name], i) => [name, got[i]])).toEqual(rows.map(([name, , status]) => [name, status]));
    await victim.raw(victim.grpcPort, 'GET / HTTP/1.1\r\nHost: a\r\n\r\n', /never/);
    await victim.raw(
      victim.grpcPort,
      Buffer.concat([Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), noise(10, 300)]),
      /never/,
    );
    expect(await victim.export(request([span()]), 'grpc')).toBe(code.OK);
  });

  it('answers every question to the API with a status of its own', async () => {
    const tenant = { 'x-scope-orgid': 'heads' };
    const rows: [path: string, status: number, method?: string, headers?: Record<string, string>][] = [
      ['/', 200],
      ['/metrics', 200],
      ['/status', 200],
      ['/span-metrics', 200, 'GET', tenant],
      ['/span-metrics?a=<b>', 200, 'GET', tenant],
      ['/span-metrics', 200, 'HEAD', tenant],
      ['/span-metrics', 401],
      ['/span-metrics', 400, 'GET', { 'x-scope-orgid': '../x' }],
      ...['POST', 'PUT', 'DELETE', 'PATCH', 'TRACE'].map((method): [string, number, string] => [
        '/metrics',
        405,
        method,
      ]),
      ...['//', '/%00', '/../etc/passwd', '/span-metrics/', '/__proto__', '/constructor'].map(
        (path): [string, number] => [path, 404],
      ),
      [`/${'a'.repeat(9_000)}`, 414],
      [`/${'a'.repeat(20_000)}`, 431],
    ];
    const got: unknown[] = [];
    for (const [path, , method, headers] of rows) got.push((await victim.get(path, headers, method)).status);
    expect(rows.map(([path], i) => [path, got[i]])).toEqual(rows.map(([path, status]) => [path, status]));
  });

  it('gives a scraper text unless it asks for OpenMetrics and can read it', async () => {
    const typeOf = async (accept: string) => {
      const { headers } = await victim.get('/span-metrics', { accept, 'x-scope-orgid': 'heads' });
      return headers['content-type']?.split(';')[0];
    };
    const text = [
      '*/*',
      'text/html',
      'application/json',
      ';;;,,,q=',
      'a'.repeat(10_000),
      'application/openmetrics-text;version=9',
    ];
    for (const accept of text) expect([accept, await typeOf(accept)]).toEqual([accept, 'text/plain']);
    const wanted = 'application/openmetrics-text;version=1.0.0,text/plain;q=0.5';
    expect(await typeOf(wanted)).toBe('application/openmetrics-text');
  });

  it('is alive, has failed at nothing, and has held no more than it may', async () => {
    expect(victim.isAlive).toBe(true);
    expect(victim.log).not.toMatch(/"level":"(error|fatal)"/);
    expect(await victim.own('refused_total{reason="internal"}')).toEqual([]);
    expect(await victim.own('records_undecodable_total')).toEqual([]);
    expect(victim.peakBytes).toBeLessThan(1024 * 1024 * 1024);
    // Boundaries later, nothing that was refused has come in by another way.
    for (const [tenant, wanted] of expected) expect([tenant, await victim.calls(tenant)]).toEqual([tenant, wanted]);
  });
});

describe('a configuration that can not be', () => {
  const dir = mkdtempSync(join(tmpdir(), 'spanmill-hostile-'));
  afterAll(() => rmSync(dir, { recursive: true, force: true }));

  const problemsOf = (file: string) => {
    try {
      loadConfig({ path: join(dir, file), expandEnv: false, env: {} });
      return 'none';
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      return error.message.replaceAll(`${dir}/`, '');
    }
  };

  it('is refused with its name, the line, and what is wrong there', () => {
    const files: [name: string, content: string | Buffer, said: RegExp[]][] = [
      ['broken', 'a: [1,\nb: }', [/^broken:2:\d+: /]],
      [
        'misspelt',
        'server:\n  http_listen_prot: 1\nmetrics_generater: {}\n',
        [/^misspelt:2:3: .*did you mean "http_listen_port"/, /^misspelt:3:1: .*did you mean "metrics_generator"/m],
      ],
      [
        'wrong-types',
        'server: 5\nlog: [1]\nmetrics_generator:\n  registry: { collection_interval: fast }\n',
        [
          /^wrong-types:1:9: server: must be a map/,
          /^wrong-types:2:6: log: /m,
          /^wrong-types:4:36: .*"fast" is no duration/m,
        ],
      ],
      ['nul', 'server:\n  http_listen_port: 1\0\n', [/^nul:2:21: server\.http_listen_port: must be a number/]],
      ['noise', Buffer.from([0xff, 0xfe, 0, 0x73]), [/^noise: must be a map/]],
      ['twice', 'server: {}\nserver: {}\n', [/^twice:2:1: this key is already set/]],
      ['itself', 'a: &a [*a]\n', [/^itself:1:8: \*a stands inside what it stands for/]],
      ['out-of-range', 'log: { embedded: { partitions: 0 } }\n', [/^out-of-range:1:32: .*at least 1, not 0/]],
    ];
    for (const [name, content, said] of files) {
      writeFileSync(join(dir, name), content);
      for (const one of said) expect(problemsOf(name)).toMatch(one);
    }
  });

  it('ends the process with 1 before anything is made or opened', () => {
    const inFolder = 'log: { embedded: { path: made } }\nledger: { path: made }\nserver: { prot: 1 }\n';
    writeFileSync(join(dir, 'not-started'), inFolder);
    const { status, stderr } = spawnSync(LAUNCHER, ['-config.file=not-started'], { cwd: dir, encoding: 'utf8' });
    expect({ status, stderr }).toEqual({
      status: 1,
      stderr: expect.stringMatching(/^not-started:3:11: server\.prot: /),
    });
    expect(existsSync(join(dir, 'made'))).toBe(false);
  });

  it('is refused where there is no file to read', () => {
    mkdirSync(join(dir, 'folder'));
    expect(problemsOf('nothing')).toMatch(/^nothing: can't be read: ENOENT/);
    expect(problemsOf('folder')).toMatch(/^folder: can't be read: EISDIR/);
  });

  it('may be empty', () => {
    writeFileSync(join(dir, 'empty'), '');
    expect(problemsOf('empty')).toBe('none');
  });
});
