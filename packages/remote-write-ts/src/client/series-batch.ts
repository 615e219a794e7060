// Series that are sent again and again, all at one time, through a writer: bodies that are compressed once and patched for each
// push. One request is on its way at a time, so pushes arrive in their order. A series that a 1.0 receiver refuses goes apart
// from then on: it must never cost the others their patched body.

import { BatchError, BatchPart, latestStart, refuseDuplicates } from '../batch/index.ts';
import type { Series } from '../labels/index.ts';
import { whole } from '../sender/index.ts';
import { checkStart, checkTimestamp, type Protocol } from '../wire/index.ts';
import { addPoints, Tally, type WriteOutcome } from './outcome.ts';
import type { WriteOptions, Writer } from './writer.ts';

export interface SeriesBatchOptions {
  /** When counting began, ms since the Unix epoch, one for each series; 0: not known. Only 2.0 carries it. */
  startMs?: ArrayLike<number>;
  /** Series of one request: more of them are cut into several. Default: 2,000. */
  maxSamplesPerSend?: number;
  /** Pushes that may be without their outcome at a time. Default: 16. */
  maxPending?: number;
}

/** From `createSeriesBatch`. */
export interface SeriesBatch {
  /** How many series. */
  readonly size: number;
  /** Series that the receiver refused while it took the others: they go in requests of their own until it takes them. */
  readonly asideCount: number;
  /**
   * Sends a value for each series, all at the same time, and resolves with what came of them, as `Writer.write` does. Pushes wait
   * for the ones before.
   * Rejects, and sends nothing, with BatchError `bad_values` or `busy`, with RangeError for a timestamp that is no safe integer
   * or lies before a series' start.
   * @param values in the order of the series; copied. Any NaN becomes the ordinary one.
   * @param timestampMs milliseconds since the Unix epoch. Within a series it must rise from push to push.
   */
  push(values: Float64Array, timestampMs: number, options?: WriteOptions): Promise<WriteOutcome>;
}

/**
 * @param writer its `close` ends the pushes under way as `aborted`.
 * @param series are read, and not kept: a series costs some fifty bytes from then on, its labels included.
 * @throws BatchError `no_series`, `duplicate_series`, `bad_starts`; RangeError for a start that is no safe integer; SenderError
 * `bad_option`.
 */
export function createSeriesBatch(
  writer: Pick<Writer, 'protocol' | 'write' | 'writeBody'>,
  series: readonly Series[],
  options: SeriesBatchOptions = {},
): SeriesBatch {
  const maxPerSend = whole('maxSamplesPerSend', options.maxSamplesPerSend ?? 2_000, 1_000_000);
  const maxPending = whole('maxPending', options.maxPending ?? 16, 1_000_000);
  const { startMs } = options;
  const size = series.length;
  const parts = cut(series, startMs, maxPerSend, writer.protocol ?? '2.0');
  const latestStartMs = latestStart(startMs ?? []);
  let pending = 0;
  let lastTurn: Promise<unknown> = Promise.resolve();

  async function send(values: Float64Array, timestampMs: number, writeOptions: WriteOptions): Promise<WriteOutcome> {
    const tally = new Tally();
    let from = 0;
    for (const part of parts) {
      await sendPart(part, values.subarray(from, from + part.size), timestampMs, writeOptions, tally);
      from += part.size;
    }
    return tally.outcome();
  }

  async function sendPart(
    part: BatchPart,
    values: Float64Array,
    timestampMs: number,
    writeOptions: WriteOptions,
    tally: Tally,
  ): Promise<void> {
    const protocol = writer.protocol ?? '2.0';
    const body = part.body(protocol, values, timestampMs);
    // 2.0 has no need of it: a receiver takes what is good of a request.
    const aside = protocol === '1.0' ? part.asidePoints(values, timestampMs) : [];
    if (body !== undefined) {
      const outcome = await writer.writeBody(body, writeOptions);
      add(tally, outcome);
      const culprits = refusedAlone(outcome);
      if (culprits.length > 0 && outcome.sent.samples > 0) part.setAside(culprits);
    }
    if (aside.length > 0) {
      const outcome = await writer.write(aside, writeOptions);
      add(tally, outcome);
      const refused = refusedAlone(outcome);
      const { samples: taken } = outcome.sent;
      if (taken > 0 && taken + refused.length === aside.length) part.takeBack(refused);
    }
  }

  return {
    size,
    get asideCount() {
      return parts.reduce((sum, part) => sum + part.asideCount, 0);
    },
    async push(values, timestampMs, writeOptions = {}) {
      if (values.length !== size) throw new BatchError('bad_values', `${values.length} values for ${size} series`);
      checkTimestamp(timestampMs);
      if (timestampMs < latestStartMs) checkStart(latestStartMs, timestampMs);
      if (pending === maxPending) throw new BatchError('busy', `${pending} pushes are without their outcome`);
      pending++;
      const own = values.slice();
      const turn = lastTurn.then(() => send(own, timestampMs, writeOptions));
      lastTurn = turn.catch(() => {}); // whoever pushed it is told
      try {
        return await turn;
      } finally {
        pending--;
      }
    },
  };
}

function cut(
  series: readonly Series[],
  startMs: ArrayLike<number> | undefined,
  maxPerSend: number,
  protocol: Protocol,
): BatchPart[] {
  if (startMs !== undefined && startMs.length !== series.length) {
    throw new BatchError('bad_starts', `${startMs.length} starts for ${series.length} series`);
  }
  if (series.length > maxPerSend) refuseDuplicates(series); // a part looks after its own
  const starts = startMs && Float64Array.from(startMs);
  const parts: BatchPart[] = [];
  for (let from = 0; from < series.length; from += maxPerSend) {
    const to = from + maxPerSend;
    parts.push(new BatchPart(series.slice(from, to), starts?.subarray(from, to), protocol));
  }
  if (parts.length === 0) throw new BatchError('no_series', 'a batch of no series');
  return parts;
}

/** Series that went in a request of their own, and were refused. */
function refusedAlone({ refusals }: WriteOutcome): Series[] {
  return refusals.filter(({ points }) => points.length === 1).map(({ points }) => points[0]!.series);
}

function add(tally: Tally, outcome: WriteOutcome): void {
  addPoints(tally.sent, outcome.sent);
  addPoints(tally.failed, outcome.failed);
  addPoints(tally.unsettled, outcome.unsettled);
  addPoints(tally.dropped.too_old, outcome.dropped.too_old);
  addPoints(tally.dropped.custom_buckets, outcome.dropped.custom_buckets);
  tally.metadata.sent += outcome.metadata.sent;
  tally.metadata.failed += outcome.metadata.failed;
  if (outcome.written !== undefined) tally.noteWritten(outcome.written);
  for (const { status, message, points } of outcome.refusals) tally.refuse(status, message, points);
  if (outcome.protocol !== undefined) tally.protocol = outcome.protocol;
  tally.requests += outcome.requests;
  tally.attempts += outcome.attempts;
  tally.isAborted ||= outcome.kind === 'aborted';
}
