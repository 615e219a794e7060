// Folds a corpus over and over in a process with --expose-gc and prints by how much the heap grew meanwhile, and whether
// anything was collected in between: if not, the growth is all that was allocated.
//   node --expose-gc --conditions=source allocation-child.ts CORPUS [CONFIG]

import { readFileSync } from 'node:fs';
import { PerformanceObserver } from 'node:perf_hooks';
import { loadConfig, resolveTenant } from '../../src/config/index.ts';
import { Fold } from '../../src/fold/index.ts';
import { splitMessages } from '../../src/simulate/index.ts';

const WARM_UP_PASSES = 100;
const PASSES = 110;
const NOW_MS = 1_767_225_610_000;
const [corpus = '', config] = process.argv.slice(2);

const { config: settings } =
  config === undefined ? loadConfig({ text: '' }) : loadConfig({ path: config, env: process.env });
const tenant = { ...resolveTenant(settings, 'single-tenant'), slackMs: 3_600_000 };
const fold = new Fold({ settingsOf: () => tenant, originMs: 0 });
const messages = splitMessages(new Uint8Array(readFileSync(corpus)), corpus);
let collections = 0;
new PerformanceObserver((list) => {
  collections += list.getEntries().length;
}).observe({ entryTypes: ['gc'] });

function pass(): void {
  for (let i = 0; i < messages.length; i++) fold.push('single-tenant', NOW_MS, NOW_MS, messages[i]!, false);
}

fold.advance(NOW_MS);
// Everything there is has been seen, and the compiler is done, before it counts.
for (let i = 0; i < WARM_UP_PASSES; i++) pass();
const received = () => fold.tenant('single-tenant').counters.spansReceived;
globalThis.gc!();
await new Promise((resolve) => setTimeout(resolve, 10));
collections = 0;
const spansBefore = received();
const before = process.memoryUsage().heapUsed;
for (let i = 0; i < PASSES; i++) pass();
const bytes = process.memoryUsage().heapUsed - before;
const spans = received() - spansBefore;
await new Promise((resolve) => setTimeout(resolve, 10));
process.stdout.write(`${JSON.stringify({ spans, bytes, collections })}\n`);
