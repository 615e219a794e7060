// The one table of what can go wrong in a ledger, and the error that says so. A message names file and position where there is one.

/** `isRetryable`: nothing was changed, and the same call may succeed later. */
export const LEDGER_ERRORS = {
  /** No space, or the quota is exhausted. */
  disk_full: { isRetryable: true },
  /** A file call failed for another reason. */
  ledger_io: { isRetryable: true },
  ledger_closed: { isRetryable: false },
  /** Another process, or this one, has the ledger open. */
  ledger_locked: { isRetryable: true },
  /** Bytes that aren't what was written, or files that are missing. */
  ledger_damaged: { isRetryable: false },
  /** Written in a format that this version doesn't know, or by another kind of machine. */
  ledger_incompatible: { isRetryable: false },
  /** An entry that doesn't follow from the one before: another history, T or an offset that goes back. */
  broken_chain: { isRetryable: false },
  /** The ledger's entries were folded from another log. */
  other_log: { isRetryable: false },
  /** The log's fence names a committed entry that isn't here: the offsets were set by somebody, or this is not the ledger. */
  unknown_commit: { isRetryable: false },
  /** Written to before `takeOver`. */
  no_claim: { isRetryable: false },
  /** Content that can't be stored: not plain data, lengths that disagree, larger than a frame may be. */
  bad_content: { isRetryable: false },
  /** Entries that were asked for are below the oldest one kept. */
  pruned: { isRetryable: false },
} as const;

export type LedgerErrorCode = keyof typeof LEDGER_ERRORS;

/** A place in a file, for messages. */
export interface Where {
  file: string;
  position: number;
}

export class LedgerError extends Error {
  readonly code: LedgerErrorCode;
  readonly isRetryable: boolean;
  readonly file: string | undefined;
  /** Bytes from the start of the file. */
  readonly position: number | undefined;

  constructor(code: LedgerErrorCode, message: string, options: { where?: Where; cause?: unknown } = {}) {
    const { where, cause } = options;
    super(where === undefined ? message : `${where.file} at byte ${where.position}: ${message}`, { cause });
    this.name = 'LedgerError';
    this.code = code;
    this.isRetryable = LEDGER_ERRORS[code].isRetryable;
    this.file = where?.file;
    this.position = where?.position;
  }
}

export function damaged(where: Where, message: string, cause?: unknown): LedgerError {
  return new LedgerError('ledger_damaged', message, { where, cause });
}

/** A failed file call as a LedgerError; a LedgerError stays what it is. */
export function asLedgerError(cause: unknown, what: string): LedgerError {
  if (cause instanceof LedgerError) return cause;
  const code = (cause as NodeJS.ErrnoException | undefined)?.code;
  const text = cause instanceof Error ? cause.message : String(cause);
  const isFull = code === 'ENOSPC' || code === 'EDQUOT';
  return new LedgerError(isFull ? 'disk_full' : 'ledger_io', `${what}: ${text}`, { cause });
}
