// A record that ends the worker which folds it: it is tried three times, then the shard goes on without it, and says which one it was.

import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Spanmill } from './support/spanmill.ts';
import { waitFor } from './support/wait.ts';

const PILL = 'poison-pill';
const PRELOAD = join(import.meta.dirname, 'support/deadly-pill.mjs');

async function send(spanmill: Spanmill, name: string, spans: number): Promise<void> {
  const now = BigInt(Date.now()) * 1_000_000n;
  const response = await fetch(`${spanmill.otlp}/v1/traces`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      resourceSpans: [
        {
          resource: { attributes: [{ key: 'service.name', value: { stringValue: 'shop' } }] },
          scopeSpans: [
            {
              spans: Array.from({ length: spans }, (_, i) => ({
                traceId: Buffer.from(`${name}-trace-identity`.slice(0, 16)).toString('hex'),
                spanId: (i + 1).toString(16).padStart(16, '0'),
                name,
                kind: 2,
                startTimeUnixNano: String(now - 1_000_000n),
                endTimeUnixNano: String(now),
              })),
            },
          ],
        },
      ],
    }),
  });
  expect(response.status).toBe(200);
}

async function calls(spanmill: Spanmill, name: string): Promise<number> {
  const line = (await spanmill.spanMetrics())
    .split('\n')
    .find((text) => text.startsWith('traces_spanmetrics_calls_total{') && text.includes(`span_name="${name}"`));
  return line === undefined ? 0 : Number(line.split('} ')[1]!.split(' ')[0]);
}

describe('a record that ends its worker', () => {
  it('is named, counted and passed over after the third time; everything around it counts once', async () => {
    const spanmill = await Spanmill.start({ partitions: 2, env: { NODE_OPTIONS: `--import=${PRELOAD}` } });
    try {
      await send(spanmill, 'before', 30);
      await waitFor('the first boundary', async () => (await calls(spanmill, 'before')) === 30, 10_000);
      await send(spanmill, 'along', 20);
      await send(spanmill, PILL, 1);
      await send(spanmill, 'after', 10);
      await waitFor('the shard to go on', async () => (await calls(spanmill, 'after')) === 10, 15_000);
      await send(spanmill, 'later', 5);
      await waitFor('later spans', async () => (await calls(spanmill, 'later')) === 5);
      expect(await calls(spanmill, 'before')).toBe(30);
      expect(await calls(spanmill, 'along')).toBe(20);
      expect(await calls(spanmill, PILL)).toBe(0);
      expect(await (await fetch(`${spanmill.url}/metrics`)).text()).toMatch(
        /spanmill_records_undecodable_total\{reason="fatal"\} 1\n/,
      );
      const said = spanmill.log.match(/"partition":\d,"offset":\d+,"msg":"a record ended its worker[^"]*"/g);
      expect(said?.map((line) => line.includes('passed over'))).toEqual([false, false, true]);
      expect((await fetch(`${spanmill.url}/ready`)).status).toBe(200);
      expect(await spanmill.stop()).toBe(0);
    } finally {
      await spanmill.remove();
    }
  });
});
