// What is said of one tenant's way to one endpoint: in the log, a line when it begins to fail, one a minute while it does, one when it
// works again; on the page, the latest error for as long as there is one. Must never say a secret.

import { type Logger, LogSampler } from '../telemetry/index.ts';
import type { Redact } from './redaction.ts';

const SAY_EVERY_MS = 60_000;
/** What to do about an answer that says too little. */
const HINTS: Readonly<Record<number, string>> = {
  413: "the receiver takes no requests of this size: lower the endpoint's queue_config.max_samples_per_send",
};

export interface SendHealthOptions {
  tenant: string;
  endpoint: string;
  now(): number;
  /** How many boundaries wait, the one under way included. */
  waiting(): number | undefined;
  logger: Logger;
}

export interface Refused {
  boundaryMs: number;
  samples: number;
  status: number | undefined;
  answer: string | undefined;
  series: Readonly<Record<string, string>> | undefined;
  /** The boundary may have been sent before a restart: then a refusal is expected. */
  wasThere?: boolean;
}

export class SendHealth {
  /** The latest failure; undefined since a boundary went through. */
  lastError: string | undefined;
  /** Replaced where headers change. */
  redact: Redact = (text) => text;
  private readonly options: SendHealthOptions;
  private readonly sampler = new LogSampler(SAY_EVERY_MS);
  private failingSinceMs: number | undefined;
  /** There is a line in the log that this one takes back. */
  private isSaid = false;
  /** Samples of refusals that have no line of their own. */
  private readonly heldSamples = new Map<string, number>();

  constructor(options: SendHealthOptions) {
    this.options = options;
  }

  /** A request didn't get through, and will be sent again. @param error with its status, if it got one */
  retried(status: number | undefined, error: string): void {
    const { tenant, endpoint, now, waiting, logger } = this.options;
    this.failingSinceMs ??= now();
    this.lastError = this.redact(error);
    const held = this.sampler.admit('retry', now());
    if (held === undefined) return;
    this.isSaid = true;
    logger.warn(
      {
        tenant,
        endpoint,
        status,
        error: this.lastError,
        boundariesWaiting: waiting(),
        failingForMs: now() - this.failingSinceMs,
        heldBack: held,
      },
      'remote write does not get through: it is tried again, what is unsent waits in the ledger',
    );
  }

  /** Samples were refused for good. */
  refused({ boundaryMs, samples, status, answer, series, wasThere = false }: Refused): void {
    const { tenant, endpoint, now, logger } = this.options;
    const text = answer === undefined ? undefined : this.redact(answer);
    const hint = status === undefined ? undefined : HINTS[status];
    if (!wasThere)
      this.lastError = [status ? `status ${status}` : undefined, text, hint].filter((part) => part).join(': ');
    const key = `${wasThere ? 'repeat' : 'refused'} ${status}`;
    const held = this.sampler.admit(key, now());
    if (held === undefined) {
      this.heldSamples.set(key, (this.heldSamples.get(key) ?? 0) + samples);
      return;
    }
    const heldSamples = this.heldSamples.get(key) ?? 0;
    this.heldSamples.delete(key);
    const fields = {
      tenant,
      endpoint,
      boundaryMs,
      samples,
      status,
      answer: text,
      hint,
      series,
      heldBack: held,
      heldSamples,
    };
    if (wasThere) logger.info(fields, 'remote write refused samples that may have been sent before the restart');
    else logger.warn(fields, 'remote write refused samples');
  }

  /** A boundary is settled. @param isWhole the endpoint took all of it */
  settled(isTaken: boolean, isWhole: boolean): void {
    const { tenant, endpoint, now, waiting, logger } = this.options;
    if (isWhole) this.lastError = undefined;
    if (!isTaken || this.failingSinceMs === undefined) return;
    if (this.isSaid) {
      logger.info(
        { tenant, endpoint, failedForMs: now() - this.failingSinceMs, boundariesWaiting: waiting() },
        'remote write works again',
      );
    }
    this.isSaid = false;
    this.failingSinceMs = undefined;
  }

  /** The package's words about what doesn't stop it: files that can't be loaded again. */
  warned(message: string): void {
    const { tenant, endpoint, logger } = this.options;
    logger.warn({ tenant, endpoint, warning: this.redact(message) }, 'remote write goes on with what it had');
  }
}
