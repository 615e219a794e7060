// One endpoint's connection for one tenant, which can be made anew in the middle of a request: headers change while it runs.

import { type BatchInfo, createWriter, type Writer } from 'remote-write-ts';
import type { EndpointPlan } from './protocol.ts';

/** What of a writer boundaries need. */
export type BoundaryWriter = Pick<Writer, 'write' | 'stats' | 'close'>;

export interface RenewableWriter extends BoundaryWriter {
  /** Makes the writer anew. What is under way is broken off and written again, the same points: a receiver takes a repetition. */
  renew(): Promise<void>;
}

export function renewable(make: () => BoundaryWriter): RenewableWriter {
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
      current = make();
      retriesBefore += old.stats().retries;
      renewal = new AbortController();
      ended.abort();
      await old.close();
    },
  };
}

const AUTHORIZATIONS: ReadonlySet<string> = new Set(['basicAuth', 'bearerToken', 'authorization', 'oauth2', 'sigv4']);

/**
 * @param onBatch told of each request
 * @param onWarning told in words what doesn't stop the writer
 * @throws SenderError for options or files that can't work
 */
export function httpWriter(
  endpoint: EndpointPlan,
  headers: Readonly<Record<string, string>>,
  onBatch?: (batch: BatchInfo) => void,
  onWarning?: (message: string) => void,
): Writer {
  const { url, name, connection } = endpoint;
  const { authorization, others } = withoutAuthorization(headers);
  const open = Object.fromEntries(Object.entries(connection).filter(([key]) => !AUTHORIZATIONS.has(key)));
  return createWriter({
    ...(authorization ? { ...open, ...authorization } : connection),
    url,
    name,
    headers: others,
    userAgent: 'spanmill',
    ...(onBatch && { onBatch }),
    ...(onWarning && { onWarning }),
  });
}

/** A tenant may have an Authorization of its own: it takes the place of the endpoint's. */
function withoutAuthorization(headers: Readonly<Record<string, string>>) {
  const others = { ...headers };
  const name = Object.keys(headers).find((key) => key.toLowerCase() === 'authorization');
  if (name === undefined) return { others, authorization: undefined };
  delete others[name];
  const [, type = '', credentials = ''] = /^\s*(\S+)\s+(.*?)\s*$/s.exec(headers[name]!) ?? [];
  if (type.toLowerCase() !== 'basic') return { others, authorization: { authorization: { type, credentials } } };
  const [, username = '', password = ''] = /^([^:]*):(.*)$/s.exec(Buffer.from(credentials, 'base64').toString()) ?? [];
  return { others, authorization: { basicAuth: { username, password } } };
}

/** Stands in for one that can't be made: each boundary is refused with the reason, counted and settled; nobody else is concerned. */
export function refusingWriter(error: unknown): BoundaryWriter {
  const message = error instanceof Error ? error.message : String(error);
  const none = () => ({ samples: 0, histograms: 0, exemplars: 0 });
  return {
    write: async (points) => ({
      kind: 'settled',
      requests: 0,
      attempts: 0,
      sent: none(),
      failed: { ...none(), samples: points.length },
      dropped: { too_old: none(), custom_buckets: none() },
      unsettled: none(),
      metadata: { sent: 0, failed: 0 },
      refusals: [{ status: 0, message, points: points.slice(0, 1) }],
    }),
    stats: () => ({ attempts: 0, retries: 0, accepted: 0, refused: 0, aborted: 0, bytes: 0, lastError: message }),
    close: async () => undefined,
  };
}
