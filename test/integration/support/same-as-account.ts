// What Prometheus must have after a load: what `generate` says was acknowledged.

import { expect } from 'vitest';
import type { Account } from './generate.ts';
import type { Prometheus } from './prometheus.ts';
import { waitFor } from './wait.ts';

const CALLS = 'sum by (service, span_name, span_kind, status_code) (traces_spanmetrics_calls_total)';
const EDGES = 'sum by (client, server, connection_type) (traces_service_graph_request_total)';
const FAILED = 'sum by (client, server, connection_type) (traces_service_graph_request_failed_total)';

type Rows = [key: string, count: number][];

interface Counts {
  calls: Rows;
  edges: Rows;
  failed: Rows;
}

/**
 * What Prometheus has must be what was acknowledged. A batch whose answer never came may have been counted or not: for its spans
 * the truth lies between; edges that touch one are compared by their number only. Edges whose halves are far apart may be there or not.
 */
export async function sameAsAccount(prometheus: Prometheus, account: Account): Promise<void> {
  const wanted: Counts = {
    calls: sorted(account.calls.map((c) => [callKey(c), c.count])),
    edges: sorted(account.edges.map((e) => [edgeKey(e), e.count])),
    failed: sorted(account.edges.filter((e) => e.failed > 0).map((e) => [edgeKey(e), e.failed])),
  };
  const atMost = new Map(wanted.calls);
  for (const call of account.unknown.flatMap((batch) => batch.calls)) {
    atMost.set(callKey(call), (atMost.get(callKey(call)) ?? 0) + call.count);
  }
  const uncertainEdges = account.uncertain_edges ?? 0;
  const late = account.late_edges ?? [];
  const lateBy = (count: (edge: Account['edges'][number]) => number): Map<string, number> => {
    const counts = new Map<string, number>();
    for (const edge of late) counts.set(edgeKey(edge), (counts.get(edgeKey(edge)) ?? 0) + count(edge));
    return counts;
  };
  const isSame = (got: Counts): boolean => {
    if (account.unknown.length === 0) {
      return (
        JSON.stringify(got.calls) === JSON.stringify(wanted.calls) &&
        isBetween(
          got.edges,
          wanted.edges,
          lateBy((e) => e.count),
        ) &&
        isBetween(
          got.failed,
          wanted.failed,
          lateBy((e) => e.failed),
        )
      );
    }
    const calls = new Map(got.calls);
    const between = [...atMost].every(([key, most]) => {
      const count = calls.get(key) ?? 0;
      return count >= (new Map(wanted.calls).get(key) ?? 0) && count <= most;
    });
    const known = [...calls.keys()].every((key) => atMost.has(key));
    return between && known && Math.abs(total(got.edges) - total(wanted.edges)) <= uncertainEdges;
  };
  let got: Counts | undefined;
  try {
    await waitFor(
      'Prometheus to have what generate sent',
      async () => {
        got = await countsIn(prometheus);
        return isSame(got);
      },
      45_000,
      500,
    );
  } catch (error) {
    expect({ got, late }).toEqual({ got: wanted, late: [] });
    throw error;
  }
}

async function countsIn(prometheus: Prometheus): Promise<Counts> {
  const rows = async (promql: string, labels: string[]): Promise<Rows> =>
    sorted(
      (await prometheus.query(promql)).map((s) => [labels.map((label) => s.labels[label] ?? '').join('|'), s.value]),
    );
  return {
    calls: await rows(CALLS, ['service', 'span_name', 'span_kind', 'status_code']),
    edges: await rows(EDGES, ['client', 'server', 'connection_type']),
    failed: await rows(FAILED, ['client', 'server', 'connection_type']),
  };
}

function isBetween(got: Rows, wanted: Rows, late: ReadonlyMap<string, number>): boolean {
  const counts = new Map(got);
  const least = new Map(wanted);
  return [...new Set([...counts.keys(), ...least.keys()])].every((key) => {
    const count = counts.get(key) ?? 0;
    const certain = least.get(key) ?? 0;
    return count >= certain && count <= certain + (late.get(key) ?? 0);
  });
}

function callKey(c: Account['calls'][number]): string {
  return [c.service, c.span_name, c.span_kind, c.status_code].join('|');
}

function edgeKey(e: Account['edges'][number]): string {
  return [e.client, e.server, e.connection_type].join('|');
}

function sorted(rows: Rows): Rows {
  return rows.sort(([a], [b]) => (a < b ? -1 : 1));
}

function total(rows: Rows): number {
  return rows.reduce((sum, [, count]) => sum + count, 0);
}
