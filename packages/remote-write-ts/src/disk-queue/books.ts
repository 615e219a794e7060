// The sums of a disk queue, and its warnings: once when the disk stops taking data, and once when it does again.

import type { PointCounts } from '../points/index.ts';
import type { DiskDropReason, DiskErrorKind, DiskQueueStats } from './stats.ts';

export interface BookHooks {
  onDropped: (reason: DiskDropReason, counts: PointCounts) => void;
  /** In words. */
  onWarning: (message: string) => void;
}

export class Books {
  replayed = 0;
  stored = 0;
  unstored = 0;
  settled = 0;
  lost = 0;
  unreadable = 0;
  tornBytes = 0;
  readonly #dropped = { disk_max_bytes: 0, disk_max_age: 0, disk_damaged: 0 };
  readonly #errors = { write: 0, sync: 0, read: 0, cursor: 0, remove: 0 };
  readonly #hooks: BookHooks;
  #lastError: string | undefined;
  #isDiskWell = true;

  constructor(hooks: BookHooks) {
    this.#hooks = hooks;
  }

  dropped(reason: DiskDropReason, counts: PointCounts): void {
    this.#dropped[reason]++;
    this.#hooks.onDropped(reason, counts);
  }

  failed(kind: DiskErrorKind, error: unknown): void {
    this.#errors[kind]++;
    this.#lastError = `${kind}: ${describe(error)}`;
  }

  disk(isWell: boolean): void {
    if (isWell === this.#isDiskWell) return;
    this.#isDiskWell = isWell;
    if (isWell) this.warn('the disk takes data again');
    else this.warn(`the disk takes no data (${this.#lastError}); going on in memory`);
  }

  warn(message: string): void {
    this.#hooks.onWarning(`disk queue: ${message}`);
  }

  snapshot(): Pick<
    DiskQueueStats,
    | 'replayed'
    | 'stored'
    | 'unstored'
    | 'settled'
    | 'lost'
    | 'unreadable'
    | 'tornBytes'
    | 'dropped'
    | 'errors'
    | 'lastError'
  > {
    const { replayed, stored, unstored, settled, lost, unreadable, tornBytes } = this;
    const sums = { replayed, stored, unstored, settled, lost, unreadable, tornBytes };
    const lastError = this.#lastError;
    return { ...sums, dropped: { ...this.#dropped }, errors: { ...this.#errors }, ...(lastError && { lastError }) };
  }
}

export function describe(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown error';
  return error.cause instanceof Error ? `${error.message}: ${error.cause.message}` : error.message;
}
