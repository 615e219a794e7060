// Waiting edges against a list: made, stored, found, removed and renumbered in any order, with ids of any length.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Decoder, ExtractionPlan, type SpanBatch } from '../../src/otlp/index.ts';
import { Symbols } from '../../src/registry/index.ts';
import { allEdges, EdgeLoader, edgeChanges } from '../../src/servicegraph/edge-sections.ts';
import { EdgeStore, KEY_INTS, NONE } from '../../src/servicegraph/edge-store.ts';
import { encode } from '../otlp/otlp-proto.ts';

/** A batch of one span with these ids. */
function batchOf(traceId: Uint8Array, spanId: Uint8Array): SpanBatch {
  const decoder = new Decoder(new ExtractionPlan([]));
  return decoder.decode(encode('Request', { resourceSpans: [{ scopeSpans: [{ spans: [{ traceId, spanId }] }] }] }));
}

function setKey(store: EdgeStore, traceId: Uint8Array, spanId: Uint8Array): void {
  const batch = batchOf(traceId, spanId);
  store.setKey(batch, 0, batch.idStart[0]!, batch.idLength[0]!);
}

const idPart = (lengths: number[]) =>
  fc.tuple(fc.constantFrom(...lengths), fc.nat(2)).map(([n, value]) => {
    const id = new Uint8Array(n);
    if (n > 0) id[n - 1] = value;
    return id;
  });
const traceId = idPart([16, 16, 16, 0, 3, 15, 17, 40]);
const spanId = idPart([8, 8, 8, 0, 4, 7, 9, 20]);

type Step =
  | { kind: 'store' | 'remove' | 'touch'; trace: Uint8Array; span: Uint8Array }
  | { kind: 'discard' | 'expire' | 'renumber' | 'changes' };
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ kind: fc.constant('store' as const), trace: traceId, span: spanId }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('remove' as const), trace: traceId, span: spanId }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('touch' as const), trace: traceId, span: spanId }) },
  {
    weight: 1,
    arbitrary: fc.constantFrom<Step>(
      { kind: 'discard' },
      { kind: 'expire' },
      { kind: 'renumber' },
      { kind: 'changes' },
    ),
  },
);

interface ModelEdge {
  key: string;
  sequence: number;
  client: string;
  isDirty: boolean;
  isSaid: boolean;
}

const hexOf = (id: Uint8Array) => Buffer.from(id).toString('hex');

describe('the store of waiting edges', () => {
  test('holds what a list would hold, in the order of making', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        const store = new EdgeStore(2);
        let symbols = new Symbols();
        let model: ModelEdge[] = [];
        const goneAndSaid: number[] = [];
        let made = 0;
        for (const one of steps) {
          if ('trace' in one) {
            const key = `${hexOf(one.trace)}/${hexOf(one.span)}`;
            setKey(store, one.trace, one.span);
            const edge = store.find();
            const known = model.find((e) => e.key === key);
            expect(edge === NONE).toBe(known === undefined);
            if (known) expect(store.sequence[edge]).toBe(known.sequence);
            if (one.kind === 'store' && !known) {
              const fresh = store.make();
              // A slot that was used before must look like a new one.
              expect([
                store.client[fresh],
                store.server[fresh],
                store.peer[fresh],
                store.weight[fresh],
                store.flags[fresh],
              ]).toEqual([NONE, NONE, 0, 1, 0]);
              expect([store.values[fresh * 2], store.values[fresh * 2 + 1], store.traceLengths[fresh]]).toEqual([
                NONE,
                NONE,
                0,
              ]);
              store.client[fresh] = symbols.internText(`client ${made}`);
              store.values[fresh * 2] = symbols.internText(`value ${made}`);
              store.store(fresh, made);
              model.push({ key, sequence: made, client: `client ${made}`, isDirty: true, isSaid: false });
              made++;
            } else if (one.kind === 'remove' && known) {
              store.remove(edge);
              model = model.filter((e) => e !== known);
              if (known.isSaid) goneAndSaid.push(known.sequence);
            } else if (one.kind === 'touch' && known) {
              store.touch(edge);
              known.isDirty = true;
            }
          } else if (one.kind === 'discard') {
            store.discard(store.make());
          } else if (one.kind === 'expire' && model.length > 0) {
            const oldest = model.shift()!;
            expect(store.sequence[store.oldest]).toBe(oldest.sequence);
            store.remove(store.oldest);
            if (oldest.isSaid) goneAndSaid.push(oldest.sequence);
          } else if (one.kind === 'renumber') {
            const fresh = new Symbols();
            fresh.internText('another first');
            store.renumber((symbol) => fresh.internBytes(symbols.bytes(symbol)));
            symbols = fresh;
          } else if (one.kind === 'changes') {
            const { columns } = edgeChanges(store, symbols);
            expect([...columns['sequence']!]).toEqual(model.filter((e) => e.isDirty).map((e) => e.sequence));
            expect([...columns['ended']!]).toEqual(goneAndSaid.sort((a, b) => a - b));
            goneAndSaid.length = 0;
            for (const edge of model) Object.assign(edge, { isDirty: false, isSaid: true });
          }
          expect(store.count).toBe(model.length);
          expect(store.all().map((edge) => store.sequence[edge])).toEqual(model.map((e) => e.sequence));
          expect(store.all().map((edge) => Buffer.from(symbols.bytes(store.client[edge]!)).toString())).toEqual(
            model.map((e) => e.client),
          );
        }
      }),
      { numRuns: 300 },
    );
  });

  test('finds each of many through growth, and the rest after every third was removed', () => {
    const store = new EdgeStore(0);
    const N = 5_000;
    const ids = (i: number) => {
      const trace = new Uint8Array(16);
      new DataView(trace.buffer).setUint32(12, i >> 2);
      const span = new Uint8Array(8);
      new DataView(span.buffer).setUint32(4, i);
      return [trace, span] as const;
    };
    const keys: Int32Array[] = [];
    for (let i = 0; i < N; i++) {
      setKey(store, ...ids(i));
      keys.push(store.key.slice());
      expect(store.find()).toBe(NONE);
      store.store(store.make(), i);
    }
    const find = (i: number) => {
      store.key.set(keys[i]!);
      return store.find();
    };
    for (let i = 0; i < N; i += 3) store.remove(find(i));
    for (let i = 0; i < N; i++) {
      const edge = find(i);
      if (i % 3 === 0) expect(edge).toBe(NONE);
      else expect(store.sequence[edge]).toBe(i);
    }
  });

  test('tells ids apart that differ only in their length', () => {
    const store = new EdgeStore(0);
    const lengths = [0, 1, 7, 8, 9, 15, 16, 17, 100, 254];
    const keys = new Set<string>();
    for (const t of lengths)
      for (const s of lengths) {
        setKey(store, new Uint8Array(t), new Uint8Array(s));
        keys.add(store.key.join());
      }
    expect(keys.size).toBe(lengths.length ** 2);
    expect(store.key).toHaveLength(KEY_INTS);
  });

  test('keeps the first 16 bytes of a trace id', () => {
    const store = new EdgeStore(0);
    for (const n of [0, 5, 16, 30]) {
      const trace = Uint8Array.from({ length: n }, (_, i) => i + 1);
      const batch = batchOf(trace, new Uint8Array(8));
      setKey(store, trace, new Uint8Array(8));
      const edge = store.make();
      store.setTraceId(edge, batch, 0);
      expect(store.traceLengths[edge]).toBe(Math.min(n, 16));
      expect(store.traceIds.slice(edge * 16, edge * 16 + Math.min(n, 16))).toEqual(trace.slice(0, 16));
    }
  });
});

describe('the sections of waiting edges', () => {
  function filled(): { store: EdgeStore; symbols: Symbols } {
    const store = new EdgeStore(1);
    const symbols = new Symbols();
    for (const n of [16, 3, 0]) {
      const trace = new Uint8Array(n).fill(9);
      setKey(store, trace, new Uint8Array(8));
      const edge = store.make();
      store.setTraceId(edge, batchOf(trace, new Uint8Array(8)), 0);
      store.client[edge] = symbols.internText('web');
      store.peer[edge] = symbols.internText('db');
      store.values[edge] = symbols.internText('');
      store.store(edge, 100 + n);
    }
    return { store, symbols };
  }

  test('do not say what an earlier edge left in a slot', () => {
    const { store, symbols } = filled();
    const clean = edgeChanges(store, symbols);
    const used = new EdgeStore(1);
    for (let i = 0; i < 3; i++) {
      setKey(used, new Uint8Array(16).fill(i + 1), new Uint8Array(8).fill(1));
      const edge = used.make();
      used.setTraceId(edge, batchOf(new Uint8Array(16).fill(77), new Uint8Array(8)), 0);
      used.store(edge, 1);
    }
    for (const edge of used.all()) used.remove(edge);
    used.nextSequence = 0;
    new EdgeLoader(used, new Symbols()).load(structuredClone(clean));
    const again = allEdges(used, symbolsLike(clean));
    expect(again.columns['traceIds']).toEqual(clean.columns['traceIds']);
    expect([...clean.columns['traceIds']!.slice(16, 32)]).toEqual([9, 9, 9, ...new Array(13).fill(0)]);
  });

  /** Symbols in the order in which a load of the section interns them. */
  function symbolsLike(section: { columns: Record<string, ArrayLike<number>> }): Symbols {
    const symbols = new Symbols();
    let top = 0;
    const bytes = Uint8Array.from(section.columns['textBytes']!);
    for (const n of Array.from(section.columns['textLengths']!)) {
      symbols.internBytes(bytes.subarray(top, top + n));
      top += n;
    }
    return symbols;
  }

  test('bring back a store that says the same', () => {
    const { store, symbols } = filled();
    edgeChanges(store, symbols);
    const other = new EdgeStore(1);
    const otherSymbols = new Symbols();
    new EdgeLoader(other, otherSymbols).load(structuredClone(allEdges(store, symbols)));
    expect(allEdges(other, otherSymbols)).toEqual(allEdges(store, symbols));
    expect(edgeChanges(other, otherSymbols).columns['sequence']).toHaveLength(0);
  });
});
