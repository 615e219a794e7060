// The embedded log: partitions of segment files in one directory, one process at a time. Ties writers, readers, consumers and
// retention together. An append is acknowledged when its records are on the disk, and not before.
import path from 'node:path';
import { type AppendRecord, type LogBounds, type LogConsumer, LogError, type LogListener } from '../port.ts';
import { EmbeddedConsumer, type Every } from './consumer.ts';
import { asLogError } from './errors.ts';
import { type LogFileSystem, nodeFileSystem } from './file-system.ts';
import { MAX_TENANT_BYTES } from './frame.ts';
import { openIdentity, partitionDirectory } from './identity.ts';
import { acquireLock, type Lock } from './lock.ts';
import { type EmbeddedLog, type EmbeddedLogOptions, type EmbeddedLogStats, MAX_RECORD_BYTES } from './options.ts';
import { ReadAccess } from './read-access.ts';
import { identifyRecord } from './reader.ts';
import { recoverPartition } from './recovery.ts';
import { deleteDue, partitionBytes } from './retention.ts';
import { type PartitionState, startOffset } from './segment.ts';
import { PartitionWriter, type PreparedRecord } from './writer.ts';

/**
 * Opens the log or creates it.
 * @throws LogError `log_locked` if a process has it open, `log_incompatible` if it has more partitions or another format,
 *   `log_damaged`, `disk_full`
 */
export async function openEmbeddedLog(options: EmbeddedLogOptions): Promise<EmbeddedLog> {
  const { partitions, segmentBytes } = options;
  if (!Number.isSafeInteger(partitions) || partitions < 1)
    throw new RangeError('partitions must be a whole number from 1');
  if (!(segmentBytes > 0)) throw new RangeError('segmentBytes must be above 0');
  const fileSystem = options.fileSystem ?? nodeFileSystem;
  const root = path.resolve(options.path);
  let lock: Lock | undefined;
  const access = new ReadAccess(fileSystem);
  try {
    await makeRoot(fileSystem, root);
    lock = acquireLock(path.join(root, 'lock.sqlite'));
    const { identity } = await openIdentity(fileSystem, root, partitions);
    const states: PartitionState[] = [];
    let tornBytes = 0;
    for (let id = 0; id < partitions; id++) {
      const recovery = { fileSystem, access, identity, logger: options.logger };
      const recovered = await recoverPartition(recovery, id, partitionDirectory(root, id));
      states.push(recovered.state);
      tornBytes += recovered.tornBytes;
    }
    // The directories' own names must be as durable as what is put into them.
    await fileSystem.syncDirectory(root);
    options.logger?.info({ path: root, identity, partitions, tornBytes }, 'embedded log open');
    return new OpenLog(options, fileSystem, access, lock, identity, states, tornBytes);
  } catch (cause) {
    await access.close();
    lock?.release();
    throw asLogError(cause, `opening the log at ${root}`);
  }
}

/** Makes the directory, with every new name on the way to it durable. */
async function makeRoot(fileSystem: LogFileSystem, root: string): Promise<void> {
  const topmost = await fileSystem.makeDirectory(root);
  if (topmost === undefined) return;
  for (let made = root; ; made = path.dirname(made)) {
    await fileSystem.syncDirectory(path.dirname(made));
    if (made.length <= topmost.length) return;
  }
}

class OpenLog implements EmbeddedLog {
  readonly identity: string;
  readonly partitions: number;
  private readonly options: EmbeddedLogOptions;
  private readonly fileSystem: LogFileSystem;
  private readonly access: ReadAccess;
  private readonly lock: Lock;
  private readonly states: readonly PartitionState[];
  private readonly tornBytes: number;
  private readonly writers: readonly PartitionWriter[];
  private readonly consumers = new Set<EmbeddedConsumer>();
  private readonly released = new Map<number, number>();
  private readonly tenantBytes = new TenantBytes();
  private retention: Promise<void> = Promise.resolve();
  private isRetentionQueued = false;
  private deletedSegments = 0;
  private closing: Promise<void> | undefined;

  constructor(
    options: EmbeddedLogOptions,
    fileSystem: LogFileSystem,
    access: ReadAccess,
    lock: Lock,
    identity: string,
    states: readonly PartitionState[],
    tornBytes: number,
  ) {
    this.options = options;
    this.fileSystem = fileSystem;
    this.access = access;
    this.lock = lock;
    this.identity = identity;
    this.partitions = states.length;
    this.states = states;
    this.tornBytes = tornBytes;
    const { segmentBytes, now } = options;
    this.writers = states.map(
      (state) =>
        new PartitionWriter(state, {
          fileSystem,
          identity,
          segmentBytes,
          now,
          onDurable: (group) => {
            for (const consumer of this.consumers) consumer.onDurable(state.id, group);
          },
          onRoll: () => this.queueRetention(),
        }),
    );
  }

  async append(records: readonly AppendRecord[]): Promise<void> {
    if (this.closing !== undefined) throw closedError(this.options.path);
    const perPartition = new Map<number, PreparedRecord[]>();
    for (const record of records) {
      if (this.states[record.partition] === undefined) throw new RangeError(`no partition ${record.partition}`);
      const prepared = { record, tenant: this.tenantBytes.of(record.tenant) };
      checkSize(prepared);
      const list = perPartition.get(record.partition);
      if (list === undefined) perPartition.set(record.partition, [prepared]);
      else list.push(prepared);
    }
    // All are waited for even if one fails: when the caller hears of it, nothing of the append is under way any more.
    const appends = [...perPartition].map(([partition, list]) => this.writers[partition]!.append(list));
    const failed = (await Promise.allSettled(appends)).find((result) => result.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
  }

  partitionIds(): readonly number[] {
    return this.states.map((state) => state.id);
  }

  async bounds(partition: number): Promise<LogBounds> {
    const state = this.state(partition);
    return { start: startOffset(state), end: state.end };
  }

  async identify(partition: number, offset: number): Promise<{ timestampMs: number; crc: number } | undefined> {
    if (this.closing !== undefined) throw closedError(this.options.path);
    return identifyRecord(this.state(partition), this.access, offset);
  }

  consume(from: ReadonlyMap<number, number>, listener: LogListener): LogConsumer {
    if (this.closing !== undefined) throw closedError(this.options.path);
    const states = new Map<PartitionState, number>();
    for (const [partition, offset] of from) states.set(this.state(partition), offset);
    const consumer = new EmbeddedConsumer(states, listener, {
      access: this.access,
      now: this.options.now,
      every: this.options.every ?? everyInterval,
      onStop: (stopped) => this.consumers.delete(stopped),
    });
    this.consumers.add(consumer);
    return consumer;
  }

  release(below: ReadonlyMap<number, number>): void {
    for (const [partition, offset] of below) this.released.set(this.state(partition).id, offset);
    this.queueRetention();
  }

  runRetention(nowMs: number): Promise<void> {
    this.retention = this.retention.then(() => this.deleteDue(nowMs));
    return this.retention;
  }

  stats(): EmbeddedLogStats {
    const partitions = this.states.map((state, i) => ({
      partition: state.id,
      start: startOffset(state),
      end: state.end,
      segments: state.segments.length,
      sizeBytes: partitionBytes(state),
      queuedBytes: this.writers[i]!.queuedBytes,
    }));
    const total = { groups: 0, records: 0, bytes: 0, failedGroups: 0, repairs: 0 };
    for (const { counters } of this.writers) {
      total.groups += counters.groups;
      total.records += counters.records;
      total.bytes += counters.bytes;
      total.failedGroups += counters.failedGroups;
      total.repairs += counters.repairs;
    }
    const { deletedSegments, tornBytes } = this;
    const { openFiles } = this.access;
    return { partitions, ...total, deletedSegments, tornBytes, openFiles, consumers: this.consumers.size };
  }

  close(): Promise<void> {
    this.closing ??= this.shutDown();
    return this.closing;
  }

  private async shutDown(): Promise<void> {
    try {
      await Promise.allSettled(this.writers.map((writer) => writer.close()));
      await Promise.allSettled([...this.consumers].map((consumer) => consumer.stop()));
      await this.retention;
      await this.access.close();
    } finally {
      this.lock.release();
    }
  }

  /** However many rolls and releases come in one go, they are looked at once. */
  private queueRetention(): void {
    if (this.isRetentionQueued || this.released.size === 0) return;
    this.isRetentionQueued = true;
    this.retention = this.retention.then(() => {
      this.isRetentionQueued = false;
      return this.deleteDue(this.options.now());
    });
  }

  private async deleteDue(nowMs: number): Promise<void> {
    const { maxAgeMs, maxBytes } = this.options.retention;
    const limits = { maxAgeMs, maxBytes: maxBytes / this.partitions };
    for (const state of this.states) {
      const released = () => this.released.get(state.id) ?? 0;
      const { logger } = this.options;
      this.deletedSegments += await deleteDue(state, released, limits, nowMs, this.fileSystem, this.access, logger);
    }
  }

  private state(partition: number): PartitionState {
    const state = this.states[partition];
    if (state === undefined) throw new RangeError(`no partition ${partition}`);
    return state;
  }
}

/** Tenants' names as bytes; the same few come again and again. */
class TenantBytes {
  private static readonly MAX_KEPT = 1_024;
  private readonly kept = new Map<string, Uint8Array>();
  private readonly encoder = new TextEncoder();

  of(tenant: string): Uint8Array {
    let bytes = this.kept.get(tenant);
    if (bytes === undefined) {
      bytes = this.encoder.encode(tenant);
      if (this.kept.size >= TenantBytes.MAX_KEPT) this.kept.clear();
      this.kept.set(tenant, bytes);
    }
    return bytes;
  }
}

function checkSize({ record, tenant }: PreparedRecord): void {
  if (record.bytes.length <= MAX_RECORD_BYTES && tenant.length <= MAX_TENANT_BYTES) return;
  const sizes = `a record of ${record.bytes.length} bytes, tenant ${tenant.length} bytes`;
  throw new LogError('record_too_large', `${sizes}: the log takes ${MAX_RECORD_BYTES} and ${MAX_TENANT_BYTES}`);
}

function closedError(where: string): LogError {
  return new LogError('log_closed', `the log at ${where} is closed`);
}

const everyInterval: Every = (intervalMs, run) => {
  const timer = setInterval(run, intervalMs);
  return () => clearInterval(timer);
};
