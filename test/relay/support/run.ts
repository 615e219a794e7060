// A relay from start to end: a page to scrape, a receiver that records, SIGINT after a few scrapes, and every request held to
// the rules.

import { expect } from 'vitest';
import {
  closeMocks,
  type Judge,
  type MockRequest,
  type MockSeries,
  startMock,
} from '../../../packages/remote-write-ts/test/client/mock.ts';
import { closeRelays, type RelayOptions, startRelay } from './relay.ts';
import { holdToRules, named, type Protocol } from './rules.ts';
import { closeTargets, type Page, startTarget } from './target.ts';

interface Run {
  protocol?: Protocol;
  judge?: Judge;
  scrapes?: number;
  options?: Partial<RelayOptions>;
}

/** Lets a relay scrape the page a few times, stops it, and holds every request to the rules. */
export async function relay(
  page: string | ((scrape: number) => Page | string),
  { protocol = '2.0', judge, scrapes = 3, options = {} }: Run = {},
): Promise<{ requests: MockRequest[]; last: MockSeries[]; log: string }> {
  const mock = await startMock(judge);
  const target = await startTarget(typeof page === 'string' ? () => page : page);
  const process = startRelay({ target, writeUrl: mock.url, protocol, ...options });
  // The next scrape begins only after the one before has been queued.
  await target.scraped(scrapes + 1);
  expect(await process.stop()).toBe(0);
  for (const request of mock.requests) holdToRules(request);
  const withSeries = mock.requests.filter(({ series }) => series.length > 0);
  return { requests: mock.requests, last: withSeries.at(-1)?.series ?? [], log: process.log() };
}

export async function closeAll(): Promise<void> {
  closeRelays();
  await closeTargets();
  await closeMocks();
}

/** An OpenMetrics page. */
export const page = (...lines: string[]) => `${lines.join('\n')}\n# EOF\n`;

export function value(series: MockSeries[], name: string): number | undefined {
  return named(series, name)[0]?.samples[0]?.value;
}

/** Of the latest sample: what the first scrape says may be that a busy machine was too slow. */
export function latest(series: MockSeries[], name: string): number | undefined {
  return named(series, name).at(-1)?.samples.at(-1)?.value;
}
