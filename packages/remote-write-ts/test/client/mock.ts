// A receiver that reads both protocols with the independent decoder and answers as a test wants. By default it stores what
// it reads and answers like a good receiver of both.

import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { uncompress } from 'snappyjs';
import {
  type ProtoHistogram,
  type ProtoMetadata,
  type ProtoRequestV2,
  protoLabels,
  protoRequest,
  protoRequestV2,
} from '../wire/proto.ts';

export interface MockSeries {
  labels: Record<string, string>;
  /** Name and labels as they stood on the wire. */
  pairs: [string, string][];
  samples: { value: number; timestampMs: number; startMs: number }[];
  histograms: (ProtoHistogram & { timestampMs: number })[];
  exemplars: { labels: Record<string, string>; value: number; timestampMs: number }[];
  metadata?: { type: string; help: string; unit: string };
}

export interface MockRequest {
  index: number;
  atMs: number;
  protocol: '1.0' | '2.0';
  headers: IncomingHttpHeaders;
  rawHeaders: string[];
  url: string;
  method: string;
  body: Buffer;
  bytes: Uint8Array;
  series: MockSeries[];
  metadata: ProtoMetadata[];
  v2?: ProtoRequestV2;
}

export interface MockAnswer {
  status: number;
  headers?: Record<string, string>;
  body?: string | Buffer;
}

/** Undefined: as a good receiver. */
export type Judge = (
  request: MockRequest,
) => MockAnswer | 'hang' | 'reset' | undefined | Promise<MockAnswer | undefined>;

export interface Mock {
  url: string;
  requests: MockRequest[];
  judge: Judge;
  /** Resolves as soon as there are so many requests. */
  arrived(count: number): Promise<void>;
  close(): Promise<void>;
}

const open: Mock[] = [];

export async function closeMocks(): Promise<void> {
  for (const mock of open.splice(0)) await mock.close();
}

export async function startMock(judge: Judge = () => undefined): Promise<Mock> {
  const waiters: { count: number; resolve: () => void }[] = [];
  const server = createServer(async (incoming, response) => {
    const chunks: Buffer[] = [];
    try {
      for await (const chunk of incoming) chunks.push(chunk as Buffer);
    } catch {
      return; // the sender gave up
    }
    const request = read(Buffer.concat(chunks), incoming.headers, mock.requests.length);
    Object.assign(request, { url: incoming.url, method: incoming.method, rawHeaders: incoming.rawHeaders });
    mock.requests.push(request);
    for (const { count, resolve } of waiters) if (mock.requests.length >= count) resolve();
    const answer = (await mock.judge(request)) ?? good(request);
    if (answer === 'hang') return;
    if (answer === 'reset') {
      incoming.socket.resetAndDestroy();
      return;
    }
    response.writeHead(answer.status, answer.headers);
    response.end(answer.body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const mock: Mock = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/api/v1/write`,
    requests: [],
    judge,
    arrived(count) {
      if (mock.requests.length >= count) return Promise.resolve();
      return new Promise((resolve) => waiters.push({ count, resolve }));
    },
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  open.push(mock);
  return mock;
}

export function written(request: MockRequest): Record<string, string> {
  const sum = (of: (series: MockSeries) => unknown[]) =>
    String(request.series.reduce((total, series) => total + of(series).length, 0));
  return {
    'x-prometheus-remote-write-samples-written': sum(({ samples }) => samples),
    'x-prometheus-remote-write-histograms-written': sum(({ histograms }) => histograms),
    'x-prometheus-remote-write-exemplars-written': sum(({ exemplars }) => exemplars),
  };
}

function good(request: MockRequest): MockAnswer {
  return { status: 204, headers: request.protocol === '2.0' ? written(request) : {} };
}

/** Knows only 1.0, and not even that there is more: 2.0 is an empty message to it. */
export const oldReceiver: Judge = () => ({ status: 204 });

function read(body: Buffer, headers: IncomingHttpHeaders, index: number): MockRequest {
  const bytes = uncompress(body);
  const protocol = String(headers['content-type']).includes('v2.Request') ? '2.0' : '1.0';
  const base = {
    index,
    atMs: Date.now(),
    protocol,
    headers,
    url: '',
    method: '',
    rawHeaders: [],
    body,
    bytes,
  } as const;
  const times = ({ value, timestamp }: { value: number; timestamp: string }) => ({
    value,
    timestampMs: Number(timestamp),
  });
  const histogram = (h: ProtoHistogram) => ({ ...h, timestampMs: Number(h.timestamp) });
  if (protocol === '1.0') {
    const { timeseries, metadata } = protoRequest(bytes);
    const series = timeseries.map(({ labels, samples, histograms, exemplars }) => ({
      ...named(labels),
      samples: samples.map((sample) => ({ ...times(sample), startMs: 0 })),
      histograms: histograms.map(histogram),
      exemplars: exemplars.map((exemplar) => ({ ...times(exemplar), labels: named(exemplar.labels).labels })),
    }));
    return { ...base, rawHeaders: [], series, metadata };
  }
  const v2 = protoRequestV2(bytes);
  const series = v2.timeseries.map(({ labels_refs, samples, histograms, exemplars, metadata }) => ({
    ...named(protoLabels(v2, labels_refs)),
    samples: samples.map((sample) => ({ ...times(sample), startMs: Number(sample.start_timestamp) })),
    histograms: histograms.map(histogram),
    exemplars: exemplars.map((exemplar) => ({
      ...times(exemplar),
      labels: named(protoLabels(v2, exemplar.labels_refs)).labels,
    })),
    ...(metadata && {
      metadata: { type: metadata.type, help: v2.symbols[metadata.help_ref]!, unit: v2.symbols[metadata.unit_ref]! },
    }),
  }));
  return { ...base, rawHeaders: [], series, metadata: [], v2 };
}

function named(labels: { name: string; value: string }[]): Pick<MockSeries, 'labels' | 'pairs'> {
  const pairs = labels.map(({ name, value }): [string, string] => [name, value]);
  return { labels: Object.fromEntries(pairs), pairs };
}
