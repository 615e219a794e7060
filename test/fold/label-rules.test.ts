// Sanitized names and limited labels where they meet the processors: in span metrics and on edges, at the timers' times, and not at
// all where they are off.

import { describe, expect, test } from 'vitest';
import { Fold } from '../../src/fold/index.ts';
import { imageOf, seriesOfImage } from './series.ts';
import { type Changes, settingsWith } from './settings.ts';
import { type Attributes, plainSpan, requestBytes } from './spans.ts';

const T = Date.UTC(2026, 0, 1);
const OVERFLOW = '__cardinality_overflow__';

class Life {
  readonly fold: Fold;
  private nowMs = T;

  constructor(changes: Changes) {
    const settings = settingsWith(changes);
    this.fold = new Fold({ settingsOf: () => settings, originMs: T });
  }

  at(ms: number): this {
    this.nowMs = T + ms;
    this.fold.advance(this.nowMs);
    return this;
  }

  /** A root span of a server for each name. */
  push(names: readonly string[], attributes: (name: string) => Attributes = () => []): this {
    const endNs = BigInt(this.nowMs) * 1_000_000n;
    const spans = names.map((name, i) =>
      plainSpan({ name, trace: `${this.nowMs}${i}`.padStart(32, '0'), endNs, attributes: attributes(name) }),
    );
    this.fold.push('t', this.nowMs, this.nowMs, requestBytes([{ resource: [['service.name', 'web']], spans }]), false);
    return this;
  }

  /** Values of a label in one metric, with the metric's values. */
  values(metric: string, label: string): Record<string, number> {
    const found: Record<string, number> = {};
    for (const [key, value] of seriesOfImage(imageOf(this.fold.everything(this.nowMs)))) {
      if (!key.startsWith(`${metric}[`)) continue;
      const labels = Object.fromEntries(JSON.parse(key.slice(metric.length)) as [string, string][]);
      found[labels[label] ?? ''] = (found[labels[label] ?? ''] ?? 0) + value;
    }
    return found;
  }

  get calls(): Record<string, number> {
    return this.values('traces_spanmetrics_calls_total', 'span_name');
  }
}

const users = (n: number, from = 0) => Array.from({ length: n }, (_, i) => `/users/${from + i}`);

describe('sanitized span names', () => {
  const CALLS = { processors: ['span-metrics-count' as const] };

  test('count their spans together, dry runs only what they would', () => {
    const on = new Life({ ...CALLS, spanNameSanitization: 'enabled' }).push(users(5));
    expect(on.calls).toEqual({ '/users/0': 1, '/users/<_>': 4 });
    const dry = new Life({ ...CALLS, spanNameSanitization: 'dry_run' }).push(users(5));
    expect(Object.keys(dry.calls)).toEqual(users(5));
    for (const life of [on, dry]) expect(life.fold.tenant('t').registry.labelCounters.spansSanitized).toBe(4);
  });

  test('are learnt from spans that are kept only', () => {
    const life = new Life({
      ...CALLS,
      spanNameSanitization: 'enabled',
      spanMetrics: {
        filterPolicies: [{ exclude: { matchType: 'strict', attributes: [{ key: 'name', value: '/users/1' }] } }],
      },
    });
    expect(life.push(['/users/0', '/users/1', '/users/0']).calls).toEqual({ '/users/0': 2 });
  });

  test('take part on edges where a dimension is the label', () => {
    const life = new Life({
      processors: ['service-graphs'],
      spanNameSanitization: 'enabled',
      serviceGraphs: { dimensions: ['span.name'] },
    });
    life.push(users(4), (name) => [['span.name', name]]).at(14_000);
    expect(life.values('traces_service_graph_request_total', 'span_name')).toEqual({ '/users/0': 1, '/users/<_>': 3 });
  });

  test('are learnt on over a change of settings, forgotten when switched off', () => {
    const life = new Life({ ...CALLS, spanNameSanitization: 'enabled' }).push(users(2));
    const change = (changes: Changes) => life.fold.configure(() => settingsWith({ ...CALLS, ...changes }));
    change({ spanNameSanitization: 'enabled', slackMs: 60_000 });
    life.push(['/users/5']);
    expect(life.calls['/users/<_>']).toBe(2);
    change({});
    change({ spanNameSanitization: 'enabled' });
    life.push(['/users/6']);
    expect(life.calls['/users/6']).toBe(1);
  });
});

describe('limited labels', () => {
  const LIMITED = { processors: ['span-metrics-count' as const], maxCardinalityPerLabel: 5 };

  test('are replaced from the first label set after 15 s on, and let go when few values came for long', () => {
    const life = new Life(LIMITED).push(users(6)).at(14_999).push(['/users/0']);
    expect(life.calls[OVERFLOW]).toBeUndefined();
    life.at(15_000).push(['/users/0', '/users/7']);
    expect(life.calls).toMatchObject({ '/users/0': 2, [OVERFLOW]: 2 });
    // Three sketches of 5 min: what came before 5:00 is forgotten at 15:00.
    life.at(899_000).push(['/users/0']);
    expect(life.calls).toMatchObject({ '/users/0': 2, [OVERFLOW]: 3 });
    life.at(900_000).push(['/users/0']);
    expect(life.calls[OVERFLOW]).toBe(3);
  });

  test('are judged late where nothing came, by the limit of that moment', () => {
    const life = new Life(LIMITED).push(users(6)).at(20_000);
    life.fold.tenant('t').want(settingsWith({ ...LIMITED, maxCardinalityPerLabel: 50 }));
    life.push(['/users/9']);
    expect(life.calls[OVERFLOW]).toBeUndefined();
  });

  test('share their values over processors, and are looked at after names are sanitized', () => {
    const life = new Life({
      processors: ['span-metrics-count', 'service-graphs'],
      spanNameSanitization: 'enabled',
      maxCardinalityPerLabel: 5,
      spanMetrics: { dimensions: ['team'] },
      serviceGraphs: { dimensions: ['team'], waitMs: 16_000 },
    });
    life
      .push(users(20), (name) => [['team', name]])
      .at(18_000)
      .push(['/users/0'], (name) => [['team', name]]);
    expect(life.calls).toEqual({ '/users/0': 1, '/users/<_>': 20 });
    expect(life.values('traces_spanmetrics_calls_total', 'team')[OVERFLOW]).toBe(1);
    // Edges that expired after the labels were judged.
    expect(life.values('traces_service_graph_request_total', 'team')).toEqual({ [OVERFLOW]: 20 });
  });

  test('do not make the symbols of what they replace pile up until the next sweep', () => {
    const life = new Life(LIMITED).push(users(6)).at(15_000);
    const { registry } = life.fold.tenant('t');
    for (let i = 0; i < 270_000; i++) registry.symbols.internText(`gone-${i}`);
    life.push(users(3));
    expect(registry.symbols.count).toBeLessThan(30);
    expect(life.calls).toMatchObject({ '/users/0': 1, [OVERFLOW]: 3 });
  });
});

test('where both are off nothing is said of them', () => {
  const life = new Life({ processors: ['span-metrics-count'] }).push(users(3));
  expect(life.fold.everything(T).map(({ name }) => name)).toEqual(['t/settings', 't/rows/span-metrics']);
});
