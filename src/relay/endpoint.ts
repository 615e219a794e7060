// The receiver's side: a client with a relay's limits. One request is on its way at a time, so that nothing new is sent
// between two attempts of something old; a refused batch isn't split, so that no refusal is answered by more requests.

import {
  createRemoteWrite,
  type RemoteWrite,
  type RemoteWriteOptions,
  SenderError,
  type Transport,
  type WriteOutcome,
} from 'remote-write-ts';
import { MAX_PER_REQUEST, SettingsError } from './settings.ts';

/** Points that wait while the receiver doesn't answer, before scrapes are left out. */
const CAPACITY = 100_000;

export interface EndpointHooks {
  userAgent: string;
  /** Told in words of what goes wrong: `kind` is the same for the same trouble. */
  onTrouble: (kind: string, message: string) => void;
}

/** @throws SettingsError for what can't work, but for the scheme of a URL: that is told, and nothing is delivered. */
export function openEndpoint(options: Omit<RemoteWriteOptions, 'userAgent'>, hooks: EndpointHooks): RemoteWrite {
  const { queue = {}, sendExemplars = true } = options;
  const perRequest = queue.maxSamplesPerSend ?? MAX_PER_REQUEST;
  const all: RemoteWriteOptions = {
    ...options,
    userAgent: hooks.userAgent,
    maxBisectRequests: 0,
    queue: {
      capacity: CAPACITY,
      ...queue,
      // The client adds a tenth for exemplars.
      maxSamplesPerSend: sendExemplars ? Math.max(1, Math.floor(perRequest / 1.1)) : perRequest,
      minShards: 1,
      maxShards: 1,
    },
    onAttempt({ result, status, error }) {
      if (result !== 'retry') return;
      hooks.onTrouble('retry', `trying again: ${status === undefined ? '' : `status ${status}: `}${error ?? ''}`);
    },
    onOutcome: (outcome) => tellOutcome(outcome, hooks),
    onWarning: (message) => hooks.onTrouble('warning', message),
  };
  try {
    const scheme = /^([a-z][a-z\d+.-]*):\/\//i.exec(options.url)?.[1]?.toLowerCase();
    if (scheme === undefined || scheme === 'http' || scheme === 'https') return createRemoteWrite(all);
    // As with Prometheus, such a URL is no reason not to run.
    return createRemoteWrite({ ...all, url: 'http://unsupported.invalid/', transport: unsupported(scheme) });
  } catch (error) {
    if (error instanceof SenderError) throw new SettingsError(`remote-write: ${error.message}`);
    throw error;
  }
}

function unsupported(scheme: string): Transport {
  return {
    post: () => Promise.reject(new Error(`the URL's scheme is ${JSON.stringify(scheme)}, neither http nor https`)),
    close: async () => {},
  };
}

function tellOutcome({ failed, dropped, refusals }: WriteOutcome, { onTrouble }: EndpointHooks): void {
  for (const { status, message } of refusals) {
    onTrouble('refused', `the receiver refused samples, status ${status}: ${message}`);
  }
  if (refusals.length === 0 && failed.samples > 0) onTrouble('failed', `${failed.samples} samples were not stored`);
  if (dropped.too_old.samples > 0) onTrouble('too_old', `${dropped.too_old.samples} samples were too old to be sent`);
}
