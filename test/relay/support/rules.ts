// What every request of a relay must keep, whatever the page was. The assertions follow the public remote-write sender
// suite, in our own words.

import { expect } from 'vitest';
import type { MockRequest, MockSeries } from '../../../packages/remote-write-ts/test/client/mock.ts';

export type Protocol = '1.0' | '2.0';
/** Of a relay about its scrapes. */
export const REPORT_NAMES = [
  'up',
  'scrape_duration_seconds',
  'scrape_samples_scraped',
  'scrape_samples_post_metric_relabeling',
  'scrape_series_added',
];
const MINUTE_MS = 60_000;

export function holdToRules({ protocol, method, headers, body, series, v2, atMs }: MockRequest): void {
  expect(method).toBe('POST');
  expect(headers['content-type']).toBe(
    protocol === '1.0' ? 'application/x-protobuf' : 'application/x-protobuf;proto=io.prometheus.write.v2.Request',
  );
  expect(headers['content-encoding']).toBe('snappy');
  expect(headers['x-prometheus-remote-write-version']).toBe(protocol === '1.0' ? '0.1.0' : '2.0.0');
  expect(headers['user-agent']).toMatch(/^spanmill-rw-relay\/\d/);
  // The framed format begins with a stream identifier.
  expect(body.subarray(0, 10).toString('latin1')).not.toContain('sNaPpY');
  expect(series.length).toBeLessThanOrEqual(2_000);
  expect(series.flatMap((one) => faultsOf(one, atMs))).toEqual([]);
  const metadata = new Map<string, Set<string>>();
  for (const { labels, metadata: of } of series) {
    const name = labels['__name__']!;
    metadata.set(name, (metadata.get(name) ?? new Set()).add(JSON.stringify(of)));
  }
  for (const said of metadata.values()) {
    expect(said.size).toBe(1);
  }
  if (v2 === undefined) return;
  expect(series.every(({ metadata: of }) => of !== undefined)).toBe(true);
  expect(v2.symbols[0]).toBe('');
  expect(new Set(v2.symbols).size).toBe(v2.symbols.length);
  const isInRange = (ref: number) => ref >= 0 && ref < v2.symbols.length;
  const refsOfLabels = v2.timeseries.flatMap(({ labels_refs, exemplars }) => [
    labels_refs,
    ...exemplars.map((exemplar) => exemplar.labels_refs),
  ]);
  expect(refsOfLabels.every((refs) => refs.length % 2 === 0 && refs.every(isInRange))).toBe(true);
  expect(v2.timeseries.every(({ metadata: of }) => isInRange(of!.help_ref) && isInRange(of!.unit_ref))).toBe(true);
}

// One list of all that is wrong: an assertion for each label would take longer than the relay.
function faultsOf({ pairs, labels, samples, histograms, exemplars }: MockSeries, atMs: number): string[] {
  const faults: string[] = [];
  const must = (isKept: boolean, what: string) => {
    if (!isKept) faults.push(`${labels['__name__']}: ${what}`);
  };
  const names = pairs.map(([name]) => Buffer.from(name));
  for (let i = 1; i < names.length; i++) {
    must(Buffer.compare(names[i - 1]!, names[i]!) === -1, 'labels are sorted, none repeated');
  }
  must(
    pairs.every(([name, value]) => name !== '' && value !== ''),
    'no empty label',
  );
  must(
    pairs.every(([name]) => name === '__name__' || !name.startsWith('__')),
    'no reserved label',
  );
  must(labels['__name__'] !== undefined && labels['job'] === 'test', 'a name and a job');
  must(/:\d+$/.test(labels['instance'] ?? ''), 'an instance');
  must(samples.length > 0 && histograms.length === 0, 'samples and nothing else');
  for (const { startMs, timestampMs } of samples) {
    must(startMs === 0 || (startMs > 1e12 && startMs <= timestampMs), 'starts before its sample');
  }
  for (const { timestampMs, labels: ids } of exemplars) {
    must(Math.abs(atMs - timestampMs) < 60 * MINUTE_MS, 'exemplars of this hour');
    must(Object.keys(ids).length > 0, 'exemplars with labels');
  }
  return faults;
}

/** Series of a page that gives no time: within five minutes of now, each later than the one before. */
export function holdTimesToRules(requests: readonly MockRequest[]): void {
  const last = new Map<string, number>();
  for (const { series, atMs } of requests) {
    for (const { pairs, samples } of series) {
      for (const { timestampMs } of samples) {
        expect(Number.isInteger(timestampMs)).toBe(true);
        expect(Math.abs(atMs - timestampMs)).toBeLessThan(5 * MINUTE_MS);
        expect(timestampMs).toBeGreaterThan(last.get(JSON.stringify(pairs)) ?? 0);
        last.set(JSON.stringify(pairs), timestampMs);
      }
    }
  }
}

export function named(series: readonly MockSeries[], name: string): MockSeries[] {
  return series.filter(({ labels }) => labels['__name__'] === name);
}

/** Without the labels that every series has. */
export function ownLabels({ labels }: MockSeries): Record<string, string> {
  const { __name__: _, job: __, instance: ___, ...own } = labels;
  return own;
}

/** Those of the page. */
export function ofPage(series: readonly MockSeries[]): MockSeries[] {
  return series.filter(({ labels }) => !REPORT_NAMES.includes(labels['__name__']!));
}
