// Which edges of the service graph a trace's delivered spans make, by the pairing rules with default settings: a client-side span
// meets the server-side span whose parent it is; a database query is an edge by itself; what is left over becomes a virtual node
// (an uninstrumented peer, or the user before a root) or expires and makes none.
import { CLIENT, CONSUMER, PRODUCER, SERVER, type Shape, STATUS_ERROR } from './shapes.ts';
import type { Delivery, Span, Trace } from './trace.ts';

export interface FoundEdge {
  /** Undefined is the user. */
  client: Shape | undefined;
  /** Undefined: the client's `database` or `peer`. */
  server: Shape | undefined;
  hasFailed: boolean;
  /** A request of unknown outcome that this edge hangs on. */
  unknown: Delivery | undefined;
  /** Both halves arrived, but so far apart that the first may have expired. */
  isLate: boolean;
}

/** Halves expire after 10 s at the earliest cut to whole seconds, 9 s; a second is kept for what clocks and ticks add. */
const SAFE_APART_MS = 8_000;

const isPresent = (span: Span | undefined): span is Span =>
  span?.delivery !== undefined && (span.delivery.state === 'acknowledged' || span.delivery.state === 'unknown');
const isClientSide = (span: Span) => span.shape.kind === CLIENT || span.shape.kind === PRODUCER;
const hasFailed = (span: Span) => span.shape.outcomes[span.outcome]!.status === STATUS_ERROR;
const unknownOf = (span: Span) => (span.delivery!.state === 'unknown' ? span.delivery : undefined);

/** Visits each edge once. A trace has at most one server-side span for a client's: the shop never fans one message out. */
export function eachEdge(trace: Trace, visit: (edge: FoundEdge) => void): void {
  const paired = new Set<Span>();
  for (const span of trace.spans) {
    if (!isPresent(span)) continue;
    if (isClientSide(span) && span.shape.database !== '') {
      const edge = { client: span.shape, server: undefined, hasFailed: hasFailed(span), unknown: unknownOf(span) };
      visit({ ...edge, isLate: false });
    } else if (span.shape.kind === SERVER || span.shape.kind === CONSUMER) {
      const { parent } = span;
      if (parent === undefined) {
        if (span.hasForeignParent) continue;
        const edge = { client: undefined, server: span.shape, hasFailed: hasFailed(span), unknown: unknownOf(span) };
        visit({ ...edge, isLate: false });
      } else if (isPresent(parent) && isClientSide(parent) && parent.shape.database === '') {
        const edge: FoundEdge = {
          client: parent.shape,
          server: span.shape,
          hasFailed: hasFailed(parent) || hasFailed(span),
          unknown: unknownOf(parent) ?? unknownOf(span),
          isLate: isFarApart(parent.delivery!, span.delivery!),
        };
        visit(edge);
        // While in doubt, a client with a peer may still become a virtual node below.
        if (parent.shape.peer !== '' && edge.unknown === undefined && !edge.isLate) paired.add(parent);
      }
    }
  }
  for (const span of trace.spans) {
    if (span.shape.peer === '' || span.shape.database !== '' || !isPresent(span) || !isClientSide(span)) continue;
    if (paired.has(span)) continue;
    visit({
      client: span.shape,
      server: undefined,
      hasFailed: hasFailed(span),
      unknown: unknownOf(span),
      isLate: false,
    });
  }
}

function isFarApart(a: Delivery, b: Delivery): boolean {
  return a !== b && Math.max(a.answeredAtMs, b.answeredAtMs) - Math.min(a.sentAtMs, b.sentAtMs) > SAFE_APART_MS;
}
