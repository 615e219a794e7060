// Options whose outcome the rules leave open, as it rests on estimates or on what was learnt: the limit of values per label, and the
// span-name sanitizer. They move counts between label sets and never make or lose any; a model without them knows the totals.

import { describe, expect, test } from 'vitest';
import type { TenantSettings } from '../../src/config/index.ts';
import type { TenantFold } from '../../src/fold/index.ts';
import { TenantImage } from '../../src/registry/index.ts';
import { Model } from '../fold/model.ts';
import { applyAll } from '../fold/series.ts';
import { choices } from '../otlp/noisy-encoder.ts';
import { saidByFold } from './fold-compare.ts';
import { newFold, type Op, ORIGIN_MS, pushAndFree, script } from './fold-script.ts';
import { FOREVER_MS, randomSequence } from './fold-settings.ts';

const JUDGED_EVERY_MS = 15_000;
const OVERFLOW = '__cardinality_overflow__';
/** Estimates are as close as this, or one value where there are few. */
const CLOSE = 0.15;
const NAMES = ['GET /users/#', 'GET /users/#/orders/#', 'GET /users/me/#', 'job a#b#', 'query', 'x', ''];

interface Series {
  name: string;
  labels: Record<string, string>;
  value: number;
}

/** No series ends, none is refused, and no histogram begins anew. */
function settingsFor(below: ReturnType<typeof choices>): TenantSettings {
  const [settings] = randomSequence(below, 1);
  return {
    ...settings!,
    processors: ['span-metrics', 'service-graphs'],
    staleDurationMs: FOREVER_MS,
    maxActiveSeries: 0,
    maxActiveEntities: 0,
    histogramMode: 'classic',
    maxLabelNameLength: 0,
    maxLabelValueLength: 0,
    spanNameSanitization: '',
    maxCardinalityPerLabel: 0,
    externalLabels: {},
    injectTenantIdAs: '',
  };
}

function seriesOf(key: string, value: number): Series {
  const at = key.indexOf('[');
  return { name: key.slice(0, at), labels: Object.fromEntries(JSON.parse(key.slice(at)) as [string, string][]), value };
}

class Beside {
  readonly tenant: TenantFold;
  private readonly fold: ReturnType<typeof newFold>;
  private readonly model: Model;
  private readonly image = new TenantImage();

  /** The model has neither of the options. */
  constructor(settings: TenantSettings) {
    this.fold = newFold(settings);
    this.model = new Model('t', { ...settings, spanNameSanitization: '', maxCardinalityPerLabel: 0 }, ORIGIN_MS);
    this.tenant = this.fold.tenant('t');
  }

  apply(op: Op): void {
    if (op.kind === 'push') {
      pushAndFree(this.fold, op);
      this.model.push(op.nowMs, op.recordMs, op.request, op.skip);
    } else if (op.kind === 'advance') {
      this.fold.advance(op.tMs);
      this.model.advance(op.tMs);
    }
  }

  /** Both at a boundary. */
  collect(tMs: number): { fold: Series[]; model: Series[] } {
    applyAll(this.image, this.fold.collect(tMs));
    const { series } = saidByFold(this.image);
    return {
      fold: [...series].flatMap(([key, views]) => views.map(({ value }) => seriesOf(key, value))),
      model: this.model.collect(tMs).said.map(({ key, sample }) => seriesOf(key, sample.value)),
    };
  }

  /** By label the values that came so far, whatever became of them. */
  valuesByLabel(): Map<string, Set<string>> {
    const values = new Map<string, Set<string>>();
    for (const table of ['span-metrics', 'service-graphs']) {
      for (const labels of this.model.registry.labelSets(table)) {
        for (const [name, value] of labels) values.set(name, (values.get(name) ?? new Set()).add(value));
      }
    }
    return values;
  }
}

type IsVisible = (label: string, value: string) => boolean;

/**
 * Sums of all series of one metric and bucket that have the same labels as far as they are visible; of the others only the names are
 * told.
 */
function totals(series: readonly Series[], isVisible: IsVisible): Map<string, number> {
  const sums = new Map<string, number>();
  for (const { name, labels, value } of series) {
    const shown = Object.entries(labels).map(([label, held]) =>
      label === 'le' || isVisible(label, held) ? [label, held] : [label],
    );
    const key = `${name}${JSON.stringify(shown.sort())}`;
    sums.set(key, (sums.get(key) ?? 0) + value);
  }
  return sums;
}

function differentTotals(fold: readonly Series[], model: readonly Series[], isVisible: IsVisible): string[] {
  const [there, wanted] = [totals(fold, isVisible), totals(model, isVisible)];
  const keys = new Set([...there.keys(), ...wanted.keys()]);
  return [...keys].flatMap((key) => {
    const [a, b] = [there.get(key), wanted.get(key)];
    const isClose = a !== undefined && b !== undefined && Math.abs(a - b) <= 1e-9 * Math.max(1, Math.abs(b));
    return isClose ? [] : [`${key}: ${a}, not ${b}`];
  });
}

function opsFor(below: ReturnType<typeof choices>, settings: TenantSettings): Op[] {
  return script(below, { tenants: ['t'], boundaries: 12, settings: [settings], changeEvery: 0, names: NAMES }).ops;
}

describe('a limit of values per label', () => {
  test.each([1, 3, 8])('of %i moves counts, makes none up and loses none', (limit) => {
    for (let seed = 80_000 + limit * 100; seed < 80_008 + limit * 100; seed++) {
      const below = choices(seed);
      const settings = { ...settingsFor(below), maxCardinalityPerLabel: limit };
      const beside = new Beside(settings);
      for (const op of opsFor(below, settings)) {
        beside.apply(op);
        if (op.kind !== 'collect') continue;
        const { fold, model } = beside.collect(op.tMs);
        expect(
          differentTotals(fold, model, () => false),
          `seed ${seed}`,
        ).toEqual([]);
        const known = new Set(model.flatMap(({ labels }) => Object.entries(labels).map((pair) => pair.join('='))));
        const made = fold.flatMap(({ labels }) =>
          Object.entries(labels).filter(([label, value]) => value !== OVERFLOW && !known.has(`${label}=${value}`)),
        );
        expect(made, `seed ${seed}`).toEqual([]);
      }
    }
  });

  test.each([1, 3, 8])('of %i lets labels with fewer alone, and no new value in to one that has more', (limit) => {
    let limited = 0;
    for (let seed = 81_000 + limit * 100; seed < 81_008 + limit * 100; seed++) {
      const below = choices(seed);
      const settings = { ...settingsFor(below), maxCardinalityPerLabel: limit };
      const beside = new Beside(settings);
      /** Labels that had too many values when they were looked at, with the values that had come by then. */
      const closed = new Map<string, Set<string>>();
      let judgedMs = ORIGIN_MS;
      for (const op of opsFor(below, settings)) {
        while (op.kind === 'advance' && op.tMs >= judgedMs + JUDGED_EVERY_MS) {
          judgedMs += JUDGED_EVERY_MS;
          const tooMany = [...beside.valuesByLabel()].filter(([, { size }]) => size > limit * (1 + CLOSE) + 1);
          beside.apply({ kind: 'advance', tMs: judgedMs });
          // Edges that expired at that very time were labelled before.
          const values = beside.valuesByLabel();
          for (const [label] of tooMany) if (!closed.has(label)) closed.set(label, values.get(label)!);
        }
        beside.apply(op);
        if (op.kind !== 'collect') continue;
        const { fold } = beside.collect(op.tMs);
        const values = beside.valuesByLabel();
        // Info metrics are not limited.
        for (const { labels } of fold.filter(({ name }) => name !== 'traces_target_info')) {
          for (const [label, value] of Object.entries(labels)) {
            const where = `seed ${seed}: ${label}=${value}`;
            const size = values.get(label)?.size ?? 0;
            if (value === OVERFLOW) expect(size, where).toBeGreaterThanOrEqual(limit * (1 - CLOSE));
            else if (closed.has(label)) expect(closed.get(label)!.has(byBytes(value)), where).toBe(true);
          }
        }
      }
      limited += [...beside.tenant.registry.labelCounters.valuesLimited.values()].reduce((a, b) => a + b, 0);
    }
    expect(limited).toBeGreaterThan(100);
  });
});

/** As the model holds texts. */
function byBytes(text: string): string {
  return Buffer.from(text).toString('latin1');
}

describe('the span-name sanitizer', () => {
  test('moves counts between span names alone, and to templates that fit them', () => {
    let sanitized = 0;
    for (let seed = 82_000; seed < 82_015; seed++) {
      const below = choices(seed);
      const settings: TenantSettings = { ...settingsFor(below), spanNameSanitization: 'enabled' };
      settings.spanMetrics.intrinsicDimensions = { ...settings.spanMetrics.intrinsicDimensions, spanName: true };
      const beside = new Beside(settings);
      for (const op of opsFor(below, settings)) {
        beside.apply(op);
        if (op.kind !== 'collect') continue;
        const { fold, model } = beside.collect(op.tMs);
        // Names that are a single word have too little to tell.
        const isVisible = (label: string, value: string) => label !== 'span_name' || /^\w+$/.test(value);
        expect(differentTotals(fold, model, isVisible), `seed ${seed}`).toEqual([]);
        const raw = namesIn(model);
        const unlike = [...namesIn(fold)].filter((name) => !raw.has(name) && ![...raw].some((one) => fits(name, one)));
        expect(unlike, `seed ${seed}`).toEqual([]);
      }
      sanitized += beside.tenant.registry.labelCounters.spansSanitized;
    }
    expect(sanitized).toBeGreaterThan(100);
  });
});

function namesIn(series: readonly Series[]): Set<string> {
  return new Set(series.flatMap(({ labels }) => labels['span_name'] ?? []));
}

/** Does the template stand for the name? */
function fits(template: string, name: string): boolean {
  const parts = template.split('<_>').map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${parts.join('.+?')}$`, 's').test(name);
}
