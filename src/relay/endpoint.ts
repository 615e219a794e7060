// The receiver's side: a client with a relay's limits for each lane. A lane has one request on its way at a time, so that
// nothing new of it is sent between two attempts of something old; a refused batch isn't split, so that no refusal is answered
// by more requests.

import {
  createRemoteWrite,
  type RemoteWrite,
  type RemoteWriteOptions,
  SenderError,
  type Transport,
  type WriteOutcome,
} from 'remote-write-ts';
import { type Lane, type Lanes, openLanes } from './lanes.ts';
import { MAX_PER_REQUEST, SettingsError } from './settings.ts';

/** Points of a lane that wait while the receiver doesn't answer, before scrapes are left out. */
const CAPACITY = 100_000;

export interface EndpointHooks {
  userAgent: string;
  /** Told in words of what goes wrong: `kind` is the same for the same trouble. */
  onTrouble: (kind: string, message: string) => void;
}

/** Behind the endpoint's name, so that its metrics are told apart; and in words. */
const SUFFIX: Record<Lane, string> = { scraped: '', own_time: '-own-time', doubtful: '-doubtful-time' };
const WORDS: Record<Lane, string> = {
  scraped: 'samples',
  own_time: 'samples with timestamps of their own',
  doubtful: 'samples with timestamps more than 10m ahead or 1h old',
};

/**
 * @param place for messages: where the options come from.
 * @throws SettingsError for what can't work, but for the scheme of a URL: that is told, and nothing is delivered.
 */
export function openEndpoint(
  options: Omit<RemoteWriteOptions, 'userAgent'>,
  place: string,
  hooks: EndpointHooks,
): Lanes {
  try {
    return openLanes((lane) => openLane(options, lane, hooks));
  } catch (error) {
    if (error instanceof SenderError) throw new SettingsError(`${place}: ${error.message}`);
    throw error;
  }
}

/** @throws SenderError */
function openLane(options: Omit<RemoteWriteOptions, 'userAgent'>, lane: Lane, hooks: EndpointHooks): RemoteWrite {
  const { name = 'default', queue = {}, sendExemplars = true } = options;
  const perRequest = queue.maxSamplesPerSend ?? MAX_PER_REQUEST;
  const all: RemoteWriteOptions = {
    ...options,
    name: `${name}${SUFFIX[lane]}`,
    // The others are there for 1.0 only.
    ...(lane !== 'scraped' && { protocol: '1.0' as const }),
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
    onOutcome: (outcome) => tellOutcome(outcome, lane, hooks),
    onWarning: (message) => hooks.onTrouble('warning', message),
  };
  const scheme = /^([a-z][a-z\d+.-]*):\/\//i.exec(options.url)?.[1]?.toLowerCase();
  if (scheme === undefined || scheme === 'http' || scheme === 'https') return createRemoteWrite(all);
  // As with Prometheus, such a URL is no reason not to run.
  return createRemoteWrite({ ...all, url: 'http://unsupported.invalid/', transport: unsupported(scheme) });
}

function unsupported(scheme: string): Transport {
  return {
    post: () => Promise.reject(new Error(`the URL's scheme is ${JSON.stringify(scheme)}, neither http nor https`)),
    close: async () => {},
  };
}

function tellOutcome({ failed, dropped, refusals }: WriteOutcome, lane: Lane, { onTrouble }: EndpointHooks): void {
  const what = WORDS[lane];
  for (const { status, message } of refusals) {
    onTrouble(`refused${SUFFIX[lane]}`, `the receiver refused ${what}, status ${status}: ${message}`);
  }
  if (refusals.length === 0 && failed.samples > 0) {
    onTrouble(`failed${SUFFIX[lane]}`, `${failed.samples} ${what} were not stored`);
  }
  if (dropped.too_old.samples > 0) onTrouble('too_old', `${dropped.too_old.samples} samples were too old to be sent`);
}
