// How fast the embedded log appends and reads: records of 1 KB and 17 KB, several appenders at once, each waiting for its
// acknowledgement. Run: node --conditions=source bench/log/embedded.ts [directory]
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { crc32c, type EmbeddedLog, type LogBatch, openEmbeddedLog } from '../../src/log/index.ts';

const MIB = 1024 * 1024;
const root = mkdtempSync(path.join(process.argv[2] ?? os.tmpdir(), 'spanmill-bench-log-'));

function open(name: string, partitions: number): Promise<EmbeddedLog> {
  return openEmbeddedLog({
    path: path.join(root, name),
    partitions,
    segmentBytes: 64 * MIB,
    retention: { maxAgeMs: Number.POSITIVE_INFINITY, maxBytes: Number.POSITIVE_INFINITY },
    now: () => Date.now(),
  });
}

function row(what: string, seconds: number, records: number, bytes: number, more = ''): void {
  const perSecond = Math.round(records / seconds).toLocaleString('en');
  console.log(
    `${what.padEnd(52)} ${perSecond.padStart(10)} records/s ${(bytes / MIB / seconds).toFixed(1).padStart(8)} MiB/s ${more}`,
  );
}

async function appendFor(
  log: EmbeddedLog,
  appenders: number,
  recordBytes: number,
  limits: { ms: number; bytes: number },
): Promise<{ seconds: number; records: number; p50Ms: number; p99Ms: number }> {
  const value = new Uint8Array(recordBytes).map((_, i) => (i * 131) & 255);
  const waits: number[] = [];
  let records = 0;
  const start = performance.now();
  const appender = async (partition: number) => {
    while (performance.now() - start < limits.ms && records * recordBytes < limits.bytes) {
      const before = performance.now();
      await log.append([{ partition, tenant: 'anonymous', encoding: 'otlp', bytes: value }]);
      waits.push(performance.now() - before);
      records++;
    }
  };
  await Promise.all(Array.from({ length: appenders }, (_, i) => appender(i % log.partitions)));
  waits.sort((a, b) => a - b);
  const at = (q: number) => waits[Math.floor((waits.length - 1) * q)] ?? 0;
  return { seconds: (performance.now() - start) / 1000, records, p50Ms: at(0.5), p99Ms: at(0.99) };
}

async function readAll(log: EmbeddedLog): Promise<{ seconds: number; records: number; bytes: number }> {
  let records = 0;
  let bytes = 0;
  const ends = new Map<number, number>();
  for (const partition of log.partitionIds()) ends.set(partition, (await log.bounds(partition)).end);
  const start = performance.now();
  await new Promise<void>((resolve, reject) => {
    log.consume(new Map([...ends.keys()].map((partition) => [partition, 0])), {
      onBatch(batch: LogBatch) {
        records += batch.count;
        bytes += batch.bytes.length;
      },
      onEnd({ partition }) {
        ends.delete(partition);
        if (ends.size === 0) resolve();
      },
      onError: (_, error) => reject(error),
    });
  });
  return { seconds: (performance.now() - start) / 1000, records, bytes };
}

try {
  const sample = new Uint8Array(MIB).map((_, i) => i * 31);
  for (let i = 0; i < 50; i++) crc32c(sample);
  const crcStart = performance.now();
  for (let i = 0; i < 200; i++) crc32c(sample);
  console.log(`crc32c ${((200 * 1000) / (performance.now() - crcStart)).toFixed(0)} MiB/s`);
  for (const recordBytes of [1_024, 17 * 1_024]) {
    for (const [partitions, appenders] of [
      [1, 1],
      [1, 16],
      [1, 128],
      [4, 128],
    ] as const) {
      const name = `${recordBytes}-${partitions}-${appenders}`;
      const log = await open(name, partitions);
      const run = await appendFor(log, appenders, recordBytes, { ms: 3_000, bytes: 1_024 * MIB });
      const { groups } = log.stats();
      const what = `append ${recordBytes} B, ${partitions} partitions, ${appenders} appenders`;
      const more = `p50 ${run.p50Ms.toFixed(2)} ms, p99 ${run.p99Ms.toFixed(2)} ms, ${(run.records / groups).toFixed(1)} records/fsync`;
      row(what, run.seconds, run.records, run.records * recordBytes, more);
      if (appenders === 128) {
        const read = await readAll(log);
        row(`read   ${recordBytes} B, ${partitions} partitions, from files`, read.seconds, read.records, read.bytes);
      }
      await log.close();
      if (appenders === 128) {
        const start = performance.now();
        await (await open(name, partitions)).close();
        console.log(`open   with the last segments scanned: ${(performance.now() - start).toFixed(0)} ms`);
      }
      rmSync(path.join(root, name), { recursive: true, force: true });
    }
  }
} finally {
  rmSync(root, { recursive: true, force: true });
}
