// The labels of the instrumentation scope that a span is in, for the scopes that are to have any. The decoder keeps no scopes: where
// this is on, the request is read again for them.

import { utf8 } from '../bytes/index.ts';
import type { SpanBatch } from '../otlp/index.ts';
import { EMPTY_SYMBOL } from '../registry/index.ts';
import type { AttributeSymbols } from './attribute-symbols.ts';
import { scopesOf } from './otel-labels.ts';
import type { ProcessorContext } from './processor.ts';

/** Numbers of a scope in `scopeRanges` (otlp/span-batch.ts): end, range of the name, range of the version. */
const COLUMNS = 5;

export class OtelScopes {
  /** Symbols of the labels of the span that was moved to. */
  name = EMPTY_SYMBOL;
  version = EMPTY_SYMBOL;
  private readonly symbols: AttributeSymbols;
  private readonly wanted: Uint8Array[];
  private at = -1;

  /** Undefined: no scope is to have labels. */
  static from({ symbols, settings }: ProcessorContext): OtelScopes | undefined {
    const wanted = scopesOf(settings);
    return wanted.length === 0 ? undefined : new OtelScopes(symbols, wanted.map(utf8));
  }

  private constructor(symbols: AttributeSymbols, wanted: Uint8Array[]) {
    this.symbols = symbols;
    this.wanted = wanted;
  }

  begin(batch: SpanBatch): void {
    batch.findScopes();
    this.at = -1;
  }

  /** Spans must come in their order. */
  moveTo(batch: SpanBatch, span: number): void {
    const { scopeRanges: ranges } = batch;
    let { at } = this;
    const pos = batch.spanStart[span]!;
    while (at < 0 || pos >= ranges[at * COLUMNS]!) at++;
    if (at === this.at) return;
    this.at = at;
    const o = at * COLUMNS;
    const isWanted = this.isWanted(batch.bytes, ranges[o + 1]!, ranges[o + 2]!);
    this.name = isWanted ? this.symbols.range(batch, ranges[o + 1]!, ranges[o + 2]!) : EMPTY_SYMBOL;
    this.version = isWanted ? this.symbols.range(batch, ranges[o + 3]!, ranges[o + 4]!) : EMPTY_SYMBOL;
  }

  private isWanted(bytes: Uint8Array, start: number, end: number): boolean {
    for (const name of this.wanted) {
      if (name.length !== end - start) continue;
      let i = 0;
      while (i < name.length && bytes[start + i] === name[i]) i++;
      if (i === name.length) return true;
    }
    return false;
  }
}
