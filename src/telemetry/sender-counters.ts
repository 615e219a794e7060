// What became of the boundaries of one endpoint: each sample and boundary is counted once, by what happened to it.

/**
 * Why a boundary was not sent: by its age, for the room that the ledger needed, as the endpoint can't keep up, or as the receiver takes
 * none as old as it.
 */
export type BoundarySkip = 'age' | 'ledger_full' | 'behind' | 'window';
/**
 * Why samples aren't sent: a rule drops their series, another one has its label set after relabelling, what the rules leave is no legal label
 * set, or they became too old while they were tried again.
 */
export type NotSent = 'relabel' | 'relabel_collision' | 'invalid_labels' | 'too_old';

export interface SenderCounters {
  /** Histograms are samples, too. */
  samplesSent: number;
  /** Refused for good. */
  samplesFailed: number;
  /** Zero samples that were refused: they only declare a beginning, and nothing is missing without them. */
  zerosRefused: number;
  samplesNotSent: Record<NotSent, number>;
  /** Of which the endpoint took something, or that held nothing. */
  boundariesSent: number;
  /** Of which the endpoint took nothing. */
  boundariesRefused: number;
  boundariesSkipped: Record<BoundarySkip, number>;
  /** Refused requests of boundaries that may have been sent before a restart. */
  repeatsRefused: number;
  /** The samples of these: they are stored already, or refused for good. */
  repeatSamplesRefused: number;
  /** Samples in all requests, repeats included; those in requests that were sent again; bytes of bodies that got an answer for good. */
  samplesAttempted: number;
  samplesRetried: number;
  bytes: number;
}

export function noCounts(): SenderCounters {
  return {
    samplesSent: 0,
    samplesFailed: 0,
    zerosRefused: 0,
    samplesNotSent: { relabel: 0, relabel_collision: 0, invalid_labels: 0, too_old: 0 },
    boundariesSent: 0,
    boundariesRefused: 0,
    boundariesSkipped: { age: 0, ledger_full: 0, behind: 0, window: 0 },
    repeatsRefused: 0,
    repeatSamplesRefused: 0,
    samplesAttempted: 0,
    samplesRetried: 0,
    bytes: 0,
  };
}

/** Adds `more` to `to`. */
export function addCounts(to: SenderCounters, more: SenderCounters): void {
  to.samplesSent += more.samplesSent;
  to.samplesFailed += more.samplesFailed;
  to.zerosRefused += more.zerosRefused;
  to.boundariesSent += more.boundariesSent;
  to.boundariesRefused += more.boundariesRefused;
  to.repeatsRefused += more.repeatsRefused;
  to.repeatSamplesRefused += more.repeatSamplesRefused;
  to.samplesAttempted += more.samplesAttempted;
  to.samplesRetried += more.samplesRetried;
  to.bytes += more.bytes;
  addReasons(to.samplesNotSent, more.samplesNotSent);
  addReasons(to.boundariesSkipped, more.boundariesSkipped);
}

export function addReasons<K extends string>(to: Record<K, number>, more: Readonly<Record<K, number>>): void {
  for (const reason of Object.keys(more) as K[]) to[reason] += more[reason];
}

export function allReasons(byReason: Readonly<Record<string, number>>): number {
  return Object.values(byReason).reduce((sum, count) => sum + count, 0);
}
