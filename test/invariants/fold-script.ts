// Random lives of a fold: pushes, ticks, boundaries and changes of settings in the order of log time. Made from a seed, so that one
// that fails can be had again.

import type { TenantSettings } from '../../src/config/index.ts';
import { Fold } from '../../src/fold/index.ts';
import type { Section } from '../../src/registry/index.ts';
import type { Attributes, PlainRequest, PlainSpan } from '../fold/spans.ts';
import { requestBytes } from '../fold/spans.ts';
import type { Below } from '../otlp/noisy-encoder.ts';

export const ORIGIN_MS = Date.UTC(2026, 0, 1);

export type Op =
  | {
      kind: 'push';
      tenant: string;
      nowMs: number;
      recordMs: number;
      request: PlainRequest;
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

const SERVICES = ['web', 'api', 'db', '', 'naïve'];
const NAMES = ['GET /', 'POST /cart', '', 'query', 'x\u0000y'];

/** A script and the settings it starts with. */
export function script(below: Below, options: ScriptOptions): { first: TenantSettings; ops: Op[] } {
  const pick = <T>(list: readonly T[]): T => list[below(list.length)]!;
  const ops: Op[] = [];
  let tMs = ORIGIN_MS + below(100) * 1000;
  /** Client halves that have no server half yet: trace and span id. */
  const open: { trace: string; id: string; atMs: number }[] = [];
  /** Spans to repeat: the same ids again, in the same or the other role. */
  const recent: PlainSpan[] = [];
  let serial = 0;
  const newId = (bytes: number) => {
    serial++;
    const length = below(5) === 0 ? below(30) : bytes;
    return length === 0
      ? ''
      : (serial * 0x9e3779b1)
          .toString(16)
          .padStart(length * 2, '0')
          .slice(-length * 2);
  };

  const attributes = (): Attributes => {
    const out: Attributes = [];
    for (let n = below(4); n > 0; n--) {
      const key = pick([
        'http.method',
        'peer.service',
        'db.system',
        'db.name',
        'team',
        'ratio',
        'server.address',
        'virtual_node',
      ]);
      const value = key === 'ratio' ? pick([0.5, 0.1, 1, -1]) : pick(['GET', 'a', 'b', 'orders', '', 7n, 2.5, true]);
      out.push([key, value]);
    }
    return out;
  };

  const oneSpan = (nowMs: number): PlainSpan => {
    const kind = pick([1, 2, 2, 3, 3, 4, 5, 0]);
    const late = below(20) === 0 ? 40_000 : below(3_000);
    const endNs = BigInt(nowMs - late) * 1_000_000n + BigInt(below(1_000_000));
    const tookNs = BigInt(below(10) === 0 ? 0 : below(2 ** 31)) * BigInt(below(3));
    const span: PlainSpan = {
      name: pick(options.names ?? NAMES).replaceAll('#', () => String(below(6))),
      kind,
      trace: newId(16),
      id: newId(8),
      parent: below(3) === 0 ? '' : newId(8),
      startNs: endNs - tookNs,
      endNs,
      state: below(12) === 0 ? pick(['ot=th:8', 'ot=th:c;rv:80000000000000', 'x=1', 'ot=bad']) : '',
      attributes: attributes(),
      ...(below(2) === 0 ? { status: { code: pick([0, 1, 2, 2]), message: pick(['', 'no']) } } : {}),
    };
    if (recent.length > 0 && below(4) === 0) {
      const { trace, id, parent } = pick(recent);
      Object.assign(span, { trace, id, parent });
    }
    recent.push(span);
    if (recent.length > 12) recent.shift();
    if ((kind === 3 || kind === 4) && below(3) > 0) open.push({ trace: span.trace, id: span.id, atMs: nowMs });
    if ((kind === 2 || kind === 5) && open.length > 0 && below(3) > 0) {
      const [half] = open.splice(below(open.length), 1);
      span.trace = half!.trace;
      span.parent = half!.id;
    }
    return span;
  };

  const request = (nowMs: number): PlainRequest =>
    Array.from({ length: 1 + below(2) }, () => {
      const resource: Attributes = [];
      if (below(12) > 0) resource.push(['service.name', pick(SERVICES)]);
      if (below(3) === 0) resource.push(['service.namespace', pick(['shop', ''])]);
      if (below(3) === 0) resource.push(['service.instance.id', pick(['i1', 'i2'])]);
      if (below(3) === 0) resource.push(['team', pick(['red', 'blue'])]);
      if (below(5) === 0) resource.push(['host.id', pick(['h1', 'h2'])]);
      return { resource, spans: Array.from({ length: below(7) }, () => oneSpan(nowMs)) };
    });

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

/** Runs the ops; each boundary's sections are copies, as the fold's own may be views of what it goes on with. */
export function run(fold: Fold, ops: readonly Op[], withEverything = false): Boundary[] {
  const boundaries: Boundary[] = [];
  for (const op of ops) {
    switch (op.kind) {
      case 'push':
        fold.push(op.tenant, op.nowMs, op.recordMs, op.bytes, op.skip);
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
