// One endpoint's connection for one tenant, which can be made anew in the middle of a request: headers change while it runs.

import { type BatchInfo, createWriter, type Writer } from 'remote-write-ts';
import type { EndpointPlan } from './protocol.ts';

export interface RenewableWriter extends Pick<Writer, 'write' | 'stats' | 'close'> {
  /** Makes the writer anew. What is under way is broken off and written again, the same points: a receiver takes a repetition. */
  renew(): Promise<void>;
}

export function renewable(make: () => Writer): RenewableWriter {
  let current = make();
  let renewal = new AbortController();
  let retriesBefore = 0;
  return {
    async write(points, { signal, ...options } = {}) {
      for (;;) {
        const renewed = renewal.signal;
        const either = signal ? AbortSignal.any([signal, renewed]) : renewed;
        const outcome = await current.write(points, { ...options, signal: either });
        if (outcome.kind !== 'aborted' || !renewed.aborted || signal?.aborted) return outcome;
      }
    },
    stats() {
      const stats = current.stats();
      return { ...stats, retries: stats.retries + retriesBefore };
    },
    close: () => current.close(),
    async renew() {
      const [old, ended] = [current, renewal];
      retriesBefore += old.stats().retries;
      current = make();
      renewal = new AbortController();
      ended.abort();
      await old.close();
    },
  };
}

/** @throws SenderError for options or files that can't work */
export function httpWriter(
  endpoint: EndpointPlan,
  headers: Readonly<Record<string, string>>,
  onBatch?: (batch: BatchInfo) => void,
): Writer {
  const { url, name, connection } = endpoint;
  return createWriter({ ...connection, url, name, headers, userAgent: 'spanmill', ...(onBatch && { onBatch }) });
}
