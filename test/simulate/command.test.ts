// `spanmill simulate` as a command: what it prints, and its exit codes.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { simulateCommand } from '../../src/simulate/index.ts';
import { plainSpan, requestBytes } from '../fold/spans.ts';

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'spanmill-simulate-'));
});
afterAll(() => {
  rmSync(dir, { recursive: true });
});

function simulate(...args: string[]): { code: number; out: string; err: string } {
  let out = '';
  let err = '';
  const code = simulateCommand(args, {
    stdout: { write: (text: string) => (out += text) },
    stderr: { write: (text: string) => (err += text) },
    env: { TEAM_DIMENSION: 'team' },
  });
  return { code, out, err };
}

let files = 0;
function file(content: string | Uint8Array, name = `file-${files++}`): string {
  const path = join(dir, name);
  writeFileSync(path, content);
  return path;
}

function caseDir(parts: Record<string, string | Uint8Array>): string {
  const path = join(dir, `case-${files++}`);
  mkdirSync(path);
  for (const [name, content] of Object.entries(parts)) writeFileSync(join(path, name), content);
  return path;
}

const GOLDEN = fileURLToPath(new URL('../conformance/generator/', import.meta.url));
const T = Date.UTC(2026, 0, 1);
const END_NS = BigInt(T) * 1_000_000n;

const CALL = [
  {
    resource: [['service.name', 'web'] as [string, string]],
    spans: [
      plainSpan({
        kind: 3,
        startNs: END_NS - 50_000_000n,
        endNs: END_NS,
        attributes: [
          ['team', 'red'],
          ['peer.service', 'bank'],
        ],
      }),
    ],
  },
  {
    resource: [['service.name', 'api'] as [string, string]],
    spans: [
      plainSpan({ kind: 2, id: 'ffff', parent: '00', startNs: END_NS - 40_000_000n, endNs: END_NS - 1_000_000n }),
    ],
  },
];
const CALL_JSON = JSON.stringify({
  resourceSpans: [
    {
      resource: { attributes: [{ key: 'service.name', value: { stringValue: 'web' } }] },
      scopeSpans: [
        {
          spans: [
            {
              traceId: '0123456789abcdef0123456789abcdef',
              spanId: '0123456789abcdef',
              name: 'GET /',
              kind: 3,
              startTimeUnixNano: String(END_NS - 50_000_000n),
              endTimeUnixNano: String(END_NS),
              attributes: [
                { key: 'team', value: { stringValue: 'red' } },
                { key: 'peer.service', value: { stringValue: 'bank' } },
              ],
            },
          ],
        },
      ],
    },
  ],
});
const CONFIG = `
metrics_generator:
  processor:
    span_metrics:
      dimensions: [team]
overrides:
  defaults:
    metrics_generator:
      processors: [span-metrics, service-graphs]
`;

function delimited(...messages: Uint8Array[]): Uint8Array {
  return new Uint8Array(
    Buffer.concat(
      messages.flatMap((message) => {
        const length = Buffer.alloc(4);
        length.writeUInt32LE(message.length);
        return [length, message];
      }),
    ),
  );
}

describe('simulate DIR', () => {
  test('prints the collections and self metrics of a case', () => {
    const { code, out } = simulate(join(GOLDEN, 'sm-size'));
    expect(code).toBe(0);
    const printed = JSON.parse(out);
    expect(Object.keys(printed)).toEqual(['common_labels', 'collections', 'self_metrics']);
    expect(printed.collections[0].series.length).toBeGreaterThan(0);
  });

  test('prints an error and is content where the configuration must be refused', () => {
    const { code, out, err } = simulate(join(GOLDEN, 'sm-filter-error-unscoped'));
    expect([code, JSON.parse(out)]).toEqual([0, { error: 'configuration refused' }]);
    expect(err).not.toBe('');
  });

  test.each([
    ['a directory that is not there', () => join(dir, 'nowhere')],
    ['no configuration', () => caseDir({ 'spans.otlp.json': '[]' })],
    ['a configuration that is no JSON', () => caseDir({ 'config.json': '{', 'spans.otlp.json': '[]' })],
    ['a configuration that is no object', () => caseDir({ 'config.json': 'null', 'spans.otlp.json': '[]' })],
    ['no tenant', () => caseDir({ 'config.json': '{"start_unix_ms": 1}', 'spans.otlp.json': '[]' })],
    ['no spans', () => caseDir({ 'config.json': '{"tenant": "t", "start_unix_ms": 1}' })],
    [
      'spans that are no JSON',
      () => caseDir({ 'config.json': '{"tenant": "t", "start_unix_ms": 1}', 'spans.otlp.json': 'x' }),
    ],
    [
      'spans that are neither a request nor steps',
      () => caseDir({ 'config.json': '{"tenant": "t", "start_unix_ms": 1}', 'spans.otlp.json': '[null]' }),
    ],
    [
      'spans that OTLP does not know',
      () =>
        caseDir({
          'config.json': '{"tenant": "t", "start_unix_ms": 1}',
          'spans.otlp.json': '{"resourceSpans": [{"scopeSpans": 7}]}',
        }),
    ],
    [
      'a protobuf input that is none',
      () =>
        caseDir({
          'config.json': '{"tenant": "t", "start_unix_ms": 1}',
          'spans.otlp.json': '[{"proto_base64": "/////w=="}]',
        }),
    ],
    [
      'messages that are cut off',
      () =>
        caseDir({
          'config.json': '{"tenant": "t", "start_unix_ms": 1}',
          'spans.otlp.json': '[]',
          'requests.bin': Uint8Array.of(9, 0, 0, 0, 1),
        }),
    ],
  ])('exits with 2 and says what is wrong for a case with %s', (_, make) => {
    const { code, out, err } = simulate(make());
    expect([code, out]).toEqual([2, '']);
    expect(err).toMatch(/^spanmill simulate: ./);
  });

  test('reads a case without requests.bin from its JSON, and counts what the collector would send', () => {
    const path = caseDir({
      'config.json': JSON.stringify({ tenant: 't', start_unix_ms: T, overrides: { processors: ['span-metrics'] } }),
      'spans.otlp.json': CALL_JSON,
    });
    const { code, out } = simulate(path);
    expect(code).toBe(0);
    expect(JSON.parse(out).self_metrics.metrics_generator_spans_received_total).toBe(1);
  });
});

describe('simulate --spans', () => {
  const calls = (out: string) => out.split('\n').filter((line) => line.startsWith('traces_spanmetrics_calls_total'));

  test.each([
    ['OTLP JSON', () => file(CALL_JSON)],
    ['OTLP JSON, one request a line', () => file(`${CALL_JSON}\n\n${CALL_JSON.replaceAll('GET /', 'POST /')}\n`)],
    ['a protobuf request', () => file(requestBytes(CALL))],
    ['length-delimited requests', () => file(delimited(requestBytes(CALL.slice(0, 1)), requestBytes(CALL.slice(1))))],
  ])('says which series the spans would make, for %s', (_, make) => {
    const { code, out, err } = simulate('--config', file(CONFIG), '--spans', make());
    expect(code).toBe(0);
    expect(calls(out)[0]).toMatch(/service="(api|web)"/);
    expect(out).toContain(
      'traces_spanmetrics_calls_total{service="web",span_kind="SPAN_KIND_CLIENT",span_name="GET /",status_code="STATUS_CODE_UNSET",team="red"} 1',
    );
    expect(out).toContain(
      'traces_service_graph_request_total{client="web",connection_type="virtual_node",server="bank"} 1',
    );
    expect(err).toMatch(/\d spans at 2026-01-01T00:00:00.000Z: \d+ series/);
  });

  test('needs no configuration', () => {
    const { code, out } = simulate('--spans', file(requestBytes(CALL)));
    expect(code).toBe(0);
    expect(calls(out)).toHaveLength(2);
  });

  test('prints JSON if asked to', () => {
    const { code, out } = simulate('--config', file(CONFIG), '--spans', file(CALL_JSON), '--json');
    expect(code).toBe(0);
    const printed = JSON.parse(out);
    expect(printed.at).toBe('2026-01-01T00:00:00.000Z');
    expect(printed.series).toContainEqual({
      labels: {
        __name__: 'traces_spanmetrics_calls_total',
        service: 'web',
        span_kind: 'SPAN_KIND_CLIENT',
        span_name: 'GET /',
        status_code: 'STATUS_CODE_UNSET',
        team: 'red',
      },
      value: 1,
    });
    expect(printed.self_metrics.metrics_generator_spans_received_total).toBe(1);
  });

  test.each([
    ['RFC 3339', '2026-01-01T00:00:31Z'],
    ['Unix seconds', String(T / 1_000 + 31)],
  ])('at a time in %s at which the spans are too old says that they are discarded', (_, time) => {
    const { code, out, err } = simulate('--spans', file(CALL_JSON), '--at', time);
    expect([code, out]).toEqual([0, '']);
    expect(err).toContain('1 discarded: outside_metrics_ingestion_slack (all)');
  });

  test.each([
    ['a time that is none', () => ['--spans', file(CALL_JSON), '--at', 'yesterday']],
    ['a file that is not there', () => ['--spans', join(dir, 'nowhere')]],
    ['an empty file', () => ['--spans', file('')]],
    ['a file of something else', () => ['--spans', file(Uint8Array.of(255, 254, 253, 252, 251, 250))]],
    ['JSON of something else', () => ['--spans', file('{"resourceSpans": 5}')]],
    ['a line of JSON that is broken', () => ['--spans', file(`${CALL_JSON}\n{"resourceSpans"`)]],
    [
      'a configuration with an error',
      () => ['--config', file('metrics_generator:\n  nonsense: 1\n'), '--spans', file(CALL_JSON)],
    ],
    ['a configuration that is not there', () => ['--config', join(dir, 'nowhere'), '--spans', file(CALL_JSON)]],
    ['an option that there is not', () => ['--span', 'x']],
    ['no arguments', () => []],
    ['two directories', () => ['a', 'b']],
  ])('exits with 2 for %s', (_, args) => {
    const { code, out, err } = simulate(...args());
    expect([code, out]).toEqual([2, '']);
    expect(err).not.toBe('');
  });

  test('explains itself', () => {
    const { code, out } = simulate('--help');
    expect(code).toBe(0);
    expect(out).toContain('spanmill simulate DIR');
  });
});
