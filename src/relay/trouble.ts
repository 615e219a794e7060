// Says what goes wrong, the same trouble once in a while only: a receiver that is away for hours must not fill the log.

/** A kind of trouble is said so often at most. */
const TROUBLE_MS = 10_000;

/**
 * `kind` is the same for the same trouble, and one of a few: each is remembered.
 * @param now milliseconds since the Unix epoch.
 */
export function troubleTeller(log: (message: string) => void, now: () => number) {
  const told = new Map<string, { atMs: number; held: number }>();
  return (kind: string, message: string): void => {
    const last = told.get(kind);
    const nowMs = now();
    if (last !== undefined && nowMs - last.atMs < TROUBLE_MS) {
      last.held++;
      return;
    }
    told.set(kind, { atMs: nowMs, held: 0 });
    log(last === undefined || last.held === 0 ? message : `${message} (and ${last.held} more before)`);
  };
}
