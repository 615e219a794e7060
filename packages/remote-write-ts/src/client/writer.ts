// Writes batches of points to one endpoint, in the protocol that it speaks, until each point has a final fate. It must
// never send one batch's points out of order, and never split a batch for a receiver that refuses everything.
// Source: Prometheus Remote-Write 1.0 and 2.0, "Retries & Backoff", "Partial Write".

import type { Series, SeriesMetadata } from '../labels/index.ts';
import { countPoints, isCarriedBy, type Point, PointEncoder } from '../points/index.ts';
import { createChannel, type SenderStats, type SendOutcome } from '../sender/index.ts';
import type { Protocol } from '../wire/index.ts';
import { createNegotiation } from './negotiation.ts';
import { resolveWriter, type WriterOptions } from './options.ts';
import { addPoints, Tally, type WriteOutcome } from './outcome.ts';
import { createSuspects } from './suspects.ts';

export interface WriteOptions {
  signal?: AbortSignal;
  /**
   * The batch may have been stored before, as after a restart: a refusal is expected then, and no reason to look for a
   * series at fault.
   */
  isRepeat?: boolean;
}

export interface Writer {
  readonly name: string;
  /** What the endpoint is known to speak; undefined until it has shown it. */
  readonly protocol: Protocol | undefined;
  /**
   * Retries network errors, timeouts, 429 and 5xx for ever: until the signal aborts. Writes may run side by side; each of
   * them keeps the order of its points.
   * Rejects only for a mistake of the caller, such as a point that `checkPoint` wouldn't take.
   */
  write(points: readonly Point[], options?: WriteOptions): Promise<WriteOutcome>;
  /** One attempt to tell a 1.0 receiver the metadata of families. True if it took them. */
  writeMetadata(families: readonly SeriesMetadata[], signal?: AbortSignal): Promise<boolean>;
  stats(): SenderStats;
  /** Aborts what is under way and closes the connections. Idempotent. */
  close(): Promise<void>;
}

/** So many refusals in a row, and nothing accepted: then it isn't about single series, and the search ends. */
const HOPELESS_REFUSALS = 12;
const NOT_UNDERSTOOD =
  "no Written headers in the answer: the receiver doesn't speak remote-write 2.0, and stored nothing";

/** @throws SenderError for options that can't work. */
export function createWriter(options: WriterOptions): Writer {
  const { protocol: choice, reprobeMs, sampleAgeLimitMs, maxBisectRequests } = resolveWriter(options);
  const { now = Date.now } = options;
  const channel = createChannel(options);
  const negotiation = createNegotiation(choice, reprobeMs, now);
  const encoder = new PointEncoder();
  const suspects = createSuspects();
  /** Whether the endpoint refuses series rather than everything. */
  let isWorthASearch = true;

  /** One batch on its way, with what its halves share. */
  interface Delivery {
    tally: Tally;
    signal: AbortSignal | undefined;
    isRepeat: boolean;
    extraRequests: number;
    refusedInARow: number;
    /** Refused alone. */
    culprits: Series[];
  }

  async function deliver(points: readonly Point[], delivery: Delivery): Promise<void> {
    const { tally, signal } = delivery;
    if (points.length === 0) return;
    let rest = points;
    let protocol = negotiation.choose();
    let isRefusedAs2 = false;
    // Twice at most: as 2.0, then as 1.0, whose answer is always final.
    for (;;) {
      let body: Uint8Array | undefined;
      const prepare = () => {
        const left = stillWanted(rest, protocol, tally);
        if (left.length === 0) {
          rest = left;
          return undefined;
        }
        if (body === undefined || left !== rest) body = encoder.encode(protocol, left);
        rest = left;
        return { protocol, body };
      };
      if (tally.isAborted) {
        addPoints(tally.unsettled, countPoints(rest));
        return;
      }
      const outcome = await channel.send(prepare, signal);
      tally.attempts += outcome.attempts;
      if (outcome.attempts > 0) {
        tally.requests++;
        tally.protocol = protocol;
      }
      if (outcome.kind === 'empty') return;
      if (outcome.kind === 'aborted') {
        tally.isAborted = true;
        addPoints(tally.unsettled, countPoints(rest));
        return;
      }
      if (negotiation.learn(protocol, outcome) === 'final') {
        await settle(rest, protocol, outcome, isRefusedAs2, delivery);
        return;
      }
      isRefusedAs2 = outcome.kind === 'refused' && outcome.status === 400;
      protocol = '1.0';
    }
  }

  // Before each attempt: what has become too old meanwhile, and what the protocol has no words for.
  function stillWanted(points: readonly Point[], protocol: Protocol, tally: Tally): readonly Point[] {
    let left = points;
    if (sampleAgeLimitMs > 0) {
      const oldestMs = now() - sampleAgeLimitMs;
      left = keep(
        left,
        (point) => point.timestampMs >= oldestMs,
        (lost) => addPoints(tally.dropped.too_old, lost),
      );
    }
    if (protocol === '2.0') return left;
    return keep(
      left,
      (point) => isCarriedBy('1.0', point),
      (lost) => addPoints(tally.dropped.custom_buckets, lost),
    );
  }

  async function settle(
    points: readonly Point[],
    protocol: Protocol,
    outcome: Exclude<SendOutcome, { kind: 'aborted' }>,
    isRefusedAs2: boolean,
    delivery: Delivery,
  ): Promise<void> {
    const { tally } = delivery;
    if (outcome.written !== undefined) tally.noteWritten(outcome.written);
    if (protocol === '2.0') {
      // Whether 2xx or 4xx: what the receiver doesn't say it wrote, it hasn't. The good part of a 4xx is stored.
      tally.note(points, outcome.written ?? {});
      suspects.clear(points);
      if (outcome.kind === 'refused') tally.refuse(outcome.status, outcome.message, points);
      else if (outcome.written === undefined) tally.refuse(outcome.status, NOT_UNDERSTOOD, points);
      return;
    }
    if (outcome.kind === 'accepted') {
      delivery.refusedInARow = 0;
      isWorthASearch = true;
      suspects.clear(points);
      tally.note(points, countPoints(points));
      return;
    }
    delivery.refusedInARow++;
    if (delivery.refusedInARow >= HOPELESS_REFUSALS && countsNothing(tally)) isWorthASearch = false;
    if (outcome.status === 400 && !isRefusedAs2 && !delivery.isRepeat) {
      if (points.length > 1 && isWorthASearch && delivery.extraRequests + 2 <= maxBisectRequests) {
        // The whole batch was rolled back for one series: the halves find it.
        delivery.extraRequests += 2;
        const middle = points.length >> 1;
        await deliver(points.slice(0, middle), delivery);
        await deliver(points.slice(middle), delivery);
        return;
      }
      if (points.length === 1 && delivery.extraRequests > 0) delivery.culprits.push(points[0]!.series);
    }
    tally.note(points, {});
    tally.refuse(outcome.status, outcome.message, points);
  }

  return {
    name: channel.name,
    get protocol() {
      return negotiation.agreed;
    },
    async write(points, { signal, isRepeat = false } = {}) {
      const tally = new Tally();
      const delivery: Delivery = { tally, signal, isRepeat, extraRequests: 0, refusedInARow: 0, culprits: [] };
      const [others, suspected] = suspects.split(points);
      await deliver(others, delivery);
      await deliver(suspected, delivery);
      // Where nothing at all was taken, a series refused alone is no more suspect than the others.
      if (!countsNothing(tally)) for (const culprit of delivery.culprits) suspects.add(culprit);
      return tally.outcome();
    },
    async writeMetadata(families, signal) {
      const body = encoder.encodeMetadata(families);
      const outcome = await channel.send(() => ({ protocol: '1.0', body }), signal, 1);
      return outcome.kind === 'accepted';
    },
    stats: () => channel.stats(),
    close: () => channel.close(),
  };
}

// The same array if nothing goes: the body needn't be written again then.
function keep(
  points: readonly Point[],
  isKept: (point: Point) => boolean,
  onLost: (lost: ReturnType<typeof countPoints>) => void,
): readonly Point[] {
  if (points.every(isKept)) return points;
  onLost(countPoints(points.filter((point) => !isKept(point))));
  return points.filter(isKept);
}

function countsNothing({ sent }: Tally): boolean {
  return sent.samples === 0 && sent.histograms === 0;
}
