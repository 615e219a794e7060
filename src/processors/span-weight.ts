// How many spans a sampled span stands for: from the tracestate's sampling threshold (W3C tracestate, OpenTelemetry "ot=th:… rv:…"),
// or from an attribute that holds the sampling ratio. 1 where neither says anything.

import { utf8Text } from '../bytes/index.ts';
import { doubleValue, type Resource, type SpanBatch } from '../otlp/index.ts';
import type { ProcessorContext } from './processor.ts';

const TWO_56 = 2 ** 56;
const TWO_53 = 2 ** 53;
const MEMBER = /^[a-z][a-z0-9]*:[A-Za-z0-9._-]*$/;

export function weightKeys(multiplierKey: string): string[] {
  return multiplierKey === '' ? [] : [multiplierKey];
}

export class SpanWeight {
  private readonly slot: number;
  private readonly key: Uint8Array;
  private readonly tracestate: boolean;
  private readonly context: ProcessorContext;
  private lastState = '';
  private lastWeight = 0;

  private constructor(multiplierKey: string, tracestate: boolean, context: ProcessorContext) {
    this.slot = multiplierKey === '' ? -1 : context.plan.slotOf(multiplierKey);
    this.key = new TextEncoder().encode(multiplierKey);
    this.tracestate = tracestate;
    this.context = context;
  }

  static from(multiplierKey: string, tracestate: boolean, context: ProcessorContext): SpanWeight | undefined {
    return multiplierKey !== '' || tracestate ? new SpanWeight(multiplierKey, tracestate, context) : undefined;
  }

  /** Weight by the tracestate alone; 0 = it says nothing. */
  ofTracestate(batch: SpanBatch, span: number): number {
    if (!this.tracestate || batch.stateEnd[span]! <= batch.stateStart[span]!) return 0;
    const state = utf8Text(batch.bytes.subarray(batch.stateStart[span]!, batch.stateEnd[span]!));
    if (state !== this.lastState) {
      this.lastState = state;
      this.lastWeight = tracestateWeight(state);
    }
    return this.lastWeight;
  }

  of(batch: SpanBatch, span: number): number {
    const weight = this.ofTracestate(batch, span);
    if (weight > 0) return weight;
    if (this.slot < 0) return 1;
    const at = span * batch.slots + this.slot;
    const start = batch.slotStart[at]!;
    if (start >= 0) {
      const weight = ratioWeight(batch.bytes, start, batch.slotEnd[at]!) || this.laterDuplicate(batch, span);
      if (weight > 0) return weight;
    }
    return resourceWeight(this.context.resources.get(batch.resource[span]!), this.key) || 1;
  }

  /** Any attribute with the key counts, so one that is no positive double does not hide a later one. */
  private laterDuplicate(batch: SpanBatch, span: number): number {
    for (const [start, end] of batch.duplicates(span, this.key)) {
      const weight = ratioWeight(batch.bytes, start, end);
      if (weight > 0) return weight;
    }
    return 0;
  }
}

function resourceWeight(resource: Resource, key: Uint8Array): number {
  for (const attribute of resource.attributes) {
    if (attribute.valueStart < 0 || !resource.hasKey(attribute, key)) continue;
    const weight = ratioWeight(resource.bytes, attribute.valueStart, attribute.valueEnd);
    if (weight > 0) return weight;
  }
  return 0;
}

/** 1 / ratio where the AnyValue is a double above 0; else 0. */
function ratioWeight(buf: Uint8Array, start: number, end: number): number {
  const ratio = doubleValue(buf, start, end);
  return ratio > 0 ? 1 / ratio : 0;
}

/** Weight that a W3C tracestate asks for; 0 = no (valid) information. */
export function tracestateWeight(state: string): number {
  const entry = state
    .split(',')
    .map((part) => part.trim())
    .find((part) => part.startsWith('ot='));
  if (entry === undefined) return 0;
  const value = entry.slice(3);
  if (value.length > 256) return 0;
  let threshold: bigint | undefined;
  let random: bigint | undefined;
  for (const member of value.split(';')) {
    if (!MEMBER.test(member)) return 0;
    const [name, text] = member.split(':') as [string, string];
    if (name === 'th') {
      if (!/^[0-9a-f]{1,14}$/.test(text)) return 0;
      threshold = BigInt(`0x${text.padEnd(14, '0')}`);
    } else if (name === 'rv') {
      if (!/^[0-9a-f]{14}$/.test(text)) return 0;
      random = BigInt(`0x${text}`);
    }
  }
  if (threshold === undefined) return 0;
  const weight = TWO_56 / Number((1n << 56n) - threshold);
  const fraction = weight - Math.floor(weight);
  if (random === undefined || fraction === 0) return weight;
  return Math.floor(weight) + (Number(random >> 3n) / TWO_53 < fraction ? 1 : 0);
}
