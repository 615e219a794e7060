// Makes one trace at a time by walking the shop's graph: who calls whom, how long it takes, what fails and what is tried again.
// Times are nanoseconds after the load's start, exact integers for 104 days.
import type { Endpoint, Node, Shop } from './compile.ts';
import { durationNs, type Work } from './durations.ts';
import type { Prng } from './prng.ts';
import { FAULT, FINE, INTERNAL, REFUSED, type Shape, TIMED_OUT, UNREACHABLE, UPSTREAM } from './shapes.ts';

/** How far a request, and with it each of its spans, has come: see `account.ts`. */
export interface Delivery {
  state: 'open' | 'acknowledged' | 'unknown' | 'absent';
  /** When the last attempt was sent and answered; both 0 where nothing is timed. */
  sentAtMs: number;
  answeredAtMs: number;
}

export interface Trace {
  /** Four words of the trace id. */
  id: readonly [number, number, number, number];
  salt: number;
  spans: Span[];
  /** Newest end, ns after the load's start. */
  endNs: number;
  /** Spans whose request has no outcome yet. */
  unsettled: number;
}

/** A link to a span of another trace: six words, trace id first. */
export type Link = readonly [number, number, number, number, number, number];

export interface Span {
  trace: Trace;
  shape: Shape;
  /** Position in the shape's outcomes. */
  outcome: number;
  parent: Span | undefined;
  /** The parent is a span that nobody exports; its id is made from this span's. */
  hasForeignParent: boolean;
  idHigh: number;
  idLow: number;
  startNs: number;
  endNs: number;
  /** What this span's own digits and choices come from. */
  salt: number;
  link: Link | undefined;
  delivery: Delivery | undefined;
}

const CONNECT_FAILURES_PER_MILLE = 2;
const RETRY_AFTER: Work = { medianUs: 9_000, spread: 'steady' };
const WIRE: Work = { medianUs: 320, spread: 'spiky' };
const QUEUE: Work = { medianUs: 21_000, spread: 'spiky' };
const CONNECT: Work = { medianUs: 1_100, spread: 'steady' };
const LINK_PER_MILLE = 150;

export class TraceMaker {
  readonly #shop: Shop;
  readonly #prng: Prng;
  readonly #ids: Prng;
  #trace: Trace = { id: [0, 0, 0, 0], salt: 0, spans: [], endNs: 0, unsettled: 0 };
  /** Set by a step whose failure its caller does not survive. */
  #hasFailed = false;
  #recent: Link | undefined;

  /** `ids` is apart from `prng`, so that two runs at different times tell the same story under different ids. */
  constructor(shop: Shop, prng: Prng, ids: Prng) {
    this.#shop = shop;
    this.#prng = prng;
    this.#ids = ids;
  }

  /** A trace of at most `maxSpans` spans: what is beyond was never recorded, children before their parents. */
  make(startNs: number, maxSpans: number): Trace {
    const id = [this.#ids.next() | 1, this.#ids.next(), this.#ids.next(), this.#ids.next()] as const;
    const trace: Trace = { id, salt: this.#prng.next(), spans: [], endNs: 0, unsettled: 0 };
    this.#trace = trace;
    const { entries } = this.#shop;
    const entry = entries[this.#prng.below(entries.length)]!;
    const root = this.#serve(entry.endpoint, undefined, startNs);
    root.hasForeignParent = entry.hasForeignParent;
    if (trace.spans.length > maxSpans) trace.spans.length = maxSpans;
    for (const span of trace.spans) if (span.endNs > trace.endNs) trace.endNs = span.endNs;
    trace.unsettled = trace.spans.length;
    this.#recent = [id[0], id[1], id[2], id[3], root.idHigh, root.idLow];
    return trace;
  }

  #add(shape: Shape, parent: Span | undefined, startNs: number): Span {
    const span: Span = {
      trace: this.#trace,
      shape,
      outcome: FINE,
      parent,
      hasForeignParent: false,
      idHigh: this.#ids.next() | 1,
      idLow: this.#ids.next(),
      startNs,
      endNs: startNs,
      salt: this.#prng.next(),
      link: undefined,
      delivery: undefined,
    };
    this.#trace.spans.push(span);
    return span;
  }

  #serve(endpoint: Endpoint, parent: Span | undefined, startNs: number): Span {
    const prng = this.#prng;
    const { steps, shape } = endpoint;
    const span = this.#add(shape, parent, startNs);
    if (shape.kind === INTERNAL && prng.chance(LINK_PER_MILLE * 3)) span.link = this.#recent;
    else if (prng.chance(LINK_PER_MILLE / 10)) span.link = this.#recent;
    const isRefused = prng.chance(endpoint.refusePerMille);
    const isFaulty = !isRefused && prng.chance(endpoint.failPerMille);
    const stopsAt = isRefused || isFaulty ? prng.below(steps.length + 1) : steps.length;
    const workNs = durationNs(prng, endpoint.work);
    // A third of its own work before the steps, the rest after them.
    let at = startNs + Math.floor(workNs / 3);
    span.outcome = isRefused ? REFUSED : isFaulty ? FAULT : FINE;
    for (let i = 0; i < stopsAt; i++) {
      at = this.#run(steps[i]!, span, at);
      if (this.#hasFailed) {
        span.outcome = UPSTREAM;
        break;
      }
    }
    this.#hasFailed = false;
    span.endNs = at + workNs - Math.floor(workNs / 3);
    return span;
  }

  /** Runs a step from `at` and says when it is over for its caller. */
  #run(node: Node, parent: Span, at: number): number {
    const prng = this.#prng;
    switch (node.type) {
      case 'call': {
        const first = this.#call(node, parent, at);
        if (first.outcome < FAULT) return first.endNs;
        let last = first;
        if (node.retry) last = this.#call(node, parent, first.endNs + durationNs(prng, RETRY_AFTER));
        this.#hasFailed = last.outcome >= FAULT && !node.optional;
        return last.endNs;
      }
      case 'leaf': {
        const span = this.#add(node.shape, parent, at);
        span.endNs = at + durationNs(prng, node.work);
        if (prng.chance(node.failPerMille)) {
          span.outcome = node.isExternal ? FAULT + prng.below(4) : FAULT;
          this.#hasFailed = true;
        }
        return span.endNs;
      }
      case 'publish': {
        const span = this.#add(node.shape, parent, at);
        span.endNs = at + durationNs(prng, WIRE) * 3;
        const consumer = this.#serve(node.endpoint, span, span.endNs + durationNs(prng, QUEUE));
        if (prng.chance(LINK_PER_MILLE)) {
          const { id } = this.#trace;
          consumer.link = [id[0], id[1], id[2], id[3], span.idHigh, span.idLow];
        }
        return span.endNs;
      }
      case 'inside': {
        const span = this.#add(node.shape, parent, at);
        const workNs = durationNs(prng, node.work);
        let end = at + Math.floor(workNs / 2);
        for (const step of node.steps) {
          end = this.#run(step, span, end);
          if (this.#hasFailed) {
            span.outcome = UPSTREAM;
            break;
          }
        }
        span.endNs = end + workNs - Math.floor(workNs / 2);
        return span.endNs;
      }
      case 'maybe':
        return prng.chance(node.perMille) ? this.#run(node.step, parent, at) : at;
      case 'several': {
        let end = at;
        for (let left = node.least + prng.below(node.most - node.least + 1); left > 0 && !this.#hasFailed; left--) {
          end = this.#run(node.step, parent, end);
        }
        return end;
      }
      case 'together': {
        let end = at;
        let hasFailed = false;
        for (const step of node.steps) {
          const over = this.#run(step, parent, at + prng.below(80_000));
          if (over > end) end = over;
          hasFailed ||= this.#hasFailed;
          this.#hasFailed = false;
        }
        this.#hasFailed = hasFailed;
        return end;
      }
    }
  }

  /** One attempt: the caller's span and, unless no connection came about, the other side's. */
  #call(node: Extract<Node, { type: 'call' }>, parent: Span, at: number): Span {
    const prng = this.#prng;
    const client = this.#add(node.shape, parent, at);
    if (prng.chance(CONNECT_FAILURES_PER_MILLE)) {
      client.outcome = UNREACHABLE;
      client.endNs = at + durationNs(prng, CONNECT);
      return client;
    }
    const server = this.#serve(node.endpoint, client, at + durationNs(prng, WIRE));
    client.endNs = server.endNs + durationNs(prng, WIRE);
    client.outcome = server.outcome;
    if (node.timeoutNs > 0 && client.endNs - at > node.timeoutNs) {
      client.endNs = at + node.timeoutNs;
      client.outcome = TIMED_OUT;
    }
    return client;
  }
}
