// Which LogError a failed file call becomes.
import { LogError } from '../port.ts';

/** `disk_full` for ENOSPC and an exhausted quota, `log_damaged` for the rest; a LogError stays what it is. */
export function asLogError(cause: unknown, what: string): LogError {
  if (cause instanceof LogError) return cause;
  const code = (cause as NodeJS.ErrnoException | undefined)?.code;
  const text = cause instanceof Error ? cause.message : String(cause);
  const isFull = code === 'ENOSPC' || code === 'EDQUOT';
  return new LogError(isFull ? 'disk_full' : 'log_damaged', `${what}: ${text}`, { cause });
}
