// How far main may read ahead of a shard's fold, in bytes: every partition has an even share, whatever the others do, as the fold goes
// through them in order and may wait for any of them. All shares together never exceed the budget, but for records that are larger than half a share.

/** Records read but not yet folded, per shard. */
const BUDGET_BYTES = 64 << 20;
/** Larger batches gain nothing. */
const MAX_BATCH_BYTES = 1 << 20;

export class ReadBudget {
  private shareBytes: number;
  /** Bytes handed to the shard, by partition, and how many of them it has folded. */
  private readonly handedBytes = new Map<number, number>();
  private readonly foldedBytes = new Map<number, number>();
  private readonly paused = new Set<number>();
  private readonly totalBytes: number;

  constructor(partitions: number, totalBytes = BUDGET_BYTES) {
    this.totalBytes = totalBytes;
    this.shareBytes = 0;
    this.divide(partitions);
  }

  /** From now on so many partitions share it: one that holds more than its share by then pauses with its next batch. */
  divide(partitions: number): void {
    this.shareBytes = Math.floor(this.totalBytes / Math.max(1, partitions));
  }

  /** One batch may have so many bytes. */
  get batchBytes(): number {
    return Math.min(MAX_BATCH_BYTES, this.shareBytes >> 1);
  }

  /** A batch goes to the shard. True: the partition must pause, as there is no room for another one of its share. */
  handed(partition: number, bytes: number): boolean {
    this.handedBytes.set(partition, (this.handedBytes.get(partition) ?? 0) + bytes);
    if (this.waitingBytes(partition) <= this.pauseAboveBytes || this.paused.has(partition)) return false;
    this.paused.add(partition);
    return true;
  }

  /** @param bytes of the partition's batches that are folded, since the beginning. True: the partition may go on. */
  folded(partition: number, bytes: number): boolean {
    this.foldedBytes.set(partition, bytes);
    return this.waitingBytes(partition) <= this.pauseAboveBytes / 2 && this.paused.delete(partition);
  }

  waitingBytes(partition: number): number {
    return (this.handedBytes.get(partition) ?? 0) - (this.foldedBytes.get(partition) ?? 0);
  }

  private get pauseAboveBytes(): number {
    return this.shareBytes - this.batchBytes;
  }
}
