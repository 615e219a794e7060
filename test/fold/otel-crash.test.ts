// A fold with the collector's names that stopped after any boundary and was loaded again from what it had said, with or without a base,
// says the same from there on as one that never stopped: with label sets that are symbols, labels that tell no rows apart, exemplars.

import { describe, expect, test } from 'vitest';
import type { TenantSettings } from '../../src/config/index.ts';
import type { Section } from '../../src/registry/index.ts';
import { type Boundary, newFold, type Op, run, script } from '../invariants/fold-script.ts';
import { type Below, choices } from '../otlp/noisy-encoder.ts';
import { encode, type Message } from '../otlp/otlp-proto.ts';
import { type More, otelSettings } from './otel-life.ts';
import { requestMessage } from './spans.ts';

const utf8 = (text: string) => new TextEncoder().encode(text);

/** The script's requests with each span in a scope of its own, some with an event. */
function withScopes(ops: readonly Op[], below: Below): Op[] {
  const scopes: Message[] = [
    {},
    { scope: { name: utf8('lib.a'), version: utf8('1') } },
    { scope: { name: utf8('lib.a'), version: utf8('2') } },
    { scope: { name: utf8('lib.b') } },
  ];
  const eventOf = ({ attributes }: Message): Message => ({ attributes: attributes! });
  return ops.map((op) => {
    if (op.kind !== 'push') return op;
    const groups = requestMessage(op.request)['resourceSpans'] as Message[];
    const resourceSpans = groups.map((group) => {
      const [{ spans }] = group['scopeSpans'] as [Message];
      const scopeSpans = (spans as Message[]).map((span) => ({
        ...scopes[below(scopes.length)],
        spans: [below(3) === 0 ? { ...span, events: [eventOf(span)] } : span],
      }));
      return { ...group, scopeSpans };
    });
    return { ...op, bytes: encode('Request', { resourceSpans }) };
  });
}

function restOf(boundaries: readonly Boundary[], from: number): Section[][] {
  return boundaries.slice(from).map(({ sections }) => sections);
}

/** Settings in force before op `end`. */
function settingsAt(first: TenantSettings, ops: readonly Op[], end: number): TenantSettings {
  const last = ops.slice(0, end).findLast((op) => op.kind === 'configure');
  return last?.kind === 'configure' ? last.settings : first;
}

function crashEverywhere(first: TenantSettings, ops: readonly Op[], below: Below): Boundary[] {
  const told = run(newFold(first), ops, true);
  const collects = ops.flatMap((op, i) => (op.kind === 'collect' ? [i + 1] : []));
  for (let k = 0; k < told.length - 1; k++) {
    for (const base of [-1, below(k + 1), k]) {
      const fold = newFold(settingsAt(first, ops, collects[k]!));
      const load = (sections: readonly Section[], tMs: number) => {
        for (const section of structuredClone(sections)) fold.load(section, tMs);
      };
      if (base >= 0) load(told[base]!.everything, told[base]!.tMs);
      for (const { sections, tMs } of told.slice(base + 1, k + 1)) load(sections, tMs);
      fold.loaded();
      const rest = run(fold, ops.slice(collects[k]!));
      expect(restOf(rest, 0), `crash after boundary ${k}, base ${base}`).toEqual(restOf(told, k + 1));
    }
  }
  return told;
}

const OPEN = {
  dimensions: [{ name: 'ratio' }, { glob: 'db.*' }],
  include_instrumentation_scope: ['lib.a'],
  exemplars: { enabled: true, max_per_data_point: 2 },
  events: { enabled: true, dimensions: [{ glob: '{http,peer}.*' }] },
};
const CONVERSION: More = { otel: { resource_to_telemetry_conversion: { enabled: true } } };
const VARIANTS: [what: string, settings: TenantSettings][] = [
  ['all of it', otelSettings(OPEN, CONVERSION)],
  ['tables of their own', otelSettings({ ...OPEN, calls_dimensions: [{ glob: '*' }] }, CONVERSION)],
  [
    'a limit on label sets, and rows that end at once',
    otelSettings({ ...OPEN, aggregation_cardinality_limit: 2, series_expiration: '1s' }, CONVERSION),
  ],
  ['a limit on series', otelSettings(OPEN, { ...CONVERSION, tenant: { max_active_series: 150 } })],
  [
    'a limit on entities, native histograms',
    {
      ...otelSettings({ ...OPEN, histogram: { exponential: { max_size: 3 } } }, CONVERSION),
      limiterType: 'entity',
      maxActiveEntities: 12,
    },
  ],
  [
    'a limit of values per label',
    otelSettings(OPEN, { ...CONVERSION, tenant: { max_cardinality_per_label: 2 }, registry: { stale_duration: '5m' } }),
  ],
];

describe('a fold that was loaded after a crash says the same as one that never stopped', () => {
  test.each(VARIANTS)('with %s', (_, settings) => {
    let exemplars = 0;
    let scopes = 0;
    for (let seed = 700; seed < 704; seed++) {
      const below = choices(seed);
      const { first, ops } = script(below, {
        tenants: ['a', 'b'],
        boundaries: 9,
        settings: [settings],
        changeEvery: 0,
      });
      for (const { sections } of crashEverywhere(first, withScopes(ops, below), below)) {
        for (const { columns } of sections) {
          exemplars += columns['exemplarSpanLengths']?.length ?? 0;
          scopes += Buffer.from((columns['bornBytes'] as Uint8Array | undefined) ?? []).includes('lib.a') ? 1 : 0;
        }
      }
    }
    expect(Math.min(exemplars, scopes)).toBeGreaterThan(10);
  });

  test('over changes of the options', () => {
    for (let seed = 800; seed < 805; seed++) {
      const below = choices(seed);
      const settings = VARIANTS.map(([, one]) => one);
      const { first, ops } = script(below, { tenants: ['a'], boundaries: 10, settings, changeEvery: 2 });
      crashEverywhere(first, withScopes(ops, below), below);
    }
  });
});
