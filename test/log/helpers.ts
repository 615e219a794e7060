// Shared by the log's tests: a log in a directory of its own, a file system whose calls can be failed or held, a listener that keeps
// what it is told.
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import {
  type AppendRecord,
  type EmbeddedLog,
  type EmbeddedLogOptions,
  ENCODINGS,
  type EndMark,
  type LogBatch,
  type LogConsumer,
  type LogFile,
  type LogFileSystem,
  type LogListener,
  nodeFileSystem,
  openEmbeddedLog,
} from '../../src/log/index.ts';

export interface TestDirectory {
  path: string;
  remove(): void;
}

export function testDirectory(): TestDirectory {
  const directory = mkdtempSync(path.join(os.tmpdir(), 'spanmill-log-'));
  return { path: directory, remove: () => rmSync(directory, { recursive: true, force: true }) };
}

export function openLog(directory: string, options: Partial<EmbeddedLogOptions> = {}): Promise<EmbeddedLog> {
  return openEmbeddedLog({
    path: directory,
    partitions: 1,
    segmentBytes: 1024 * 1024,
    retention: { maxAgeMs: Number.POSITIVE_INFINITY, maxBytes: Number.POSITIVE_INFINITY },
    now: () => 1_000,
    ...options,
  });
}

export function record(text: string, partition = 0, tenant = 'acme'): AppendRecord {
  return { partition, tenant, encoding: 'otlp', bytes: new TextEncoder().encode(text) };
}

export function segmentFiles(directory: string, partition = 0): string[] {
  const folder = path.join(directory, `partition-${partition}`);
  return readdirSync(folder)
    .filter((name) => name.endsWith('.segment'))
    .sort()
    .map((name) => path.join(folder, name));
}

export interface Call {
  operation: keyof LogFileSystem | keyof LogFile;
  path: string;
}

/** Before each call runs, `before` may throw, or wait. It sees every call, in order. */
export function watchedFileSystem(before: (call: Call) => void | Promise<void>): LogFileSystem {
  const inner = nodeFileSystem;
  const guard = async <T>(operation: Call['operation'], file: string, run: () => Promise<T>): Promise<T> => {
    await before({ operation, path: file });
    return run();
  };
  return {
    makeDirectory: (p) => guard('makeDirectory', p, () => inner.makeDirectory(p)),
    readDirectory: (p) => guard('readDirectory', p, () => inner.readDirectory(p)),
    syncDirectory: (p) => guard('syncDirectory', p, () => inner.syncDirectory(p)),
    rename: (from, to) => guard('rename', from, () => inner.rename(from, to)),
    unlink: (p) => guard('unlink', p, () => inner.unlink(p)),
    async open(p, flags) {
      const file = await guard('open', p, () => inner.open(p, flags));
      return {
        read: (into, position) => guard('read', p, () => file.read(into, position)),
        // Half of what is asked for is written before a failure is noticed: a torn write must leave traces to be cleaned up.
        async write(bytes, position) {
          try {
            await before({ operation: 'write', path: p });
          } catch (error) {
            await file.write(bytes.subarray(0, bytes.length >> 1), position);
            throw error;
          }
          return file.write(bytes, position);
        },
        datasync: () => guard('datasync', p, () => file.datasync()),
        truncate: (size) => guard('truncate', p, () => file.truncate(size)),
        sizeBytes: () => guard('sizeBytes', p, () => file.sizeBytes()),
        close: () => guard('close', p, () => file.close()),
      };
    },
  };
}

export function errorOf(code: string): Error {
  return Object.assign(new Error(`${code}: injected`), { code });
}

export interface Seen {
  offset: number;
  timestampMs: number;
  tenant: string;
  encoding: string;
  text: string;
}

export function recordsOf(batch: LogBatch): Seen[] {
  return Array.from({ length: batch.count }, (_, i) => ({
    offset: batch.offsets[i]!,
    timestampMs: batch.timestampsMs[i]!,
    tenant: batch.tenants[batch.tenantOf[i]!]!,
    encoding: ENCODINGS[batch.encodings[i]!]!,
    text: Buffer.from(batch.bytes.subarray(batch.starts[i]!, batch.starts[i + 1]!)).toString('latin1'),
  }));
}

/** Keeps everything, and lets a test wait for a condition on it. */
export class Recorder implements LogListener {
  readonly batches: LogBatch[] = [];
  readonly marks: EndMark[] = [];
  readonly errors: { partition: number; error: Error }[] = [];
  private waiting: { isMet: () => boolean; resolve: () => void }[] = [];
  whenBatch: ((batch: LogBatch) => void) | undefined;

  onBatch(batch: LogBatch): void {
    this.batches.push(batch);
    this.whenBatch?.(batch);
    this.check();
  }

  onEnd(mark: EndMark): void {
    this.marks.push(mark);
    this.check();
  }

  onError(partition: number, error: Error): void {
    this.errors.push({ partition, error });
    this.check();
  }

  until(isMet: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      this.waiting.push({ isMet, resolve });
      this.check();
    });
  }

  /** Waits until the end mark of `partition` says `end`. */
  untilEnd(end: number, partition = 0): Promise<void> {
    return this.until(() => this.marks.some((mark) => mark.partition === partition && mark.end === end));
  }

  records(partition = 0): Seen[] {
    return this.batches.filter((batch) => batch.partition === partition).flatMap(recordsOf);
  }

  texts(partition = 0): string[] {
    return this.records(partition).map((seen) => seen.text);
  }

  private check(): void {
    const met = this.waiting.filter((entry) => entry.isMet());
    this.waiting = this.waiting.filter((entry) => !met.includes(entry));
    for (const entry of met) entry.resolve();
  }
}

export function follow(log: EmbeddedLog, offset = 0, partition = 0): { recorder: Recorder; consumer: LogConsumer } {
  const recorder = new Recorder();
  return { recorder, consumer: log.consume(new Map([[partition, offset]]), recorder) };
}

/** Everything that a partition holds from `offset` on, read with a consumer of its own. Throws if it reports an error. */
export async function readAll(log: EmbeddedLog, partition = 0, offset?: number): Promise<Seen[]> {
  const { start, end } = await log.bounds(partition);
  const { recorder, consumer } = follow(log, offset ?? start, partition);
  await recorder.until(() => recorder.errors.length > 0 || recorder.marks.some((mark) => mark.end >= end));
  await consumer.stop();
  if (recorder.errors[0] !== undefined) throw recorder.errors[0].error;
  return recorder.records(partition);
}
