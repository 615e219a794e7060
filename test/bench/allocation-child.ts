// Folds a corpus over and over in a process with --expose-gc and prints by how much the heap grew meanwhile, and whether
// anything was collected in between: if not, the growth is all that was allocated. With --control it allocates for each span
// the least that JavaScript can, a boxed number of 16 bytes: what a broken promise would look like.
//   node --expose-gc --conditions=source allocation-child.ts CORPUS [--config FILE] [--control]

import { readFileSync } from 'node:fs';
import { PerformanceObserver } from 'node:perf_hooks';
import { parseArgs } from 'node:util';
import { loadConfig, resolveTenant } from '../../src/config/index.ts';
import { Fold } from '../../src/fold/index.ts';
import { splitMessages } from '../../src/simulate/index.ts';

const TENANT = 'single-tenant';
const WARM_UP_PASSES = 100;
const PASSES = 110;
const START_MS = 1_767_225_610_000;
/** Longer than an edge waits: each pass finds the edges of the one before expired. */
const PASS_MS = 60_000;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { config: { type: 'string' }, control: { type: 'boolean' } },
});
const corpus = positionals[0] ?? '';
const { config } = loadConfig(values.config === undefined ? { text: '' } : { path: values.config, env: process.env });
const settings = { ...resolveTenant(config, TENANT), slackMs: 3_600_000 };
const fold = new Fold({ settingsOf: () => settings, originMs: 0 });
const messages = splitMessages(new Uint8Array(readFileSync(corpus)), corpus);
const received = () => fold.tenant(TENANT).counters.spansReceived;
let collections = 0;
new PerformanceObserver((list) => {
  collections += list.getEntries().length;
}).observe({ entryTypes: ['gc'] });

const boxes: unknown[] = Array.from({ length: 64 }, () => null);
let passes = 0;
let expired = 0;

function pass(): void {
  const nowMs = START_MS + passes++ * PASS_MS;
  const spansBefore = received();
  const waiting = fold.tenant(TENANT).pendingEdges;
  fold.advance(nowMs);
  expired += waiting - fold.tenant(TENANT).pendingEdges;
  for (let i = 0; i < messages.length; i++) fold.push(TENANT, nowMs, START_MS, messages[i]!, false);
  if (!values.control) return;
  for (let s = received() - spansBefore; s > 0; s--) boxes[s % boxes.length] = s + 0.5;
}

// Everything there is has been seen, and the compiler is done, before it counts.
for (let i = 0; i < WARM_UP_PASSES; i++) pass();
globalThis.gc!();
await new Promise((resolve) => setTimeout(resolve, 10));
collections = 0;
expired = 0;
const spansBefore = received();
const before = process.memoryUsage().heapUsed;
for (let i = 0; i < PASSES; i++) pass();
const bytes = process.memoryUsage().heapUsed - before;
const spans = received() - spansBefore;
await new Promise((resolve) => setTimeout(resolve, 10));
process.stdout.write(`${JSON.stringify({ spans, bytes, collections, expired })}\n`);
