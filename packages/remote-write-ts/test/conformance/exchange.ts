// What a sender of scraped pages would give to the client, what a mock receiver got of it, and the rules that every
// request must keep, whatever it carries. The assertions follow the public remote-write sender suite, in our own words.

import { expect } from 'vitest';
import {
  createExemplar,
  createRemoteWrite,
  createSeries,
  type Exemplar,
  exponentialHistogram,
  type Metadata,
  type Point,
  type RemoteWrite,
  type RemoteWriteOptions,
} from '../../src/index.ts';
import { type Judge, type Mock, type MockRequest, type MockSeries, startMock } from '../client/mock.ts';

export type Protocol = '1.0' | '2.0';
type ProtocolChoice = NonNullable<RemoteWriteOptions['protocol']>;
export const PROTOCOLS: Protocol[] = ['1.0', '2.0'];
export const JOB = { job: 'test', instance: 'localhost:8080' };

const clients: RemoteWrite[] = [];

export async function closeClients(): Promise<void> {
  for (const client of clients.splice(0)) await client.close(1);
}

export async function start(
  protocol: ProtocolChoice,
  judge?: Judge,
  options: Partial<RemoteWriteOptions> = {},
): Promise<{ mock: Mock; client: RemoteWrite }> {
  const mock = await startMock(judge);
  const client = createRemoteWrite({
    url: mock.url,
    userAgent: 'conformance/1.0',
    protocol,
    minBackoffMs: 1,
    maxBackoffMs: 5,
    ...options,
  });
  clients.push(client);
  return { mock, client };
}

/** Sends the points to a good receiver, and holds every request to the rules. */
export async function exchange(
  protocol: Protocol,
  points: Point[],
  options: Partial<RemoteWriteOptions> = {},
): Promise<{ requests: MockRequest[]; series: MockSeries[] }> {
  const { mock, client } = await start(protocol, undefined, options);
  await client.append(points);
  await client.flush();
  const sent = client.stats();
  expect(sent.sent.samples + sent.sent.histograms).toBe(points.length);
  for (const request of mock.requests) holdToRules(request);
  return { requests: mock.requests, series: mock.requests.flatMap(({ series }) => series) };
}

export interface Extra {
  type?: Metadata['type'];
  help?: string;
  unit?: string;
  timestampMs?: number;
  startMs?: number;
  exemplars?: Exemplar[];
}

export function point(name: string, value: number, labels: Record<string, string> = {}, extra: Extra = {}): Point {
  const { type = 'gauge', help = '', unit = '', timestampMs = Date.now(), startMs, exemplars } = extra;
  return {
    kind: 'sample',
    series: createSeries(Object.entries({ ...JOB, ...labels, __name__: name }), { type, help, unit }),
    value,
    timestampMs,
    ...(startMs !== undefined && { startMs }),
    ...(exemplars && { exemplars }),
  };
}

/** A classic histogram: its buckets, count and sum. */
export function classic(name: string, cumulative: Record<string, number>, sum: number, extra: Extra = {}): Point[] {
  const of: Extra = { type: 'histogram', timestampMs: Date.now(), ...extra };
  return [
    ...Object.entries(cumulative).map(([le, count]) => point(`${name}_bucket`, count, { le }, of)),
    point(`${name}_count`, cumulative['+Inf'] ?? 0, {}, of),
    point(`${name}_sum`, sum, {}, of),
  ];
}

export function native(name: string, counts: [number, number][], sum: number, extra: Extra = {}): Point {
  const { timestampMs = Date.now(), startMs, exemplars } = extra;
  return {
    kind: 'histogram',
    series: createSeries(Object.entries({ ...JOB, __name__: name }), { type: 'histogram', help: extra.help ?? '' }),
    histogram: exponentialHistogram({ schema: 3, sum, positive: counts }),
    timestampMs,
    ...(startMs !== undefined && { startMs }),
    ...(exemplars && { exemplars }),
  };
}

export function exemplar(labels: Record<string, string>, value = 0.5, timestampMs = Date.now()): Exemplar {
  return createExemplar(Object.entries(labels), value, timestampMs);
}

/** Wire rules of both protocols: transport, labels, symbols, metadata, exemplars, timestamps. */
export function holdToRules(request: MockRequest): void {
  const { protocol, headers, rawHeaders, body, series, v2 } = request;
  expect(request.method).toBe('POST');
  expect(headers['content-type']).toBe(
    protocol === '1.0' ? 'application/x-protobuf' : 'application/x-protobuf;proto=io.prometheus.write.v2.Request',
  );
  expect(headers['content-encoding']).toBe('snappy');
  expect(headers['x-prometheus-remote-write-version']).toBe(protocol === '1.0' ? '0.1.0' : '2.0.0');
  expect(headers['user-agent']).toBe('conformance/1.0');
  const names = rawHeaders.filter((_, i) => i % 2 === 0).map((name) => name.toLowerCase());
  expect(new Set(names).size).toBe(names.length);
  // The framed format begins with a stream identifier.
  expect(body.subarray(0, 10).toString('latin1')).not.toContain('sNaPpY');
  for (const one of series) holdSeriesToRules(one, protocol);
  if (v2 === undefined) return;
  expect(v2.symbols[0]).toBe('');
  expect(new Set(v2.symbols).size).toBe(v2.symbols.length);
  const isInRange = (ref: number) => ref >= 0 && ref < v2.symbols.length;
  for (const { labels_refs, exemplars, metadata } of v2.timeseries) {
    for (const refs of [labels_refs, ...exemplars.map((e) => e.labels_refs)]) {
      expect(refs.length % 2).toBe(0);
      expect(refs.every(isInRange)).toBe(true);
    }
    if (metadata !== null) expect([metadata.help_ref, metadata.unit_ref].every(isInRange)).toBe(true);
  }
}

function holdSeriesToRules({ pairs, samples, histograms, exemplars, metadata }: MockSeries, protocol: Protocol): void {
  const names = pairs.map(([name]) => Buffer.from(name));
  for (let i = 1; i < names.length; i++) expect(Buffer.compare(names[i - 1]!, names[i]!)).toBe(-1); // sorted, none repeated
  for (const [name, value] of pairs) {
    expect(name).not.toBe('');
    expect(value).not.toBe('');
    if (name.startsWith('__')) expect(name).toBe('__name__');
  }
  expect(pairs.some(([name]) => name === '__name__')).toBe(true);
  expect(samples.length > 0 && histograms.length > 0).toBe(false);
  expect(samples.length + histograms.length).toBeGreaterThan(0);
  if (protocol === '2.0') expect(metadata).toBeDefined();
  for (const points of [samples, histograms]) {
    for (let i = 1; i < points.length; i++) {
      expect(points[i]!.timestampMs).toBeGreaterThanOrEqual(points[i - 1]!.timestampMs);
    }
  }
  for (const { startMs, timestampMs } of samples) expect(startMs === 0 || startMs <= timestampMs).toBe(true);
  for (const { timestampMs, labels } of exemplars) {
    expect(timestampMs).toBeGreaterThan(1e12);
    expect(Object.keys(labels).length).toBeGreaterThan(0);
  }
}

/** Whether the request's bytes hold the stale marker. */
export function hasStaleMarker({ bytes }: MockRequest): boolean {
  return Buffer.from(bytes).includes(Buffer.from('020000000000f07f', 'hex'));
}

export function named(series: MockSeries[], name: string): MockSeries[] {
  return series.filter(({ labels }) => labels['__name__'] === name);
}
