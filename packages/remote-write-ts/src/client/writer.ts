// Writes batches of points to one endpoint, in the protocol that it speaks, until each point has a final fate. It must
// never send one batch's points out of order, and never split a batch for a receiver that refuses everything.
// Source: Prometheus Remote-Write 1.0 and 2.0, "Retries & Backoff", "Partial Write".

import type { Series, SeriesMetadata } from '../labels/index.ts';
import {
  countPoints,
  type KindCounts,
  type Point,
  type PointCounts,
  PointEncoder,
  type RequestBody,
} from '../points/index.ts';
import {
  type AttemptInfo,
  type ChannelSendOptions,
  createChannel,
  type SenderStats,
  type SendOutcome,
} from '../sender/index.ts';
import type { Protocol } from '../wire/index.ts';
import { Batch } from './batch.ts';
import { createNegotiation } from './negotiation.ts';
import { resolveWriter, type WriterOptions } from './options.ts';
import { addPoints, noPoints, Tally, type WriteOutcome } from './outcome.ts';
import { createSuspects, type Suspects } from './suspects.ts';

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
  /**
   * The same for a body made before, by `encode` or elsewhere. It goes as it is, unless the endpoint speaks the other
   * protocol, refuses it, or a part of it has become too old: then it is read and written anew.
   * Rejects as well if it has to be read and is no body.
   */
  writeBody(body: RequestBody, options?: WriteOptions): Promise<WriteOutcome>;
  /**
   * Bodies of these points in the protocol that `write` would try first, to be written in their order; those of series
   * under suspicion apart.
   */
  encode(points: readonly Point[]): { bodies: RequestBody[]; dropped: Record<'custom_buckets', PointCounts> };
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

  async function deliver(whole: Batch, delivery: Delivery): Promise<void> {
    const { tally, signal } = delivery;
    if (whole.isEmpty) return;
    let batch = whole;
    let protocol = negotiation.choose();
    let isRefusedAs2 = false;
    // Twice at most: as 2.0, then as 1.0, whose answer is always final.
    for (;;) {
      const prepare = () => {
        batch = stillWanted(batch, protocol, tally);
        if (batch.isEmpty) return undefined;
        return { protocol, body: batch.body(protocol, encoder).bytes };
      };
      if (tally.isAborted) {
        addPoints(tally.unsettled, batch.counts(protocol));
        return;
      }
      const outcome = await channel.send(prepare, signal, {
        onAttempt: (info, { body }) => tell(info, body.length, batch.counts(protocol)),
      });
      tally.attempts += outcome.attempts;
      if (outcome.attempts > 0) {
        tally.requests++;
        tally.protocol = protocol;
      }
      if (outcome.kind === 'empty') return;
      if (outcome.kind === 'aborted') {
        tally.isAborted = true;
        addPoints(tally.unsettled, batch.counts(protocol));
        return;
      }
      if (negotiation.learn(protocol, outcome) === 'final') {
        await settle(batch, protocol, outcome, isRefusedAs2, delivery);
        return;
      }
      isRefusedAs2 = outcome.kind === 'refused' && outcome.status === 400;
      protocol = '1.0';
    }
  }

  // Before each attempt: what has become too old meanwhile, and what the protocol has no words for.
  function stillWanted(batch: Batch, protocol: Protocol, { dropped }: Tally): Batch {
    const young =
      sampleAgeLimitMs === 0
        ? batch
        : batch.notOlderThan(now() - sampleAgeLimitMs, (lost) => addPoints(dropped.too_old, countPoints(lost)));
    return young.carriedBy(protocol, (lost) => addPoints(dropped.custom_buckets, countPoints(lost)));
  }

  function tell(
    { protocol, attempt, result, status, durationMs, waitMs }: AttemptInfo,
    bodyBytes: number,
    counts: KindCounts,
  ): void {
    options.onBatch?.({
      protocol,
      counts,
      bodyBytes,
      attempt,
      result,
      ...(status !== undefined && { status }),
      isRetried: waitMs !== undefined,
      durationMs,
    });
  }

  async function settle(
    batch: Batch,
    protocol: Protocol,
    outcome: Exclude<SendOutcome, { kind: 'aborted' }>,
    isRefusedAs2: boolean,
    delivery: Delivery,
  ): Promise<void> {
    const { tally } = delivery;
    const counts = batch.counts(protocol);
    if (outcome.written !== undefined) tally.noteWritten(outcome.written);
    if (protocol === '2.0') {
      // Whether 2xx or 4xx: what the receiver doesn't say it wrote, it hasn't. The good part of a 4xx is stored.
      tally.note(counts, outcome.written ?? {});
      const isUnderstood = outcome.kind === 'accepted' && outcome.written !== undefined;
      tally.metadata[isUnderstood ? 'sent' : 'failed'] += counts.metadata;
      suspects.clear(() => batch.pointsOfInterest);
      if (outcome.kind === 'refused') tally.refuse(outcome.status, outcome.message, batch.points);
      else if (!isUnderstood) tally.refuse(outcome.status, NOT_UNDERSTOOD, batch.points);
      return;
    }
    if (outcome.kind === 'accepted') {
      delivery.refusedInARow = 0;
      isWorthASearch = true;
      suspects.clear(() => batch.pointsOfInterest);
      tally.note(counts, counts);
      return;
    }
    delivery.refusedInARow++;
    if (delivery.refusedInARow >= HOPELESS_REFUSALS && countsNothing(tally)) isWorthASearch = false;
    const { points } = batch;
    if (outcome.status === 400 && !isRefusedAs2 && !delivery.isRepeat) {
      if (points.length > 1 && isWorthASearch && delivery.extraRequests + 2 <= maxBisectRequests) {
        // The whole batch was rolled back for one series: the halves find it.
        delivery.extraRequests += 2;
        for (const half of halves(points, suspects)) await deliver(Batch.ofPoints(half), delivery);
        return;
      }
      if (points.length === 1 && delivery.extraRequests > 0) delivery.culprits.push(points[0]!.series);
    }
    tally.note(counts, {});
    tally.refuse(outcome.status, outcome.message, points);
  }

  async function write(batches: readonly Batch[], { signal, isRepeat = false }: WriteOptions): Promise<WriteOutcome> {
    const tally = new Tally();
    const delivery: Delivery = { tally, signal, isRepeat, extraRequests: 0, refusedInARow: 0, culprits: [] };
    for (const batch of batches) await deliver(batch, delivery);
    // Where nothing at all was taken, a series refused alone is no more suspect than the others.
    if (!countsNothing(tally)) for (const culprit of delivery.culprits) suspects.add(culprit);
    return tally.outcome();
  }

  return {
    name: channel.name,
    get protocol() {
      return negotiation.agreed;
    },
    write: (points, writeOptions = {}) => write(suspects.split(points).map(Batch.ofPoints), writeOptions),
    writeBody: (body, writeOptions = {}) => write([Batch.ofBody(body)], writeOptions),
    encode(points) {
      const protocol = negotiation.agreed ?? '2.0';
      const dropped = { custom_buckets: noPoints() };
      const bodies: RequestBody[] = [];
      for (const [i, some] of suspects.split(points).entries()) {
        const batch = Batch.ofPoints(some).carriedBy(protocol, (lost) =>
          addPoints(dropped.custom_buckets, countPoints(lost)),
        );
        if (batch.isEmpty) continue;
        const body = batch.body(protocol, encoder);
        bodies.push(i === 0 ? body : { ...body, isSuspected: true });
      }
      return { bodies, dropped };
    },
    async writeMetadata(families, signal) {
      const body = encoder.encodeMetadata(families);
      const sendOptions: ChannelSendOptions = {
        maxAttempts: 1,
        onAttempt: (info) => tell(info, body.length, { ...noPoints(), metadata: families.length }),
      };
      const outcome = await channel.send(() => ({ protocol: '1.0', body }), signal, sendOptions);
      return outcome.kind === 'accepted';
    },
    stats: () => channel.stats(),
    close: () => channel.close(),
  };
}

// A body made before a series came under suspicion still holds it: no need to search for it again.
function halves(points: readonly Point[], suspects: Suspects): (readonly Point[])[] {
  const [others, suspected] = suspects.split(points);
  if (suspected.length > 0) return [others, suspected];
  const middle = points.length >> 1;
  return [points.slice(0, middle), points.slice(middle)];
}

function countsNothing({ sent }: Tally): boolean {
  return sent.samples === 0 && sent.histograms === 0;
}
