// One endpoint's connection for one tenant, which can be made anew in the middle of a request: headers change while it runs.

import { createSender, type Sender } from 'remote-write-ts';
import type { EndpointPlan } from './protocol.ts';

export interface RenewableSender extends Sender {
  /** Makes the sender anew. What is under way is broken off and sent again, the same bytes: a receiver takes a repetition. */
  renew(): Promise<void>;
}

export function renewable(make: () => Sender): RenewableSender {
  let current = make();
  let renewal = new AbortController();
  let retriesBefore = 0;
  return {
    name: current.name,
    async send(body, { signal } = {}) {
      for (;;) {
        const renewed = renewal.signal;
        const outcome = await current.send(body, { signal: signal ? AbortSignal.any([signal, renewed]) : renewed });
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

export function httpSender(endpoint: EndpointPlan, _tenant: string, headers: Readonly<Record<string, string>>): Sender {
  const { basicAuth, bearerToken, tls } = endpoint;
  return createSender({
    url: endpoint.url,
    name: endpoint.name,
    timeoutMs: endpoint.timeoutMs,
    headers,
    userAgent: 'spanmill',
    minBackoffMs: endpoint.minBackoffMs,
    maxBackoffMs: endpoint.maxBackoffMs,
    ...(basicAuth ? { basicAuth } : {}),
    ...(bearerToken ? { bearerToken } : {}),
    ...(tls ? { tls } : {}),
  });
}
