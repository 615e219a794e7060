// A counting gate, first come, first served: at most `limit` holders at a time.

export interface Slots {
  /** True once a slot is held; false if the signal came first, and then none is held. */
  acquire(signal: AbortSignal): Promise<boolean>;
  release(): void;
}

export function createSlots(limit: number): Slots {
  let free = limit;
  // In the order of insertion.
  const waiting = new Set<() => void>();
  return {
    acquire(signal) {
      if (signal.aborted) return Promise.resolve(false);
      if (free > 0) {
        free--;
        return Promise.resolve(true);
      }
      return new Promise((resolve) => {
        const granted = () => {
          signal.removeEventListener('abort', gaveUp);
          resolve(true);
        };
        const gaveUp = () => {
          waiting.delete(granted);
          resolve(false);
        };
        waiting.add(granted);
        signal.addEventListener('abort', gaveUp, { once: true });
      });
    },
    release() {
      // Handed over directly, so that nobody who comes later gets in between.
      for (const granted of waiting) {
        waiting.delete(granted);
        granted();
        return;
      }
      free++;
    },
  };
}
