// What a relay sends, after the assertions of the public remote-write sender suite in our own words: a process with a file
// of Prometheus' shape, a page served to it, its requests recorded, SIGINT at the end.

import { afterEach, describe, expect, it } from 'vitest';
import { startMock } from '../../packages/remote-write-ts/test/client/mock.ts';
import { startRelay } from './support/relay.ts';
import { holdTimesToRules, named, ofPage, ownLabels, type Protocol } from './support/rules.ts';
import { closeAll, latest, page, relay, value } from './support/run.ts';
import { type Page, startTarget, TEXT } from './support/target.ts';

const PROTOCOLS: Protocol[] = ['2.0', '1.0'];

afterEach(closeAll);

const WHOLE_PAGE = page(
  '# HELP http_requests Requests\\nserved, with "quotes" and \\\\.',
  '# TYPE http_requests counter',
  'http_requests_total{method="GET",code="200"} 1027 # {trace_id="4bf92f3577b34da6a3ce929d0e0e4736",span_id="00f067aa0ba902b7"} 1',
  'http_requests_created{method="GET",code="200"} 1700000000.5',
  'http_requests_total{method="POST",code="500"} 3 # {user="ü"} 0.5',
  '# HELP memory_bytes Memory.',
  '# TYPE memory_bytes gauge',
  '# UNIT memory_bytes bytes',
  'memory_bytes 12345.5',
  '# HELP latency_seconds Latency.',
  '# TYPE latency_seconds histogram',
  '# UNIT latency_seconds seconds',
  'latency_seconds_bucket{le="0.1"} 10',
  'latency_seconds_bucket{le="0.5"} 40 # {trace_id="abc"} 0.3',
  'latency_seconds_bucket{le="1.0"} 70',
  'latency_seconds_bucket{le="+Inf"} 100',
  'latency_seconds_sum 250.5',
  'latency_seconds_count 100',
  'latency_seconds_created 1700000001',
  '# HELP rpc Calls.',
  '# TYPE rpc summary',
  'rpc{quantile="0.5"} 0.2',
  'rpc{quantile="0.99"} NaN',
  'rpc_sum 17',
  'rpc_count 9',
  '# TYPE build info',
  'build_info{version="1.2"} 1',
  '# TYPE empty histogram',
  '# HELP empty ',
  'empty_bucket{le="+Inf"} 0',
  'empty_sum 0',
  'empty_count 0',
  '# TYPE full histogram',
  'full_bucket{le="+Inf"} 1000000000',
  'full_sum 1e12',
  'full_count 1000000000',
  'untyped_metric 5',
);

describe.each(PROTOCOLS)('the whole of a page over %s', (protocol) => {
  const isV2 = protocol === '2.0';

  it('arrives with all its samples, labels, metadata, exemplars and starts, scrape by scrape', async () => {
    const { requests, last } = await relay(WHOLE_PAGE, { protocol });
    holdTimesToRules(requests);
    expect(requests.every((request) => request.protocol === protocol)).toBe(true);

    // Several metrics and types in one request, none with both kinds of points.
    expect(new Set(last.map(({ labels }) => labels['__name__'])).size).toBeGreaterThanOrEqual(10);
    expect(named(last, 'http_requests_total').map(ownLabels).slice(0, 2)).toEqual([
      { method: 'GET', code: '200' },
      { method: 'POST', code: '500' },
    ]);
    expect(value(last, 'http_requests_total')).toBe(1027);
    expect(value(last, 'memory_bytes')).toBe(12345.5);
    expect(value(last, 'untyped_metric')).toBe(5);
    expect(value(last, 'build_info')).toBe(1);
    expect(latest(last, 'up')).toBe(1);
    expect(value(last, 'scrape_duration_seconds')).toBeGreaterThanOrEqual(0);

    // Classic histograms whole, in the order of their buckets.
    expect(value(last, 'latency_seconds_count')).toBe(100);
    expect(value(last, 'latency_seconds_sum')).toBe(250.5);
    expect(
      named(last, 'latency_seconds_bucket')
        .slice(0, 4)
        .map(({ labels, samples }) => [labels['le'], samples[0]!.value]),
    ).toEqual([
      ['0.1', 10],
      ['0.5', 40],
      ['1.0', 70],
      ['+Inf', 100],
    ]);
    expect(value(last, 'empty_count')).toBe(0);
    expect(value(last, 'full_count')).toBe(1e9);
    expect(
      named(last, 'rpc')
        .slice(0, 2)
        .map(({ labels, samples }) => [labels['quantile'], samples[0]!.value]),
    ).toEqual([
      ['0.5', 0.2],
      ['0.99', Number.NaN],
    ]);

    const exemplars = last.flatMap((series) =>
      series.exemplars.map(({ labels, value: of }) => [series.labels['__name__'], labels, of]),
    );
    expect(exemplars.slice(0, 3)).toEqual([
      ['http_requests_total', { trace_id: '4bf92f3577b34da6a3ce929d0e0e4736', span_id: '00f067aa0ba902b7' }, 1],
      ['http_requests_total', { user: 'ü' }, 0.5],
      ['latency_seconds_bucket', { trace_id: 'abc' }, 0.3],
    ]);

    if (isV2) {
      const starts = (name: string) => named(last, name)[0]!.samples[0]!.startMs;
      expect(starts('http_requests_total')).toBe(1_700_000_000_500);
      expect(starts('latency_seconds_count')).toBe(1_700_000_001_000);
      expect(starts('rpc_count')).toBe(0);
      expect(named(last, 'http_requests_created')).toEqual([]);
      const metadata = (name: string) => named(last, name)[0]!.metadata;
      expect(metadata('http_requests_total')).toEqual({
        type: 'COUNTER',
        help: 'Requests\nserved, with "quotes" and \\.',
        unit: '',
      });
      expect(metadata('memory_bytes')).toEqual({ type: 'GAUGE', help: 'Memory.', unit: 'bytes' });
      for (const suffix of ['bucket', 'sum', 'count']) {
        expect(metadata(`latency_seconds_${suffix}`)).toEqual({ type: 'HISTOGRAM', help: 'Latency.', unit: 'seconds' });
      }
      expect(metadata('rpc')).toEqual({ type: 'SUMMARY', help: 'Calls.', unit: '' });
      expect(metadata('build_info')!.type).toBe('INFO');
      expect(metadata('empty_count')).toEqual({ type: 'HISTOGRAM', help: '', unit: '' });
      return;
    }
    // 1.0 has no start times, so the page's own series of them stay; metadata go apart.
    expect(value(last, 'http_requests_created')).toBe(1700000000.5);
    const families = requests.flatMap(({ metadata }) => metadata);
    expect(families).toContainEqual({
      type: 'COUNTER',
      metric_family_name: 'http_requests',
      help: 'Requests\nserved, with "quotes" and \\.',
      unit: '',
    });
    expect(families).toContainEqual({
      type: 'HISTOGRAM',
      metric_family_name: 'latency_seconds',
      help: 'Latency.',
      unit: 'seconds',
    });
  });
});

const TEXT_PAGE = `# HELP http_requests_total Requests.
# TYPE http_requests_total counter
http_requests_total{code="200"} 1027
# TYPE memory_bytes gauge
memory_bytes 12345.5
# A comment.
# TYPE latency_seconds histogram
latency_seconds_bucket{le="0.1"} 10
latency_seconds_bucket{le="+Inf"} 100
latency_seconds_sum 250.5
latency_seconds_count 100
# TYPE rpc summary
rpc{quantile="0.5"} 0.2
rpc_sum 17
rpc_count 9
plain 5
`;

it.each(PROTOCOLS)('the whole of a page of text arrives with its types over %s', async (protocol) => {
  const { requests, last } = await relay(() => ({ body: TEXT_PAGE, type: TEXT }), { protocol });
  holdTimesToRules(requests);
  const types = new Map(
    protocol === '2.0'
      ? last.map(({ labels, metadata }) => [labels['__name__'], metadata!.type])
      : requests.flatMap(({ metadata }) => metadata).map(({ metric_family_name, type }) => [metric_family_name, type]),
  );
  const expected: [family: string, name: string, type: string, value: number][] = [
    ['http_requests_total', 'http_requests_total', 'COUNTER', 1027],
    ['memory_bytes', 'memory_bytes', 'GAUGE', 12345.5],
    ['latency_seconds', 'latency_seconds_bucket', 'HISTOGRAM', 10],
    ['latency_seconds', 'latency_seconds_sum', 'HISTOGRAM', 250.5],
    ['latency_seconds', 'latency_seconds_count', 'HISTOGRAM', 100],
    ['rpc', 'rpc', 'SUMMARY', 0.2],
    ['rpc', 'rpc_count', 'SUMMARY', 9],
  ];
  for (const [family, name, type, of] of expected) {
    expect([name, value(last, name)]).toEqual([name, of]);
    expect([name, types.get(protocol === '2.0' ? name : family)]).toEqual([name, type]);
  }
  expect(value(last, 'plain')).toBe(5);
});

describe.each(PROTOCOLS)('samples over %s', (protocol) => {
  const VALUES: [name: string, text: string, value: number][] = [
    ['ordinary', '42.5', 42.5],
    ['integer', '42', 42],
    ['zero', '0', 0],
    ['negative', '-17.25', -17.25],
    ['plus_inf', '+Inf', Number.POSITIVE_INFINITY],
    ['minus_inf', '-Inf', Number.NEGATIVE_INFINITY],
    ['nan', 'NaN', Number.NaN],
    ['large', '1e308', 1e308],
    ['small', '5e-324', 5e-324],
    ['scientific', '1.23e-10', 1.23e-10],
    ['precise', '0.1234567890123456', 0.1234567890123456],
    ['job:calls:rate5m', '1', 1],
  ];

  it.each<[string, Page]>([
    ['OpenMetrics', { body: page(...VALUES.map(([name, text]) => `${name} ${text}`)) }],
    ['the text format', { body: VALUES.map(([name, text]) => `${name} ${text}\n`).join(''), type: TEXT }],
  ])('arrive exactly from %s', async (_title, of) => {
    const { last } = await relay(() => of, { protocol });
    expect(VALUES.map(([name]) => [name, value(last, name)])).toEqual(
      VALUES.map(([name, , expected]) => [name, expected]),
    );
  });

  it('keep the times that the page gives: the epoch, the past, a little ahead', async () => {
    const nowS = Math.floor(Date.now() / 1_000);
    const times = { epoch: 0, past: nowS - 3_600, ahead: nowS + 30 };
    const { requests } = await relay(page(...Object.entries(times).map(([name, at]) => `${name} 1 ${at}`)), {
      protocol,
    });
    const series = requests.flatMap((request) => request.series);
    for (const [name, at] of Object.entries(times)) {
      expect(named(series, name).flatMap(({ samples }) => samples.map(({ timestampMs }) => timestampMs))).toEqual([
        at * 1_000,
      ]);
    }
  });

  it('of a series that vanished end with the stale marker', async () => {
    const { requests } = await relay((scrape) => (scrape === 1 ? page('a 1', 'b 1') : page('a 1')), {
      protocol,
      scrapes: 2,
      // The one scrape that matters must be in time on a busy machine too.
      options: { interval: '1s' },
    });
    const series = requests.flatMap((request) => request.series);
    expect(named(series, 'b').flatMap(({ samples }) => samples.map(({ value: of }) => of))).toEqual([1, Number.NaN]);
    const STALE = Buffer.from('020000000000f07f', 'hex');
    expect(requests.filter(({ bytes }) => Buffer.from(bytes).includes(STALE))).toHaveLength(1);
  });
});

describe.each(PROTOCOLS)('labels over %s', (protocol) => {
  it('are sorted by bytes, keep everything that is in them, and lose only empty ones', async () => {
    const labels = {
      z: '1',
      B: '2',
      _a: '3',
      unicode: '日本語 Ünïcödé \u{1f600}',
      special: 'a"b\\c\nd\te=f{g}',
      long: 'v'.repeat(10_240),
      [`long_${'n'.repeat(2_000)}`]: 'x',
    };
    const escaped = (of: string) => of.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
    const set = Object.entries(labels).map(([name, of]) => `${name}="${escaped(of)}"`);
    const name = `very_long_${'m'.repeat(1_000)}`;
    const { last } = await relay(page(`${name}{${set.join()},none=""} 1`, '{"service.calls","http.method"="GET"} 2'), {
      protocol,
    });
    expect(ownLabels(named(last, name)[0]!)).toEqual(labels);
    expect(ownLabels(named(last, 'service.calls')[0]!)).toEqual({ 'http.method': 'GET' });
  });

  it('of the target win over those of the page', async () => {
    const { last } = await relay(page('a{job="own",instance="x"} 1'), { protocol });
    expect(named(last, 'a')[0]!.labels).toMatchObject({ job: 'test', exported_job: 'own', exported_instance: 'x' });
  });
});

describe('a request', () => {
  it.each<[NodeJS.Signals, Protocol]>([
    ['SIGINT', '2.0'],
    ['SIGTERM', '2.0'],
    ['SIGTERM', '1.0'],
  ])('that is not full goes out when %s ends the relay, over %s', async (signal, protocol) => {
    const mock = await startMock();
    const target = await startTarget(() => page('a 1'));
    const write = ['queue_config: { batch_send_deadline: 1h, max_shards: 5, retry_on_http_429: true }'];
    const process = startRelay({ target, writeUrl: mock.url, protocol, write });
    await target.scraped(4);
    expect(mock.requests).toEqual([]);
    expect(await process.stop(signal)).toBe(0);
    const samples = mock.requests.flatMap(({ series }) => named(series, 'a').flatMap((of) => of.samples));
    expect(samples.length).toBeGreaterThanOrEqual(3);
    expect(process.log()).not.toContain('could not be delivered');
  });

  it('of a repetitive page has few strings', async () => {
    const lines = Array.from({ length: 100 }, (_, i) => `m${i % 5}{kind="k${i % 10}",zone="a"} ${i}`);
    const { requests } = await relay(page(...new Set(lines)));
    for (const { v2 } of requests) expect(v2!.symbols.length).toBeLessThanOrEqual(30);
  });

  it.each(PROTOCOLS)('of a page of 200 series has all of them, over %s', async (protocol) => {
    const { last } = await relay(page(...Array.from({ length: 200 }, (_, i) => `m${i % 5}{id="${i}"} ${i}`)), {
      protocol,
    });
    expect(ofPage(last).length).toBeGreaterThanOrEqual(200);
  });

  it.each(PROTOCOLS)(
    'never has more than 2,000 series, and all of a page of 12,000 arrive, over %s',
    async (protocol) => {
      const lines = Array.from(
        { length: 12_000 },
        (_, i) => `m${i % 5}_total{id="${i}"} ${i}${i < 10 ? ' # {t="x"} 1' : ''}`,
      );
      const { requests } = await relay(page(...lines), { protocol, scrapes: 1, options: { interval: '1s' } });
      const series = ofPage(requests.flatMap((request) => request.series));
      expect(new Set(series.map(({ labels }) => labels['id'])).size).toBe(12_000);
      for (const { series: of } of requests) expect(of.length).toBeLessThanOrEqual(2_000);
    },
  );

  it.each<[string, Page, number]>([
    ['an empty page of OpenMetrics', { body: '# EOF\n' }, 1],
    ['an empty page of text', { body: '', type: TEXT }, 1],
    ['no page at all', { body: '' }, 0],
    ['a page that breaks off', { body: 'a 1\n' }, 0],
    ['a malformed page', { body: page('a 1', 'b x') }, 0],
    ['an error', { body: page('a 1'), status: 500 }, 0],
  ])('of %s has only the series about the scrape', async (_title, of, up) => {
    const { last } = await relay(() => of);
    expect(ofPage(last)).toEqual([]);
    expect(latest(last, 'up')).toBe(up);
  });
});
