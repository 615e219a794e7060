// What a tenant's fold counts about itself. Every span that is not counted in a series has a reason here.

export type DiscardReason =
  | 'outside_metrics_ingestion_slack'
  | 'span_metrics_filtered'
  | 'service_graphs_filtered'
  | 'no_service_name'
  | 'invalid_utf8'
  // Of an event: its span is counted.
  | 'event_invalid_utf8';

export class TenantCounters {
  spansReceived = 0;
  /** Canonical size of the requests. */
  bytesReceived = 0;
  /** Pushes × active processors that were told to make no metrics. */
  skippedProcessorPushes = 0;
  /** `reason` and `processor` joined by a space. */
  readonly discarded = new Map<string, number>();
  edges = 0;
  droppedSpans = 0;
  droppedEdges = 0;
  droppedSideOverflow = 0;
  completedEdges = 0;
  /** By the kind of the span that waited in vain, as labels spell it. */
  readonly expiredEdges = new Map<string, number>();

  discard(reason: DiscardReason, processor: string, count = 1): void {
    const key = keyOf(reason, processor);
    this.discarded.set(key, (this.discarded.get(key) ?? 0) + count);
  }

  expire(kind: string): void {
    this.expiredEdges.set(kind, (this.expiredEdges.get(kind) ?? 0) + 1);
  }
}

const keys = new Map<string, Map<string, string>>();

/** `reason` and `processor` joined by a space: the same string each time, so that counting a span makes none. */
function keyOf(reason: DiscardReason, processor: string): string {
  let ofReason = keys.get(reason);
  if (ofReason === undefined) {
    ofReason = new Map();
    keys.set(reason, ofReason);
  }
  let key = ofReason.get(processor);
  if (key === undefined) {
    key = `${reason} ${processor}`;
    ofReason.set(processor, key);
  }
  return key;
}
