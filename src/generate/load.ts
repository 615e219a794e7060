// A load: the shop's traffic as a sequence of encoded requests, and the account of what became of them. The same options give the
// same bytes on every machine; it reads no clock.
import { Account, type LoadResult, type Outcome, type Timing } from './account.ts';
import { compileShop } from './compile.ts';
import { type Batching, Cutter } from './cutter.ts';
import { RequestEncoder } from './encode-request.ts';
import { Prng, seedWords } from './prng.ts';
import { shiftTimes } from './shift-times.ts';
import { type Span, TraceMaker } from './trace.ts';

export interface LoadOptions {
  /** 0 to 2^53 - 1. */
  seed: number;
  startUnixNano: bigint;
  /** Spans per second of the load's own time, above 0. */
  ratePerSecond: number;
  /** Spans in all: exactly so many are made. Endless by default. */
  spans?: number;
  /** No trace starts later than this after the start. */
  durationNano?: number;
  /** `gateway` by default: see `cutter.ts`. */
  batching?: Batching;
}

export interface LoadRequest {
  /** An ExportTraceServiceRequest; the caller's own. */
  bytes: Uint8Array;
  spans: number;
  firstEndUnixNano: bigint;
  newestEndUnixNano: bigint;
}

export interface Load {
  /** The next request; undefined once everything was handed out. Requests come nearly in the order of their newest ends. */
  nextRequest(): LoadRequest | undefined;
  /** Starts no more traces: what was begun is still handed out. */
  stop(): void;
  /** Moves all times of a request, in place and in its fields. */
  shift(request: LoadRequest, deltaNano: bigint): void;
  account: {
    /** Says what became of a request, once for each. `timing` lets halves that came too far apart be told. */
    settle(request: LoadRequest, outcome: Outcome, reason?: string, timing?: Timing): void;
    result(): LoadResult;
    readonly spans: number;
    readonly unknownRequests: number;
    readonly openTraces: number;
  };
}

// Streams of numbers that don't disturb each other.
const STORY = 1;
const IDS = 2;
const CUTTING = 3;

export function createLoad(options: LoadOptions): Load {
  const { seed, startUnixNano, ratePerSecond, batching = 'gateway' } = options;
  if (!(ratePerSecond > 0)) throw new RangeError('a load needs a rate above 0');
  if (!Number.isSafeInteger(seed) || seed < 0) throw new RangeError('a seed is an integer from 0 to 2^53 - 1');
  const shop = compileShop();
  const words = seedWords(BigInt(seed));
  const story = new Prng([...words, STORY]);
  const traces = new TraceMaker(shop, story, new Prng([...words, IDS, ...seedWords(startUnixNano)]));
  const cutter = new Cutter(new Prng([...words, CUTTING]), batching, shop.services.length);
  const encoder = new RequestEncoder(shop, startUnixNano);
  const account = new Account(shop, seed);
  const spansOf = new WeakMap<LoadRequest, readonly Span[]>();
  // One span's share of time in 1/1024 ns, a whole number, so that the sum never rounds.
  const spacing = Math.max(1, Math.round(1_024_000_000_000 / ratePerSecond));
  const endsNs = options.durationNano ?? Number.POSITIVE_INFINITY;
  let left = options.spans ?? Number.POSITIVE_INFINITY;
  let made = 0;
  let nextStartNs = 0;

  const isMaking = () => left > 0 && nextStartNs < endsNs;
  const makeTrace = (): void => {
    const trace = traces.make(nextStartNs + story.below(2000), Math.min(left, Number.MAX_SAFE_INTEGER));
    left -= trace.spans.length;
    made += trace.spans.length;
    nextStartNs = timeOf(made, spacing);
    cutter.add(trace);
  };

  const nextSpans = (): readonly Span[] | undefined => {
    for (;;) {
      const spans = cutter.take();
      if (spans !== undefined) return spans;
      while (isMaking() && nextStartNs <= cutter.nextNs) makeTrace();
      if (cutter.nextNs < Number.POSITIVE_INFINITY) cutter.step();
      else {
        cutter.flush();
        return cutter.take();
      }
    }
  };

  return {
    nextRequest() {
      const spans = nextSpans();
      if (spans === undefined) return undefined;
      let first = spans[0]!.endNs;
      let newest = first;
      for (const { endNs } of spans) {
        if (endNs < first) first = endNs;
        if (endNs > newest) newest = endNs;
      }
      const request: LoadRequest = {
        bytes: encoder.encode(spans),
        spans: spans.length,
        firstEndUnixNano: startUnixNano + BigInt(first),
        newestEndUnixNano: startUnixNano + BigInt(newest),
      };
      spansOf.set(request, spans);
      return request;
    },
    stop() {
      left = 0;
    },
    shift(request, deltaNano) {
      shiftTimes(request.bytes, deltaNano);
      request.firstEndUnixNano += deltaNano;
      request.newestEndUnixNano += deltaNano;
    },
    account: {
      settle(request, outcome, reason = '', timing) {
        const spans = spansOf.get(request);
        if (spans === undefined) throw new Error('this request has its outcome already, or is of another load');
        spansOf.delete(request);
        account.settle(spans, outcome, reason, timing);
      },
      result: () => account.result(),
      get spans() {
        return account.spans;
      },
      get unknownRequests() {
        return account.unknownRequests;
      },
      get openTraces() {
        return account.openTraces;
      },
    },
  };
}

/** `spans * spacing / 1024` in whole nanoseconds: both factors are split, as their product passes 2^53 after a few hours. */
function timeOf(spans: number, spacing: number): number {
  const high = Math.floor(spacing / 1024);
  return spans * high + Math.floor((spans * (spacing % 1024)) / 1024);
}
