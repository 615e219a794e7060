// Encodes spans as one ExportTraceServiceRequest: a ResourceSpans for each pod, in it a ScopeSpans for each instrumentation scope,
// all fields ascending. Nothing is allocated per span.
import type { Block } from './attributes.ts';
import type { Shop } from './compile.ts';
import { SCOPES } from './instrumentation.ts';
import { scramble } from './prng.ts';
import { ProtoWriter } from './proto-writer.ts';
import { CONSUMER, eventTimeAt, SERVER } from './shapes.ts';
import type { Link, Span } from './trace.ts';

const TWO_32 = 4294967296;
const SCHEMA_URL = new TextEncoder().encode('https://opentelemetry.io/schemas/1.37.0');
const text = new TextEncoder();
const scopeBodies = SCOPES.map(([name, version]) => {
  const writer = new ProtoWriter(64);
  writer.field(0x0a, text.encode(name));
  writer.field(0x12, text.encode(version));
  return writer.copy();
});

export class RequestEncoder {
  readonly #shop: Shop;
  readonly #writer = new ProtoWriter(128 * 1024);
  readonly #startLow: number;
  readonly #startHigh: number;
  /** Rank of each resource's first appearance in the request, 0 for none. */
  readonly #rank: Uint16Array;
  readonly #keys: { key: number; span: Span }[] = [];

  constructor(shop: Shop, startUnixNano: bigint) {
    this.#shop = shop;
    this.#startLow = Number(startUnixNano & 0xffffffffn);
    this.#startHigh = Number(startUnixNano >> 32n);
    this.#rank = new Uint16Array(shop.resources.length);
  }

  /** Groups keep the order in which they first appear, spans the order they have in their group. */
  encode(spans: readonly Span[]): Uint8Array {
    const writer = this.#writer;
    writer.reset();
    const sorted = this.#group(spans);
    let openResource = -1;
    let openScope = -1;
    let resourceAt = 0;
    let scopeAt = 0;
    for (const { span } of sorted) {
      const resource = this.#resourceOf(span);
      const { scope } = span.shape;
      if (resource !== openResource || scope !== openScope) {
        if (openScope >= 0) writer.close(scopeAt);
        if (resource !== openResource) {
          if (openResource >= 0) {
            writer.field(0x1a, SCHEMA_URL);
            writer.close(resourceAt);
          }
          resourceAt = writer.open(0x0a);
          writer.field(0x0a, this.#shop.resources[resource]!);
          openResource = resource;
        }
        scopeAt = writer.open(0x12);
        writer.field(0x0a, scopeBodies[scope]!);
        openScope = scope;
      }
      this.#writeSpan(span);
    }
    if (openScope >= 0) {
      writer.close(scopeAt);
      writer.field(0x1a, SCHEMA_URL);
      writer.close(resourceAt);
    }
    return writer.copy();
  }

  /** A trace stays on one pod of each service. */
  #resourceOf(span: Span): number {
    const { service } = span.shape;
    const { pods } = this.#shop.services[service]!;
    return this.#shop.firstResource[service]! + (span.trace.salt % pods);
  }

  #group(spans: readonly Span[]): { key: number; span: Span }[] {
    const keys = this.#keys;
    const rank = this.#rank;
    rank.fill(0);
    let ranks = 0;
    keys.length = 0;
    for (const span of spans) {
      const resource = this.#resourceOf(span);
      if (rank[resource] === 0) rank[resource] = ++ranks;
      keys.push({ key: rank[resource]! * SCOPES.length + span.shape.scope, span });
    }
    // Sorting is stable by the language's specification.
    return keys.sort((a, b) => a.key - b.key);
  }

  /** trace.v1.Span. */
  #writeSpan(span: Span): void {
    const writer = this.#writer;
    const { trace, shape } = span;
    const outcome = shape.outcomes[span.outcome]!;
    writer.reserve(4096);
    const at = writer.open(0x12);
    writer.byte(0x0a);
    writer.byte(16);
    for (const word of trace.id) writer.word(word);
    writer.byte(0x12);
    writer.byte(8);
    writer.word(span.idHigh);
    writer.word(span.idLow);
    if (span.parent !== undefined || span.hasForeignParent) {
      writer.byte(0x22);
      writer.byte(8);
      writer.word(span.parent?.idHigh ?? scramble(span.idHigh) | 1);
      writer.word(span.parent?.idLow ?? scramble(span.idLow));
    }
    writer.raw(shape.head);
    writer.byte(0x39);
    this.#writeTime(span.startNs);
    writer.byte(0x41);
    this.#writeTime(span.endNs);
    this.#writeBlock(shape.block, span);
    for (const choice of shape.choices) {
      const { variants } = choice;
      const salt = scramble((choice.ofTrace ? trace.salt : span.salt) + shape.head.length + variants.length);
      this.#writeBlock(variants[salt % variants.length]!, span);
    }
    this.#writeBlock(outcome.block, span);
    if (outcome.event.length > 0) {
      const eventAt = writer.at;
      writer.raw(outcome.event);
      const end = writer.at;
      writer.at = eventAt + eventTimeAt(outcome.event);
      this.#writeTime(span.endNs - Math.floor((span.endNs - span.startNs) / 16));
      writer.at = end;
    }
    if (span.link !== undefined) this.#writeLink(span.link);
    writer.raw(outcome.statusField);
    // flags: sampled, and whether the parent is remote is known (0x100) and true (0x200).
    writer.byte(0x85);
    writer.byte(0x01);
    writer.word(isRemote(span) ? 0x301 : 0x101);
    writer.close(at);
  }

  #writeTime(afterStartNs: number): void {
    const low = this.#startLow + (afterStartNs % TWO_32);
    this.#writer.word(low);
    this.#writer.word(this.#startHigh + Math.floor(afterStartNs / TWO_32) + (low >= TWO_32 ? 1 : 0));
  }

  #writeBlock(block: Block, span: Span): void {
    const writer = this.#writer;
    const at = writer.at;
    writer.raw(block.bytes);
    for (const patch of block.patches) {
      let digits = scramble((patch.ofTrace ? span.trace.salt : span.salt) + patch.salt * 0x9e3779b1);
      for (let i = patch.digits - 1; i >= 0; i--) {
        const digit = digits % patch.base;
        writer.bytes[at + patch.at + i] = digit < 10 ? 48 + digit : 87 + digit;
        digits = patch.base === 16 && i % 8 === 0 ? scramble(digits + i) : Math.floor(digits / patch.base);
      }
    }
  }

  /** trace.v1.Span.Link: 1 trace id, 2 span id, 6 flags. */
  #writeLink(link: Link): void {
    const writer = this.#writer;
    writer.byte(0x6a);
    writer.byte(33);
    writer.byte(0x0a);
    writer.byte(16);
    for (let i = 0; i < 4; i++) writer.word(link[i]!);
    writer.byte(0x12);
    writer.byte(8);
    writer.word(link[4]);
    writer.word(link[5]);
    writer.byte(0x35);
    writer.word(0x301);
  }
}

function isRemote(span: Span): boolean {
  const { kind } = span.shape;
  return (kind === SERVER || kind === CONSUMER) && (span.parent !== undefined || span.hasForeignParent);
}
