// The invariants, each as a list of what contradicts it: a test expects an empty list.

import type { TenantSettings } from '../../../src/config/index.ts';
import type { Entry } from '../../../src/ledger/index.ts';
import { type Section, seriesLabels, seriesValues, TenantImage } from '../../../src/registry/index.ts';
import { Oracle } from './oracle.ts';
import { type Receiver, type Sample, type SentSample, STALE_BITS, seriesText, storedKey } from './receiver.ts';
import { settingsIn } from './settings.ts';
import { INSTANCE, Life, type World } from './world.ts';

/** A list that failed tests can show. */
export function few(problems: readonly string[]): string[] {
  return problems.length <= 4 ? [...problems] : [...problems.slice(0, 4), `and ${problems.length - 4} more`];
}

const COMMON = { __metrics_gen_instance: INSTANCE };

/** Watches every request of a world as it arrives: nothing of T before entry T is durable, nothing from the future. */
export function watchSends(world: World): string[] {
  const problems: string[] = [];
  /** T of durable entries, and the times of the zero samples in them. */
  const durable = new Set<number>();
  const zeros = new Set<number>();
  let newestMs = Number.NEGATIVE_INFINITY;
  const claims = new WeakMap<object, number>();
  const look = async (life: object): Promise<void> => {
    const ledger = await world.durableLedger();
    claims.set(life, ledger.claim);
    for await (const entry of ledger.read(newestMs)) {
      durable.add(entry.tMs);
      newestMs = entry.tMs;
      for (const section of entry.sections)
        for (const ms of (section.columns['zeroMs'] as Float64Array | undefined) ?? []) zeros.add(ms);
    }
    await ledger.close();
  };
  const isKnown = ({ timestampMs, value }: SentSample) =>
    durable.has(timestampMs) || (value === 0 && zeros.has(timestampMs));
  for (const receiver of world.receivers.values()) {
    receiver.onArrival = async (samples, life) => {
      if (!claims.has(life) || !samples.every(isKnown)) await look(life);
      if (life instanceof Life && claims.get(life) !== life.ledger.claim) {
        problems.push(`sent under claim ${life.ledger.claim}, but claim ${claims.get(life)} is durable`);
      }
      for (const sample of samples) {
        if (!isKnown(sample))
          problems.push(`${sample.series} at ${sample.timestampMs} was sent before its entry was durable`);
        if (sample.timestampMs > world.nowMs)
          problems.push(`${sample.series} at ${sample.timestampMs} lies ahead of ${world.nowMs}`);
      }
    };
  }
  return problems;
}

/** 1: whatever was sent of a series and timestamp, by anybody, is one value. */
export function secondValues(receiver: Receiver): string[] {
  const known = new Map<string, string>();
  const problems: string[] = [];
  for (const { samples } of receiver.requests) {
    for (const { tenant, series, timestampMs, bits, value, content = '' } of samples) {
      const key = `${storedKey(tenant, series)} ${timestampMs}`;
      const before = known.get(key);
      const now = `${bits} ${content}`;
      if (before === undefined) known.set(key, now);
      else if (before !== now) problems.push(`${key} was sent with another value, ${value}`);
    }
  }
  return problems;
}

/** 3: claims never go down, T goes up, offsets never go back. */
export function brokenLinks({ history }: World): string[] {
  return history.slice(1).flatMap((entry, i) => {
    const before = history[i]!;
    const offsets = new Map(before.offsets);
    const problems: string[] = [];
    if (entry.tMs <= before.tMs) problems.push(`T=${entry.tMs} after T=${before.tMs}`);
    if (entry.claim < before.claim) problems.push(`claim ${entry.claim} after ${before.claim} at T=${entry.tMs}`);
    if (entry.prevDigest !== before.digest) problems.push(`T=${entry.tMs} does not follow T=${before.tMs}`);
    for (const [partition, offset] of entry.offsets)
      if (offset < (offsets.get(partition) ?? 0)) problems.push(`offset of ${partition} goes back at T=${entry.tMs}`);
    return problems;
  });
}

/** 4: what the receiver counted is what the log holds. `size` series are left out: the oracle knows no sizes. */
export function wrongTotals(world: World, receiver: Receiver): string[] {
  const oracle = oracleOf(world);
  const problems: string[] = [];
  world.log.partitions.forEach((records, partition) => {
    const folded = new Map(world.history.at(-1)?.offsets ?? []).get(partition) ?? 0;
    if (folded !== records.length)
      problems.push(`of partition ${partition} ${folded} of ${records.length} records are folded`);
  });
  const seen = new Map<string, number>();
  for (const [key, samples] of receiver.stored) seen.set(key, increases(samples));
  for (const [tenant, { series }] of oracle.tenants) {
    for (const [text, expected] of series) {
      const key = storedKey(tenant, text);
      const found = seen.get(key);
      seen.delete(key);
      if (found === undefined || Math.abs(found - expected) > 1e-9 * Math.max(1, expected))
        problems.push(`${key}: ${found} instead of ${expected}`);
    }
  }
  for (const [key, found] of seen)
    if (!/ traces_spanmetrics_size_total\{/.test(key)) problems.push(`${key}: ${found}, which no span gave`);
  return problems;
}

export function oracleOf(world: World): Oracle {
  const oracle = new Oracle(world.log);
  let from = new Map<number, number>();
  for (const entry of world.history) {
    const table = world.epochs.get(entry.epoch)!;
    oracle.fold(entry, from, (tenant) => settingsIn(table, tenant));
    from = new Map(entry.offsets);
  }
  return oracle;
}

/** The sum of a counter's increases over its lives: one ends with a stale marker or where a zero sample begins another. */
export function increases(samples: readonly Sample[]): number {
  let sum = 0;
  let last = 0;
  for (const { bits, value } of samples) {
    if (bits === STALE_BITS || value === 0) {
      sum += last;
      last = 0;
    } else last = value;
  }
  return sum + last;
}

/** 5: no series goes down without a stale marker, or a zero sample that declares the new beginning. */
export function steps(receiver: Receiver): string[] {
  const problems: string[] = [];
  for (const [key, samples] of receiver.stored) {
    let last = 0;
    for (const { timestampMs, bits, value } of samples) {
      if (bits !== STALE_BITS && value !== 0 && value < last)
        problems.push(`${key} goes down from ${last} to ${value} at ${timestampMs}`);
      // Between two boundaries there are only zeros that declare a beginning.
      if (value === 0 && last > 0 && timestampMs % 1_000 !== 1 && (timestampMs + 1_000) % 60_000 !== 0)
        problems.push(`${key} falls to 0 at ${timestampMs}`);
      last = bits === STALE_BITS ? 0 : value;
    }
  }
  return problems;
}

/**
 * 7: of each boundary that a tenant is owed, between the first and the last one sent, all live series were sent, with the values
 * of the ledger. `skipped`: boundaries of which nothing was sent may be this many.
 */
export function holes(world: World, receiver: Receiver, skipped = 0): string[] {
  const entries = new Set(world.history.map(({ tMs }) => tMs));
  const sent = new Map<string, bigint>();
  const range = new Map<string, { first: number; last: number }>();
  for (const { tenant, samples } of receiver.requests) {
    for (const { series, timestampMs, bits } of samples) {
      sent.set(`${storedKey(tenant, series)} ${timestampMs}`, bits);
      if (!entries.has(timestampMs)) continue;
      const { first, last } = range.get(tenant) ?? { first: timestampMs, last: timestampMs };
      range.set(tenant, { first: Math.min(first, timestampMs), last: Math.max(last, timestampMs) });
    }
  }
  const problems: string[] = [];
  let left = skipped;
  for (const [tenant, { first, last }] of range) {
    for (const { tMs, values } of boundariesOf(world, tenant)) {
      if (tMs < first || tMs > last || values.size === 0) continue;
      const missing = [...values].filter(
        ([series, value]) => !sameNumber(sent.get(`${storedKey(tenant, series)} ${tMs}`), value),
      );
      if (missing.length === 0) continue;
      if (missing.length === values.size && left > 0) left--;
      else
        problems.push(
          `${tenant} at ${tMs}: ${missing.length} of ${values.size} series missing or other, e.g. ${missing[0]}`,
        );
    }
  }
  return problems;
}

function sameNumber(bits: bigint | undefined, value: number): boolean {
  return bits !== undefined && bits === new BigUint64Array(Float64Array.of(value).buffer)[0];
}

/** The boundaries that a tenant is owed by the ledger, each with every live series' value, of a native histogram its count. */
export function boundariesOf(world: World, tenant: string): { tMs: number; values: Map<string, number> }[] {
  const image = new TenantImage();
  let settings: TenantSettings | undefined;
  const boundaries: { tMs: number; values: Map<string, number> }[] = [];
  for (const entry of world.history) {
    image.nextBoundary();
    for (const section of sectionsOf(entry, tenant)) {
      if (section.meta['holder'] === 'settings') settings = section.meta['settings'] as TenantSettings;
      if (section.meta['holder'] === 'rows') image.apply(section);
    }
    if (!settings || (entry.kind !== 'final' && entry.tMs % settings.collectionIntervalMs !== 0)) continue;
    boundaries.push({ tMs: entry.tMs, values: valuesOf(image) });
  }
  return boundaries;
}

function sectionsOf(entry: Entry, tenant: string): Section[] {
  return entry.sections.filter((section) => section.meta['tenant'] === tenant);
}

function valuesOf(image: TenantImage): Map<string, number> {
  const values = new Map<string, number>();
  for (const table of image.tables.values()) {
    const out = new Float64Array(table.series.length);
    for (const row of table.rows.values()) {
      seriesValues(table.series, row.values, 0, out);
      table.series.forEach((spec, i) => {
        if ((row.admitted & (1 << spec.part)) === 0) return;
        const native = spec.nativeSlot === undefined ? undefined : row.natives[spec.nativeSlot]!;
        const value = native ? native.counts.reduce((sum, n) => sum + n, native.zeroCount) : out[i]!;
        values.set(seriesText(seriesLabels(table.schema, row.labels, row.overflow, spec, COMMON), INSTANCE), value);
      });
    }
  }
  return values;
}
