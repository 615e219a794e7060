// Sends request bodies of 1.0 to one receiver, each until a final answer. It must never change a body between attempts (a
// resend is then an exact duplicate, which receivers accept), never give up on its own, and never say a secret.
// Source: Prometheus Remote-Write 1.0, "Protocol" and "Retries & Backoff".

import { createChannel } from './channel.ts';
import type { SenderOptions } from './options.ts';
import type { SenderStats, SendOutcome } from './outcome.ts';

export interface Sender {
  readonly name: string;
  /**
   * Sends a compressed request and retries network errors, timeouts, 429 and 5xx for ever: until the signal aborts.
   * Rejects only for a mistake of the caller (a body that is no Uint8Array, an injected function that throws).
   * @param body must not change until the promise settles.
   */
  send(body: Uint8Array, options?: { signal?: AbortSignal }): Promise<SendOutcome>;
  stats(): SenderStats;
  /** Aborts what is under way and closes the connections. Idempotent; sends after it are `aborted` at once. */
  close(): Promise<void>;
}

/** @throws SenderError for options that can't work. */
export function createSender(options: SenderOptions): Sender {
  const channel = createChannel(options);
  return {
    name: channel.name,
    async send(body, { signal } = {}) {
      const outcome = await channel.send(() => ({ protocol: '1.0', body }), signal);
      // Never empty: there always is a body.
      return outcome as SendOutcome;
    },
    stats: () => channel.stats(),
    close: () => channel.close(),
  };
}
