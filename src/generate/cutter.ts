// Cuts the stream of finished spans into requests. Two ways: `gateway`, a collector in front of all services (a request holds several
// traces, and one trace in ten is cut over two requests), and `sdk`, where each service's exporter sends its own spans as they end.
import type { Prng } from './prng.ts';
import type { Span, Trace } from './trace.ts';

export type Batching = 'gateway' | 'sdk';

/** A request is closed when it holds a number of spans drawn from 20 to 50, or when its first span has waited this long. */
const LEAST_SPANS = 20;
const MOST_SPANS = 50;
const MAX_AGE_NS = 400_000_000;
const SPLIT_PER_MILLE = 100;
const PARENTS_FIRST_PER_MILLE = 250;

/** Spans that become ready together at one time. */
interface Arrival {
  atNs: number;
  order: number;
  queue: number;
  spans: Span[];
  /** Second half of a cut trace: it waits for the next request. */
  later: Span[];
}

interface Queue {
  spans: Span[];
  target: number;
  openedNs: number;
  later: Span[];
}

export class Cutter {
  readonly #prng: Prng;
  readonly #batching: Batching;
  readonly #arrivals: Arrival[] = [];
  readonly #queues: Queue[] = [];
  readonly #closed: Span[][] = [];
  #orders = 0;

  constructor(prng: Prng, batching: Batching, services: number) {
    this.#prng = prng;
    this.#batching = batching;
    const queues = batching === 'sdk' ? services : 1;
    for (let i = 0; i < queues; i++) this.#queues.push({ spans: [], target: this.#target(), openedNs: 0, later: [] });
  }

  /** Time of the next arrival, or Infinity. Traces that start before it must be added first. */
  get nextNs(): number {
    return this.#arrivals[0]?.atNs ?? Number.POSITIVE_INFINITY;
  }

  add(trace: Trace): void {
    if (this.#batching === 'sdk') {
      for (const span of trace.spans) this.#push(span.endNs, span.shape.service, [span], []);
      return;
    }
    const prng = this.#prng;
    const ordered = trace.spans.slice();
    if (!prng.chance(PARENTS_FIRST_PER_MILLE)) ordered.sort((a, b) => a.endNs - b.endNs);
    const isCut = prng.chance(SPLIT_PER_MILLE) && ordered.length > 1;
    const later = isCut ? ordered.splice(1 + prng.below(ordered.length - 1)) : [];
    this.#push(trace.endNs, 0, ordered, later);
  }

  /** Lets the next arrival happen. */
  step(): void {
    const arrival = this.#pop();
    if (arrival === undefined) return;
    for (const queue of this.#queues) this.#expire(queue, arrival.atNs);
    const queue = this.#queues[arrival.queue]!;
    if (queue.spans.length > 0 && queue.spans.length + arrival.spans.length > MOST_SPANS)
      this.#close(queue, arrival.atNs);
    if (queue.spans.length === 0) queue.openedNs = arrival.atNs;
    for (const span of arrival.spans) queue.spans.push(span);
    for (const span of arrival.later) queue.later.push(span);
    if (queue.spans.length >= queue.target) this.#close(queue, arrival.atNs);
  }

  /** Closes every open request; nothing may arrive after. */
  flush(): void {
    for (const queue of this.#queues) {
      while (queue.spans.length > 0) this.#close(queue, queue.openedNs);
    }
  }

  /** The next request's spans, in the order in which requests were closed. */
  take(): Span[] | undefined {
    return this.#closed.shift();
  }

  #expire(queue: Queue, nowNs: number): void {
    while (queue.spans.length > 0 && queue.openedNs + MAX_AGE_NS <= nowNs)
      this.#close(queue, queue.openedNs + MAX_AGE_NS);
  }

  #close(queue: Queue, atNs: number): void {
    this.#closed.push(queue.spans);
    queue.spans = queue.later;
    queue.later = [];
    queue.openedNs = atNs;
    queue.target = this.#target();
  }

  #target(): number {
    return LEAST_SPANS + this.#prng.below(MOST_SPANS - LEAST_SPANS + 1);
  }

  // A binary heap by time; equal times keep the order in which they were added.
  #push(atNs: number, queue: number, spans: Span[], later: Span[]): void {
    const heap = this.#arrivals;
    const arrival: Arrival = { atNs, order: this.#orders++, queue, spans, later };
    let at = heap.push(arrival) - 1;
    while (at > 0) {
      const up = (at - 1) >> 1;
      if (!isBefore(arrival, heap[up]!)) break;
      heap[at] = heap[up]!;
      at = up;
    }
    heap[at] = arrival;
  }

  #pop(): Arrival | undefined {
    const heap = this.#arrivals;
    const first = heap[0];
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return first;
    let at = 0;
    for (;;) {
      let down = 2 * at + 1;
      if (down >= heap.length) break;
      if (down + 1 < heap.length && isBefore(heap[down + 1]!, heap[down]!)) down++;
      if (!isBefore(heap[down]!, last)) break;
      heap[at] = heap[down]!;
      at = down;
    }
    heap[at] = last;
    return first;
  }
}

function isBefore(a: Arrival, b: Arrival): boolean {
  return a.atNs !== b.atNs ? a.atNs < b.atNs : a.order < b.order;
}
