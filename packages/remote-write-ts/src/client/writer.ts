// Writes batches of points to one endpoint, in the protocol that it speaks, until each point has a final fate. It must
// never send one batch's points out of order, and never split a batch for a receiver that refuses everything.
// Source: Prometheus Remote-Write 1.0 and 2.0, "Retries & Backoff", "Partial Write".

import type { Series } from '../labels/index.ts';
import { countPoints, type Point, type RequestBody } from '../points/index.ts';
import { type ChannelSendOptions, createChannel, type SendOutcome, TAKES_NO_HISTOGRAMS } from '../sender/index.ts';
import { tell } from '../transport/index.ts';
import type { Protocol } from '../wire/index.ts';
import { Batch } from './batch.ts';
import { BatchEncoder } from './batch-encoder.ts';
import { createNegotiation } from './negotiation.ts';
import { resolveWriter, type WriterOptions } from './options.ts';
import { addPoints, noPoints, Tally, type WriteOutcome } from './outcome.ts';
import { batchInfo } from './stats.ts';
import { createSuspects } from './suspects.ts';
import type { BatchWriter, EncodedBodies, WriteOptions, Writer } from './writer-interface.ts';

/** So many refusals in a row, and nothing accepted: then it isn't about single series, and the search ends. */
const HOPELESS_REFUSALS = 12;
/** So many batches at most go by, refused as a whole, before the next search. */
const MOST_PASSED_BATCHES = 20;
const NOT_UNDERSTOOD =
  "no Written headers in the answer: the receiver doesn't speak remote-write 2.0, and stored nothing";

/** @throws SenderError for options that can't work. */
export function createWriter(options: WriterOptions): Writer {
  return createBatchWriter(options);
}

/** Throws as `createWriter` does. */
export function createBatchWriter(options: WriterOptions): BatchWriter {
  const { protocol: choice, reprobeMs, sampleAgeLimitMs, maxBisectRequests } = resolveWriter(options);
  const { now = Date.now } = options;
  const channel = createChannel(options);
  const negotiation = createNegotiation(choice, reprobeMs, now);
  const encoder = new BatchEncoder();
  const suspects = createSuspects();
  const search = createSearch();

  /** One batch on its way, with what its halves share. */
  interface Delivery {
    tally: Tally;
    signal: AbortSignal | undefined;
    isRepeat: boolean;
    onRefused: WriteOptions['onRefused'];
    extraRequests: number;
    refusedInARow: number;
    maySearch: boolean;
    isHopeless: boolean;
    /** Refused alone. */
    culprits: Series[];
  }

  async function deliver(whole: Batch, delivery: Delivery): Promise<void> {
    const { tally, signal } = delivery;
    if (whole.isEmpty) return;
    let batch = whole;
    let protocol = negotiation.choose();
    let saidTo2: string | undefined;
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
      const isProbe = negotiation.isProbe(protocol);
      const outcome = await channel.send(prepare, signal, {
        // What 1.0 would deliver must not wait for an answer to 2.0.
        ...(isProbe && { maxAttempts: 1 }),
        onAttempt: (info, { body }) => options.onBatch?.(batchInfo(info, body.length, batch.counts(protocol))),
      });
      tally.attempts += outcome.attempts;
      if (outcome.attempts > 0) {
        tally.requests++;
        tally.protocol = protocol;
      }
      if (outcome.kind === 'empty') return;
      if (outcome.kind === 'aborted' && isProbe && outcome.attempts > 0 && !signal?.aborted) {
        protocol = '1.0';
        continue;
      }
      if (outcome.kind === 'aborted') {
        tally.isAborted = true;
        addPoints(tally.unsettled, batch.counts(protocol));
        return;
      }
      if (negotiation.learn(protocol, outcome) === 'final') {
        // Whatever the protocol, it is the same to this receiver.
        const isSameTo2 = outcome.kind === 'refused' && outcome.message === saidTo2;
        await settle(batch, protocol, outcome, isSameTo2, delivery);
        return;
      }
      if (outcome.kind === 'refused' && outcome.status === 400) saidTo2 = outcome.message;
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

  async function settle(
    batch: Batch,
    protocol: Protocol,
    outcome: Exclude<SendOutcome, { kind: 'aborted' }>,
    isSameTo2: boolean,
    delivery: Delivery,
  ): Promise<void> {
    const { tally } = delivery;
    const counts = batch.counts(protocol);
    if (outcome.written !== undefined) tally.noteWritten(outcome.written);
    // A 500 that is final is about a part of the request, too, and neither protocol stores the rest of it.
    const isRolledBack =
      outcome.kind === 'refused' && (outcome.status === 500 || (protocol === '1.0' && outcome.status === 400));
    if (protocol === '2.0' && !isRolledBack) {
      // Whether 2xx or 4xx: what the receiver doesn't say it wrote, it hasn't. The good part of a 4xx is stored.
      tally.note(counts, outcome.written ?? {});
      const isUnderstood = outcome.kind === 'accepted' && outcome.written !== undefined;
      tally.metadata[isUnderstood ? 'sent' : 'failed'] += counts.metadata;
      suspects.clear(() => batch.pointsOfInterest);
      if (outcome.kind === 'refused') refuse(outcome.status, outcome.message, batch.points, delivery);
      else if (!isUnderstood) refuse(outcome.status, NOT_UNDERSTOOD, batch.points, delivery);
      return;
    }
    if (outcome.kind === 'accepted') {
      delivery.refusedInARow = 0;
      delivery.isHopeless = false;
      search.worked();
      suspects.clear(() => batch.pointsOfInterest);
      tally.note(counts, counts);
      return;
    }
    delivery.refusedInARow++;
    const { points } = batch;
    if (delivery.refusedInARow >= HOPELESS_REFUSALS && countsNothing(tally)) {
      delivery.isHopeless = true;
      // What it refused before says nothing of what else it refuses.
      if (!suspects.isAll(points)) search.failed();
    }
    const isSearched = delivery.maySearch && !delivery.isHopeless;
    if (isRolledBack && !isSameTo2 && !delivery.isRepeat) {
      const parts = outcome.message.includes(TAKES_NO_HISTOGRAMS) ? byKind(points) : suspects.halves(points);
      const isSplit = parts.every((part) => part.length > 0);
      if (isSplit && isSearched && delivery.extraRequests + 2 <= maxBisectRequests) {
        // The whole batch was rolled back for one series, or one kind of them: the parts find it.
        delivery.extraRequests += 2;
        for (const part of parts) await deliver(Batch.ofPoints(part), delivery);
        return;
      }
      if (points.length === 1 && delivery.extraRequests > 0) delivery.culprits.push(points[0]!.series);
    }
    tally.note(counts, {});
    if (protocol === '2.0') tally.metadata.failed += counts.metadata;
    refuse(outcome.status, outcome.message, points, delivery);
  }

  function refuse(status: number, message: string, points: readonly Point[], { tally, onRefused }: Delivery): void {
    tally.refuse(status, message, points);
    if (onRefused !== undefined) tell(() => onRefused(points));
  }

  async function write(batches: readonly Batch[], writeOptions: WriteOptions): Promise<WriteOutcome> {
    const { signal, isRepeat = false, onRefused } = writeOptions;
    const tally = new Tally();
    const delivery: Delivery = {
      tally,
      signal,
      isRepeat,
      onRefused,
      extraRequests: 0,
      refusedInARow: 0,
      maySearch: search.isDue(),
      isHopeless: false,
      culprits: [],
    };
    for (const batch of batches) await deliver(batch, delivery);
    // Where nothing at all was taken, a series refused alone is no more suspect than the others.
    if (!countsNothing(tally)) for (const culprit of delivery.culprits) suspects.add(culprit);
    return tally.outcome();
  }

  function writeBatch(batch: Batch, writeOptions: WriteOptions = {}): Promise<WriteOutcome> {
    return write(suspects.split(batch), writeOptions);
  }

  function encodeBatch(whole: Batch): EncodedBodies {
    const protocol = negotiation.agreed ?? '2.0';
    const dropped = { custom_buckets: noPoints() };
    const bodies: RequestBody[] = [];
    for (const [i, some] of suspects.split(whole).entries()) {
      const batch = some.carriedBy(protocol, (lost) => addPoints(dropped.custom_buckets, countPoints(lost)));
      if (batch.isEmpty) continue;
      const body = batch.body(protocol, encoder);
      bodies.push(i === 0 ? body : { ...body, isSuspected: true });
    }
    return { bodies, dropped };
  }

  return {
    name: channel.name,
    get protocol() {
      return negotiation.agreed;
    },
    write: (points, writeOptions = {}) => writeBatch(Batch.ofPoints(points), writeOptions),
    writeBatch,
    writeBody: (body, writeOptions = {}) => write([Batch.ofBody(body)], writeOptions),
    encode: (points) => encodeBatch(Batch.ofPoints(points)),
    encodeBatch,
    async writeMetadata(families, signal) {
      const body = encoder.encodeMetadata(families);
      const sendOptions: ChannelSendOptions = {
        maxAttempts: 1,
        onAttempt: (info) =>
          options.onBatch?.(batchInfo(info, body.length, { ...noPoints(), metadata: families.length })),
      };
      const outcome = await channel.send(() => ({ protocol: '1.0', body }), signal, sendOptions);
      return outcome.kind === 'accepted';
    },
    stats: () => channel.stats(),
    close: () => channel.close(),
  };
}

/** Whether the series at fault are to be searched for: not each time, where the endpoint seems to refuse everything. */
function createSearch() {
  let pause = 0;
  let passed = 0;
  return {
    /** Asked once for each batch. */
    isDue(): boolean {
      if (passed > 0) passed--;
      return passed === 0;
    },
    worked(): void {
      pause = 0;
      passed = 0;
    },
    failed(): void {
      if (passed > 0) return;
      pause = Math.min(3 * pause + 7, MOST_PASSED_BATCHES);
      passed = pause + 1;
    },
  };
}

/** Series with histograms apart: what a receiver that takes none of these has no reason to refuse. */
function byKind(points: readonly Point[]): [readonly Point[], readonly Point[]] {
  const hashes = new Set(points.filter(isHistogram).map(({ series }) => series.hash));
  return [
    points.filter(({ series }) => !hashes.has(series.hash)),
    points.filter(({ series }) => hashes.has(series.hash)),
  ];
}

function isHistogram({ kind }: Point): boolean {
  return kind === 'histogram' || kind === 'stale_histogram';
}

function countsNothing({ sent }: Tally): boolean {
  return sent.samples === 0 && sent.histograms === 0;
}
