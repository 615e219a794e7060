// Random lives of a fold: pushes, ticks, boundaries and changes of settings in the order of log time. Made from a seed, so that one
// that fails can be had again.

import type { TenantSettings } from '../../src/config/index.ts';
import { Fold } from '../../src/fold/index.ts';
import type { Section } from '../../src/registry/index.ts';
import { type Request, requestBytes } from '../fold/model.ts';
import type { PlainRequest } from '../fold/spans.ts';
import type { Below } from '../otlp/noisy-encoder.ts';
import { PLAIN_POOLS, requestMaker, type SpanPools } from './fold-spans.ts';

export const ORIGIN_MS = Date.UTC(2026, 0, 1);

export type Op<R extends Request = PlainRequest> =
  | {
      kind: 'push';
      tenant: string;
      nowMs: number;
      recordMs: number;
      request: R;
      bytes: Uint8Array;
      skip: boolean;
    }
  | { kind: 'advance'; tMs: number }
  | { kind: 'collect'; tMs: number }
  | { kind: 'configure'; settings: TenantSettings };

export interface ScriptOptions {
  tenants: string[];
  boundaries: number;
  /** Settings to change between; one of them at the start. */
  settings: TenantSettings[];
  /** One change in so many boundaries; 0 = never. */
  changeEvery: number;
  /** Span names; a `#` in one becomes a number. A few by default. */
  names?: string[];
}

/** A script of plain requests, and the settings it starts with. */
export function script(below: Below, options: ScriptOptions): { first: TenantSettings; ops: Op[] } {
  const names = options.names ?? PLAIN_POOLS.names;
  // The plain pools have no values but plain ones.
  return scriptOf(below, options, { ...PLAIN_POOLS, names }) as { first: TenantSettings; ops: Op[] };
}

/** A script of requests made of these pools, and the settings it starts with. */
export function scriptOf(
  below: Below,
  options: ScriptOptions,
  pools: SpanPools,
): { first: TenantSettings; ops: Op<Request>[] } {
  const pick = <T>(list: readonly T[]): T => list[below(list.length)]!;
  const ops: Op<Request>[] = [];
  let tMs = ORIGIN_MS + below(100) * 1000;
  const request = requestMaker(below, pools);

  for (let b = 0; b < options.boundaries; b++) {
    for (let n = below(6); n > 0; n--) {
      const nowMs = tMs + below(900);
      const made = request(nowMs);
      ops.push({
        kind: 'push',
        tenant: pick(options.tenants),
        nowMs,
        recordMs: nowMs - below(2) * 50,
        request: made,
        bytes: requestBytes(made),
        skip: below(25) === 0,
      });
      if (below(2) === 0) {
        tMs += below(4) * 1000;
        ops.push({ kind: 'advance', tMs: tMs + 1000 });
        tMs += 1000;
      }
    }
    // Sometimes long enough for rows to go stale, and short enough for some to come back within the minute.
    tMs = Math.ceil((tMs + 1000) / 15_000) * 15_000 + pick([0, 0, 0, 0, 15_000, 45_000, 300_000, 1_200_000]);
    ops.push({ kind: 'advance', tMs }, { kind: 'collect', tMs });
    if (options.changeEvery > 0 && below(options.changeEvery) === 0) {
      // Once at most: settings change at an entry only, when a shard begins.
      ops.push({ kind: 'configure', settings: pick(options.settings) });
    }
  }
  return { first: pick(options.settings), ops };
}

export interface Boundary {
  tMs: number;
  sections: Section[];
  everything: Section[];
}

export function newFold(settings: TenantSettings): Fold {
  return new Fold({ settingsOf: () => settings, originMs: ORIGIN_MS });
}

/** As a shard does: the memory of a request is free for something else right after. */
export function pushAndFree(
  fold: Fold,
  {
    tenant,
    nowMs,
    recordMs,
    bytes,
    skip,
  }: Pick<Extract<Op<Request>, { kind: 'push' }>, 'tenant' | 'nowMs' | 'recordMs' | 'bytes' | 'skip'>,
): void {
  const own = bytes.slice();
  fold.push(tenant, nowMs, recordMs, own, skip);
  own.fill(0xa5);
}

/** Runs the ops; each boundary's sections are copies, as the fold's own may be views of what it goes on with. */
export function run(fold: Fold, ops: readonly Op<Request>[], withEverything = false): Boundary[] {
  const boundaries: Boundary[] = [];
  for (const op of ops) {
    switch (op.kind) {
      case 'push':
        pushAndFree(fold, op);
        break;
      case 'advance':
        fold.advance(op.tMs);
        break;
      case 'configure':
        fold.configure(() => op.settings);
        break;
      default: {
        const sections = structuredClone(fold.collect(op.tMs));
        const everything = withEverything ? structuredClone(fold.everything(op.tMs)) : [];
        boundaries.push({ tMs: op.tMs, sections, everything });
      }
    }
  }
  return boundaries;
}
