// Series that are sent again and again, all at one time, through a writer: bodies that are compressed once and patched for each
// push. One request is on its way at a time, so pushes arrive in their order. A series that a 1.0 receiver refuses goes apart
// from then on: it must never cost the others their patched body.

import { BatchError, BatchPart, latestStart, refuseDuplicates } from '../batch/index.ts';
import type { Series } from '../labels/index.ts';
import type { Point } from '../points/index.ts';
import { whole } from '../sender/index.ts';
import { checkStart, checkTimestamp, type Protocol } from '../wire/index.ts';
import { addPoints, Tally, type WriteOutcome } from './outcome.ts';
import type { WriteOptions, Writer } from './writer-interface.ts';

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
  const lanes = cut(series, startMs, maxPerSend, writer.protocol ?? '2.0');
  const latestStartMs = latestStart(startMs ?? []);
  let pending = 0;
  let lastTurn: Promise<unknown> = Promise.resolve();

  async function send(values: Float64Array, timestampMs: number, writeOptions: WriteOptions): Promise<WriteOutcome> {
    const tally = new Tally();
    let from = 0;
    for (const lane of lanes) {
      const { size: count } = lane.part;
      await sendPart(lane, values.subarray(from, from + count), timestampMs, writeOptions, tally);
      from += count;
    }
    return tally.outcome();
  }

  async function sendPart(
    lane: Lane,
    values: Float64Array,
    timestampMs: number,
    writeOptions: WriteOptions,
    tally: Tally,
  ): Promise<void> {
    const { part } = lane;
    const protocol = writer.protocol ?? '2.0';
    const body = part.body(protocol, values, timestampMs);
    // 2.0 has no need of it: a receiver takes what is good of a request.
    const aside = protocol === '1.0' ? rotated(part.asidePoints(values, timestampMs), lane.asideTurn) : [];
    if (body !== undefined) {
      const refusals = collectRefusals(writeOptions);
      const outcome = await writer.writeBody(body, refusals.options);
      add(tally, outcome);
      if (refusals.alone.length > 0 && outcome.sent.samples > 0) part.setAside(refusals.alone);
    }
    if (aside.length > 0) {
      const refusals = collectRefusals(writeOptions);
      const outcome = await writer.write(aside, refusals.options);
      add(tally, outcome);
      const { all, alone } = refusals;
      const { samples: taken } = outcome.sent;
      // Where it adds up, what wasn't refused was taken.
      if (taken > 0 && taken + all.length === aside.length) part.takeBack(all);
      // A search that ends early has got no further than these: the next one begins behind them.
      lane.asideTurn += alone.length;
    }
  }

  return {
    size,
    get asideCount() {
      return lanes.reduce((sum, { part }) => sum + part.asideCount, 0);
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

interface Lane {
  part: BatchPart;
  /** At which of those that are set aside the next request of theirs begins. */
  asideTurn: number;
}

function cut(
  series: readonly Series[],
  startMs: ArrayLike<number> | undefined,
  maxPerSend: number,
  protocol: Protocol,
): Lane[] {
  if (startMs !== undefined && startMs.length !== series.length) {
    throw new BatchError('bad_starts', `${startMs.length} starts for ${series.length} series`);
  }
  if (series.length > maxPerSend) refuseDuplicates(series); // a part looks after its own
  const starts = startMs && Float64Array.from(startMs);
  const lanes: Lane[] = [];
  for (let from = 0; from < series.length; from += maxPerSend) {
    const to = from + maxPerSend;
    const part = new BatchPart(series.slice(from, to), starts?.subarray(from, to), protocol);
    lanes.push({ part, asideTurn: 0 });
  }
  if (lanes.length === 0) throw new BatchError('no_series', 'a batch of no series');
  return lanes;
}

interface Refusals {
  /** The series that the receiver refused, and those of them that were in a request of their own. */
  all: Series[];
  alone: Series[];
  /** To be written with: the two are complete when the outcome is there. */
  options: WriteOptions;
}

function collectRefusals(options: WriteOptions): Refusals {
  const all: Series[] = [];
  const alone: Series[] = [];
  const onRefused = (points: readonly Point[]) => {
    for (const { series } of points) all.push(series);
    if (points.length === 1) alone.push(points[0]!.series);
    options.onRefused?.(points);
  };
  return { all, alone, options: { ...options, onRefused } };
}

/** The same points, from that one on; the others follow at the end. */
function rotated(points: readonly Point[], turn: number): Point[] {
  const first = points.length === 0 ? 0 : turn % points.length;
  return [...points.slice(first), ...points.slice(0, first)];
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
