// Run as a process of its own by lock.test.ts: appends for ever from several appenders, and prints each offset range that was
// acknowledged, until it is killed.
import { openEmbeddedLog } from '../../src/log/index.ts';

const log = await openEmbeddedLog({
  path: process.argv[2]!,
  partitions: 2,
  segmentBytes: 20_000,
  retention: { maxAgeMs: 1, maxBytes: 1 },
  now: () => 1_000,
});
let serial = 0;

async function appender(partition: number): Promise<never> {
  for (;;) {
    const id = serial++;
    const bytes = new TextEncoder().encode(`${id}:${'x'.repeat((id * 37) % 900)}`);
    await log.append([{ partition, tenant: 'acme', encoding: 'otlp', bytes }]);
    process.stdout.write(`${partition} ${id}\n`);
  }
}

await Promise.all([appender(0), appender(1), appender(0), appender(1)]);
