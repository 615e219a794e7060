// Observers are told things; what they do about it is theirs. A fault of one must never cost data or end the process.

/** Ignores what the observer throws, and what rejects if it is asynchronous. */
export function tell(observer: () => unknown): void {
  try {
    const told = observer();
    if (isThenable(told)) Promise.resolve(told).catch(() => {});
  } catch {
    // ignored
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function';
}
