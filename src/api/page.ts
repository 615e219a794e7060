// The status page: rendered here, without a script, so that it works in any browser and in curl. Everything shown is escaped, and the
// browser is told to run nothing.

import { createHash } from 'node:crypto';
import { allReasons } from '../telemetry/index.ts';
import { count, duration, size, utc } from './format.ts';
import { Html, html, type Part } from './html.ts';
import { STYLE } from './page-style.ts';
import { type Drop, type Finding, type Pipeline, type PipelineStage, pipelineOf } from './pipeline.ts';
import type { StatusView, TenantView } from './status-view.ts';

const REFRESH_SECONDS = 5;
const MAX_ROWS = 50;
const MAX_DROPS = 4;

const styleHash = createHash('sha256').update(STYLE).digest('base64');
export const PAGE_HEADERS: Record<string, string> = {
  'Content-Security-Policy': `default-src 'none'; style-src 'sha256-${styleHash}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
  'Referrer-Policy': 'no-referrer',
};

export function statusPage(view: StatusView, readiness: { ready: boolean; reasons: string[] }): string {
  const pipeline = pipelineOf(view);
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="refresh" content="${REFRESH_SECONDS}">
<title>spanmill</title>
<style>${new Html(STYLE)}</style>
</head>
<body>
<main>
<header>
<h1>spanmill</h1>
${readiness.ready ? html`<span class="badge ok">ready</span>` : html`<span class="badge error">not ready</span>`}
<span class="soft">${view.version} on Node ${view.nodeVersion}, up ${duration(view.uptimeMs)}; ${utc(view.nowMs)} UTC, refreshes every ${REFRESH_SECONDS} s</span>
</header>
<nav><a href="/span-metrics">/span-metrics</a> <a href="/metrics">/metrics</a> <a href="/status">/status</a> <a href="/ready">/ready</a></nav>
<ul class="findings">
${readiness.ready ? '' : readiness.reasons.map((reason) => html`<li class="error"><span>Not ready: ${reason}</span></li>\n`)}
${pipeline.findings.map((finding) => findingLine(finding, pipeline))}</ul>
<h2>The way of a span</h2>
<ol class="stages">
${pipeline.stages.map((stage) => stageCard(stage, pipeline))}</ol>
<p class="note soft">Since the start; what was taken in before it is folded and sent after it, so a later stage can be ahead of an earlier one.</p>
${tenantsTable(view)}
${endpointsTable(view)}
${shardsTable(view)}
${logTable(view)}
${latencyTable(view)}
${addresses(view)}
</main>
</body>
</html>
`.text;
}

function findingLine({ severity, stage, text }: Finding, { firstEmpty, stages }: Pipeline): Html {
  const empty = stages.find(({ id }) => id === firstEmpty && id === stage);
  return html`<li class="${severity}"><span>${empty ? `First empty stage: ${empty.title}. ` : ''}${text}</span></li>\n`;
}

function stageCard(stage: PipelineStage, { firstEmpty }: Pipeline): Html {
  const { id, title, state, unit, drops, note } = stage;
  const rest = drops.length - MAX_DROPS;
  return html`<li class="${state}${id === firstEmpty ? ' first' : ''}"><h3>${title}</h3>
<div class="count">${state === 'off' ? '–' : count(stage.count)} <small>${state === 'off' ? 'off' : units(stage.count, unit)}</small></div>
<p class="soft">${note}</p>
${drops.length === 0 ? '' : html`<ul class="drops">${drops.slice(0, MAX_DROPS).map(dropLine)}${rest > 0 ? html`<li>and ${rest} more reasons</li>` : ''}</ul>`}</li>
`;
}

function dropLine({ reason, count: dropped, unit }: Drop): Html {
  return html`<li>${count(dropped)} ${units(dropped, unit)}: ${reason}</li>`;
}

function units(value: number, unit: string): string {
  if (value === 1 || unit === 'series') return unit;
  return unit.endsWith('y') ? `${unit.slice(0, -1)}ies` : `${unit}s`;
}

interface Column<T> {
  head: string;
  cell(row: T): Part;
  /** Left-aligned; `wrap` may take several lines. */
  kind?: 't' | 't wrap';
}

function table<T>(
  title: string,
  rows: readonly T[],
  columns: readonly Column<T>[],
  empty: string,
  note: Part = '',
): Html {
  const more = rows.length - MAX_ROWS;
  if (rows.length === 0) return html`<h2>${title}</h2><p class="note soft">${empty}</p>`;
  return html`<h2>${title}</h2>
<div class="table"><table>
<tr>${columns.map(({ head, kind = '' }) => html`<th class="${kind}">${head}</th>`)}</tr>
${rows.slice(0, MAX_ROWS).map((row) => html`<tr>${columns.map(({ cell, kind = '' }) => html`<td class="${kind}">${cell(row)}</td>`)}</tr>\n`)}</table></div>
${more > 0 ? html`<p class="note soft">and ${count(more)} more in <a href="/status">/status</a></p>` : ''}${note}`;
}

function tenantsTable({ tenants }: StatusView): Html {
  const discards = (tenant: TenantView) => tenant.discarded.reduce((sum, discard) => sum + discard.count, 0);
  return table(
    'Tenants',
    tenants,
    [
      { head: 'Tenant', cell: (t) => t.tenant, kind: 't wrap' },
      { head: 'Spans', cell: (t) => count(t.spansReceived) },
      { head: 'Discarded', cell: (t) => count(discards(t)) },
      { head: 'Edges', cell: (t) => count(t.completedEdges) },
      { head: 'Pending', cell: (t) => count(t.pendingEdges) },
      { head: 'Expired', cell: (t) => count(t.expiredEdges) },
      { head: 'Series', cell: (t) => count(t.activeSeries) },
      { head: 'Limited', cell: (t) => count(t.seriesLimited) },
    ],
    'None yet.',
  );
}

function endpointsTable({ endpoints }: StatusView): Html {
  return table(
    'Remote write',
    endpoints,
    [
      { head: 'Endpoint', cell: (e) => html`${e.name}<br><span class="soft">${e.url}</span>`, kind: 't wrap' },
      { head: 'Samples', cell: (e) => count(e.samplesSent) },
      { head: 'Refused', cell: (e) => count(e.samplesFailed) },
      { head: 'Skipped', cell: (e) => count(allReasons(e.boundariesSkipped)) },
      { head: 'Retries', cell: (e) => count(e.retries) },
      { head: 'Settled (UTC)', cell: (e) => utc(e.settledMs) ?? '–' },
      { head: 'Behind', cell: (e) => (e.lagMs === undefined ? '–' : duration(e.lagMs)) },
      { head: 'Last error', cell: (e) => e.lastError ?? '–', kind: 't wrap' },
    ],
    'None is configured: scrape /span-metrics, or set metrics_generator.storage.remote_write.',
  );
}

function shardsTable({ shards, nowMs }: StatusView): Html {
  return table(
    'Shards',
    shards,
    [
      { head: 'Shard', cell: (s) => s.shard, kind: 't' },
      { head: 'Boundary (UTC)', cell: (s) => utc(s.boundaryMs) ?? '–' },
      { head: 'Age', cell: (s) => (s.boundaryMs === undefined ? '–' : duration(Math.max(0, nowMs - s.boundaryMs))) },
      { head: 'Open tick (UTC)', cell: (s) => utc(s.openTickMs) ?? 'none yet' },
      { head: 'Waits for', cell: (s) => (s.waitingFor === undefined ? '–' : `partition ${s.waitingFor}`) },
      { head: 'Buffered', cell: (s) => size(s.bufferedBytes) },
      { head: 'Records', cell: (s) => count(s.records) },
      {
        head: 'Future / held / late',
        cell: (s) => `${count(s.futureRecords)} / ${count(s.heldRecords)} / ${count(s.lateRecords)}`,
      },
      {
        head: 'Ledger',
        cell: (s) =>
          html`${size(s.ledgerSizeBytes)}${s.isLedgerOverLimit ? html` <span class="error">over its limit</span>` : ''}`,
      },
    ],
    'None runs yet.',
  );
}

function logTable({ log }: StatusView): Html {
  if (log.kind === 'kafka') return lagTable(log);
  return table(
    'Log',
    log.partitions,
    [
      { head: 'Partition', cell: (p) => p.partition, kind: 't' },
      { head: 'First offset', cell: (p) => count(p.start) },
      { head: 'Next offset', cell: (p) => count(p.end) },
      { head: 'Size', cell: (p) => size(p.sizeBytes) },
      { head: 'Queued', cell: (p) => size(p.queuedBytes) },
    ],
    'It has no partition.',
    html`<p class="note soft">${log.kind}, ${log.path}, ${size(log.sizeBytes)}</p>`,
  );
}

function lagTable({ lag, path }: StatusView['log']): Html {
  return table(
    'Log',
    lag,
    [
      { head: 'Partition', cell: (p) => p.partition, kind: 't' },
      { head: 'Behind', cell: (p) => `${count(p.records)} records` },
      { head: 'Newest read', cell: (p) => (p.records === 0 ? '–' : `${duration(p.seconds * 1_000)} old`) },
    ],
    'Nothing is read yet.',
    html`<p class="note soft">Kafka topic ${path}</p>`,
  );
}

function latencyTable({ latencies }: StatusView): Html {
  return table(
    'Stages',
    latencies,
    [
      { head: 'Stage', cell: (s) => s.stage, kind: 't' },
      { head: 'Count', cell: (s) => count(s.count) },
      { head: 'p50', cell: (s) => duration(s.p50Ms) },
      { head: 'p99', cell: (s) => duration(s.p99Ms) },
      { head: 'Longest', cell: (s) => duration(s.maxMs) },
    ],
    'Nothing measured yet.',
  );
}

function addresses({ api, receivers, multitenancy }: StatusView): Html {
  const rows = [{ name: 'API', address: api }, ...receivers];
  return table(
    'Addresses',
    rows,
    [
      { head: 'What', cell: (r) => r.name, kind: 't' },
      { head: 'Where', cell: (r) => r.address ?? 'not listening', kind: 't' },
    ],
    '',
    html`<p class="note soft">${multitenancy ? 'Tenants come from the header X-Scope-OrgID.' : 'One tenant: single-tenant.'}</p>`,
  );
}
