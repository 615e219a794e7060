// The way of a span, stage by stage, with what came through and what was dropped at each: so that somebody with an empty graph sees
// where it ends. Counts are since the start of the process; series are those alive now.

import { allReasons } from '../telemetry/index.ts';
import { findingsOf } from './findings.ts';
import type { StatusView } from './status-view.ts';
import { discarded, familiesOf, insideSlack, makesGraph, sumOf } from './tenant-sums.ts';

export type StageId = 'received' | 'decoded' | 'in_slack' | 'kept' | 'paired' | 'series' | 'durable' | 'sent';

export interface Drop {
  reason: string;
  count: number;
  unit: string;
}

export interface PipelineStage {
  id: StageId;
  title: string;
  count: number;
  unit: string;
  /** What did not get further, most first. */
  drops: Drop[];
  /** `off`: nothing is meant to come here. `zero`: nothing came. */
  state: 'ok' | 'zero' | 'off';
  /** More about the count, in a few words. */
  note: string;
}

export interface Finding {
  severity: 'error' | 'warning' | 'info' | 'ok';
  stage: StageId | undefined;
  /** One or two plain sentences: what is, and what to look at. */
  text: string;
}

export interface Pipeline {
  stages: PipelineStage[];
  /** The first stage that is at zero while the one before it is not. */
  firstEmpty: StageId | undefined;
  /** The first one is the headline. */
  findings: Finding[];
}

/** Which stage feeds which: pairing is a branch, spans that pair with nothing still make series. */
const STAGE_BEFORE: Readonly<Record<StageId, StageId | undefined>> = {
  received: undefined,
  decoded: 'received',
  in_slack: 'decoded',
  kept: 'in_slack',
  paired: 'kept',
  series: 'kept',
  durable: 'series',
  sent: 'durable',
};

export function pipelineOf(view: StatusView): Pipeline {
  const stages = [
    received(view),
    decoded(view),
    inSlack(view),
    kept(view),
    paired(view),
    series(view),
    durable(view),
    sent(view),
  ];
  const empty = stages.filter((stage) => {
    const before = stages.find(({ id }) => id === STAGE_BEFORE[stage.id]);
    return stage.state === 'zero' && before?.state === 'ok';
  });
  return {
    stages,
    firstEmpty: empty[0]?.id,
    findings: findingsOf(
      view,
      stages,
      empty.map(({ id }) => id),
    ),
  };
}

function stage(
  id: StageId,
  title: string,
  count: number,
  unit: string,
  more: { drops?: Drop[]; note?: string; isOff?: boolean; isZero?: boolean } = {},
): PipelineStage {
  const { drops = [], note = '', isOff = false, isZero = count === 0 } = more;
  const shown = drops.filter((drop) => drop.count > 0).sort((a, b) => b.count - a.count);
  return { id, title, count, unit, drops: shown, state: isOff ? 'off' : isZero ? 'zero' : 'ok', note };
}

function received({ received }: StatusView): PipelineStage {
  const refused = Object.entries(received.refused).map(([reason, count]) => ({ reason, count, unit: 'request' }));
  return stage('received', 'Received', received.spans, 'span', {
    drops: [...refused, { reason: 'aborted', count: received.aborted, unit: 'request' }],
    note: 'acknowledged by the receivers',
  });
}

function decoded(view: StatusView): PipelineStage {
  return stage(
    'decoded',
    'Decoded',
    sumOf(view, (t) => t.spansReceived),
    'span',
    {
      drops: view.undecodable.map(({ reason, count }) => ({ reason, count, unit: 'record' })),
      note: 'read from the log and folded',
    },
  );
}

function inSlack(view: StatusView): PipelineStage {
  return stage('in_slack', 'In slack', sumOf(view, insideSlack), 'span', {
    drops: discards(view, (processor) => processor === 'all'),
    note: 'ended close enough to their record',
  });
}

/** A span that one processor leaves out may be kept by another: what the most willing one keeps counts. */
function kept(view: StatusView): PipelineStage {
  const count = sumOf(view, (tenant) => {
    const left = familiesOf(tenant).map(
      (family) => insideSlack(tenant) - discarded(tenant, (processor) => processor === family),
    );
    return Math.max(0, ...left);
  });
  return stage('kept', 'Kept', count, 'span', {
    drops: discards(view, (processor) => processor !== 'all'),
    note: 'by at least one processor',
  });
}

function paired(view: StatusView): PipelineStage {
  const pending = sumOf(view, (t) => t.pendingEdges);
  return stage(
    'paired',
    'Paired',
    sumOf(view, (t) => t.completedEdges),
    'edge',
    {
      drops: [{ reason: 'expired', count: sumOf(view, (t) => t.expiredEdges), unit: 'edge' }],
      note:
        makesGraph(view) || view.tenants.length === 0
          ? `${pending} waiting for the other half`
          : 'service-graphs is not active',
      isOff: view.tenants.length > 0 && !makesGraph(view),
    },
  );
}

function series(view: StatusView): PipelineStage {
  return stage(
    'series',
    'Series',
    sumOf(view, (t) => t.activeSeries),
    'series',
    {
      drops: [{ reason: 'limited', count: sumOf(view, (t) => t.seriesLimited), unit: 'series' }],
      note: 'alive now',
    },
  );
}

function durable(view: StatusView): PipelineStage {
  return stage(
    'durable',
    'Durable',
    view.shards.reduce((sum, { ledgerEntries }) => sum + ledgerEntries, 0),
    'boundary',
    {
      note: 'written to the ledger',
      isZero: view.shards.every(({ boundaryMs }) => boundaryMs === undefined),
    },
  );
}

function sent(view: StatusView): PipelineStage {
  const total = (read: (endpoint: StatusView['endpoints'][number]) => number) =>
    view.endpoints.reduce((sum, endpoint) => sum + read(endpoint), 0);
  const isOff = view.endpoints.length === 0;
  return stage(
    'sent',
    'Sent',
    total((e) => e.samplesSent),
    'sample',
    {
      drops: [
        { reason: 'refused', count: total((e) => e.samplesFailed), unit: 'sample' },
        { reason: 'skipped', count: total((e) => allReasons(e.boundariesSkipped)), unit: 'boundary' },
        { reason: 'relabelled', count: total((e) => allReasons(e.samplesNotSent)), unit: 'sample' },
      ],
      note: isOff ? 'no remote-write endpoint is configured' : 'taken by remote-write endpoints',
      isOff,
    },
  );
}

function discards(view: StatusView, isMeant: (processor: string) => boolean): Drop[] {
  const byReason = new Map<string, number>();
  for (const { reason, processor, count } of view.tenants.flatMap((tenant) => tenant.discarded)) {
    if (!isMeant(processor)) continue;
    const key = processor === 'all' ? reason : `${reason} (${processor})`;
    byReason.set(key, (byReason.get(key) ?? 0) + count);
  }
  return [...byReason].map(([reason, count]) => ({ reason, count, unit: 'span' }));
}
