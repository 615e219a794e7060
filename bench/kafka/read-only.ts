// Reads a topic to its end as spanmill does, through the same configuration, and throws the records away: what reading alone costs.
// Prints the CPU (µs) and records from the record `--warm` on.
//   node --conditions=source bench/kafka/read-only.ts CONFIG --warm N --records N

import { parseArgs } from 'node:util';
import { loadConfig } from '../../src/config/index.ts';
import { openLog } from '../../src/open-log.ts';
import { createLogger } from '../../src/telemetry/index.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { warm: { type: 'string' }, records: { type: 'string' } },
});
const warm = Number(values.warm);
const wanted = Number(values.records);
const { config } = loadConfig({ path: positionals[0]!, env: process.env });
const opened = await openLog({
  config,
  now: () => Date.now(),
  logger: createLogger('error'),
  onLost: (reason) => {
    throw new Error(reason);
  },
  onPartition: () => undefined,
  signal: new AbortController().signal,
});
let records = 0;
let start: { records: number; cpu: NodeJS.CpuUsage; ms: number } | undefined;
const from = new Map(opened.log.partitionIds().map((partition) => [partition, 0]));
await new Promise<void>((resolve, reject) => {
  opened.log.consume(from, {
    onBatch: ({ count }) => {
      records += count;
      if (start === undefined && records >= warm) start = { records, cpu: process.cpuUsage(), ms: performance.now() };
      if (records === wanted) resolve();
    },
    onEnd: () => undefined,
    onError: (_, error) => reject(error),
  });
});
const { user, system } = process.cpuUsage(start!.cpu);
const ms = performance.now() - start!.ms;
await opened.close();
process.stdout.write(`${JSON.stringify({ records: records - start!.records, cpuUs: user + system, ms })}\n`);
