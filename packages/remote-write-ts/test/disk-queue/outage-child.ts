// The sender of the outage test: every 15 seconds of its own time a value of each series, kept on disk, told when it is safe.
// When all rounds are done it waits until everything is delivered.

import { createRemoteWrite, type Point } from '../../src/index.ts';
import { virtualTime } from './virtual-time.ts';

export const ROUND_MS = 15_000;
export const SERIES = 40;

export interface Orders {
  url: string;
  dir: string;
  startMs: number;
  firstRound: number;
  rounds: number;
  shards: number;
}

export type Report = { safeRound: number } | { isDelivered: true; stats: unknown };

if (process.argv[2] === 'outage') {
  process.once('message', (orders) => void work(orders as Orders));
}

async function work({ url, dir, startMs, firstRound, rounds, shards }: Orders): Promise<void> {
  const time = virtualTime(startMs + firstRound * ROUND_MS);
  const client = createRemoteWrite({
    url,
    userAgent: 'test/1.0',
    now: time.now,
    sleep: time.sleep,
    diskQueue: { dir },
    queue: { minShards: shards, maxShards: shards, maxSamplesPerSend: 20 },
  });
  const series = Array.from({ length: SERIES }, (_, i) =>
    client.series([
      ['__name__', 'm'],
      ['i', String(i)],
    ]),
  );
  for (let round = firstRound; round < rounds; round++) {
    const timestampMs = startMs + round * ROUND_MS;
    await client.append(series.map((of): Point => ({ kind: 'sample', series: of, value: round, timestampMs })));
    await client.persist();
    report({ safeRound: round });
    time.advance(ROUND_MS);
    await new Promise((resolve) => setImmediate(resolve));
  }
  const isDelivered = client.flush().then(() => true);
  while (!(await Promise.race([isDelivered, new Promise((resolve) => setTimeout(resolve, 1, false))]))) {
    time.advance(1_000);
  }
  const stats = client.stats();
  await client.close();
  report({ isDelivered: true, stats });
}

function report(what: Report): void {
  process.send?.(what);
}
