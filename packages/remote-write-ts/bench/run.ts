// Runs the whole bench, prints the results and writes them down as RESULTS.md. `npm run bench`, with `-- --date 2026-01-31` to say
// when in the page, `-- --quick` for a short run that writes nothing.

import { writeFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { EncodeReport } from './encode.ts';
import { forked } from './fork.ts';
import { buildGo } from './go.ts';
import type { Figures } from './measure.ts';
import type { MemoryReport } from './memory.ts';
import { type Results, render } from './report.ts';

const { values } = parseArgs({ options: { date: { type: 'string' }, quick: { type: 'boolean', default: false } } });
const turns = values.quick ? 2 : 7;
const taskMs = values.quick ? 50 : 200;

const load = loadavg()[0]!;
const go = await buildGo();
if ('missing' in go) console.error(`NOT COMPARED WITH GO: ${go.missing}\n`);

// Turn by turn, so that a busy moment of the machine hits all of them.
const reports: EncodeReport[] = [];
const figures = new Map<string, number[]>();
const goBytes: Record<string, number> = {};
for (let turn = 0; turn < turns; turn++) {
  const report = await forked<EncodeReport>('encode.ts', [1, taskMs]);
  reports.push(report);
  collect(report.figures);
  if (!('missing' in go)) {
    for (const { name, ns, bytes } of await go.measure(taskMs)) {
      collect([{ name, rounds: [ns] }]);
      goBytes[name] = bytes;
    }
  }
  collect(await forked<Figures[]>('end-to-end.ts', [1, taskMs * 2]));
}
const memory = await forked<MemoryReport>('memory.ts', [values.quick ? 10_000 : 50_000], ['--expose-gc']);
if (!('missing' in go)) await go.close();

const results: Results = { date: values.date, load, turns, taskMs, go, goBytes, reports, figures, memory };
const page = render(results);
console.log(page);
if (!values.quick) writeFileSync(join(import.meta.dirname, 'RESULTS.md'), page);

function collect(some: readonly Figures[]): void {
  for (const { name, rounds } of some) figures.set(name, [...(figures.get(name) ?? []), ...rounds]);
}
