// A fold and the model of it, fed the same things.

import { isDeepStrictEqual } from 'node:util';
import type { TenantSettings } from '../../src/config/index.ts';
import type { TenantFold } from '../../src/fold/index.ts';
import { TenantImage } from '../../src/registry/index.ts';
import { Model, type Request } from '../fold/model.ts';
import { applyAll } from '../fold/series.ts';
import { settingsWith } from '../fold/settings.ts';
import { differences, saidByFold } from './fold-compare.ts';
import { comparesExemplars } from './fold-known.ts';
import { newFold, type Op, ORIGIN_MS, pushAndFree } from './fold-script.ts';

const MOST_LINES = 12;

/** Differences up to the first boundary that has any, with where that is. */
export function runBeside(first: TenantSettings, ops: readonly Op<Request>[]): { lines: string[]; where: string } {
  const fold = newFold(first);
  const model = new Model('t', first, ORIGIN_MS);
  const image = new TenantImage();
  for (const op of ops) {
    switch (op.kind) {
      case 'push':
        pushAndFree(fold, op);
        model.push(op.nowMs, op.recordMs, op.request, op.skip);
        break;
      case 'advance':
        fold.advance(op.tMs);
        model.advance(op.tMs);
        break;
      case 'configure':
        fold.configure(() => op.settings);
        model.configure(op.settings);
        break;
      default: {
        applyAll(image, fold.collect(op.tMs));
        const lines = [
          ...differences(saidByFold(image), model.collect(op.tMs), comparesExemplars(model.settings)),
          ...counterDifferences(fold.tenant('t'), model),
          ...lost(fold.tenant('t'), model),
        ];
        if (lines.length > 0)
          return {
            lines: lines.slice(0, MOST_LINES),
            where: `at ${op.tMs - ORIGIN_MS} ms, ${options(model.settings)}`,
          };
      }
    }
  }
  return { lines: [], where: '' };
}

function counterDifferences(tenant: TenantFold, model: Model): string[] {
  const { counters, registry } = tenant;
  const { counts } = model;
  const { counts: spans, invalidHosts } = model.spans;
  const { counts: graph, edges } = model.graph;
  const discarded = (key: string) => counters.discarded.get(key) ?? 0;
  const both: Record<string, [fold: unknown, model: unknown]> = {
    spansReceived: [counters.spansReceived, counts.spansReceived],
    bytesReceived: [counters.bytesReceived, counts.bytesReceived],
    skippedPushes: [counters.skippedProcessorPushes, counts.skippedPushes],
    outsideSlack: [discarded('outside_metrics_ingestion_slack all'), counts.outside],
    spansFiltered: [discarded('span_metrics_filtered span-metrics'), spans.filtered],
    spansInvalid: [discarded('invalid_utf8 span-metrics'), spans.invalid + spans.invalidInfos],
    spansNameless: [discarded('no_service_name span-metrics'), spans.nameless],
    hostsInvalid: [discarded('invalid_utf8 host-info'), invalidHosts],
    halvesFiltered: [discarded('service_graphs_filtered service-graphs'), graph.filtered],
    edges: [counters.edges, graph.made],
    edgesCompleted: [counters.completedEdges, graph.completed],
    edgesInvalid: [discarded('invalid_utf8 service-graphs'), graph.invalid],
    edgesExpired: [Object.fromEntries(counters.expiredEdges), Object.fromEntries(graph.expired)],
    edgesDropped: [counters.droppedEdges, graph.letGo + graph.orphans],
    droppedSpans: [counters.droppedSpans, graph.refused],
    forgotten: [counters.droppedSideOverflow, graph.forgotten],
    edgesWaiting: [tenant.pendingEdges, edges.length],
    limiter: [registry.limiter.counters, model.registry.counts],
  };
  return Object.entries(both).flatMap(([name, [fold, mine]]) =>
    isDeepStrictEqual(fold, mine) ? [] : [`${name}: ${JSON.stringify(fold)}, not ${JSON.stringify(mine)}`],
  );
}

/** What comes in and is not accounted for: spans, and edges. By the fold's own counters, as far as it has them. */
function lost({ counters, pendingEdges }: TenantFold, model: Model): string[] {
  const discarded = (key: string) => counters.discarded.get(key) ?? 0;
  const { counts, spans, graph } = model;
  const spansOut =
    counts.spansSkipped +
    discarded('outside_metrics_ingestion_slack all') +
    counts.withoutProcessor +
    spans.counts.counted +
    discarded('span_metrics_filtered span-metrics') +
    discarded('no_service_name span-metrics') +
    (discarded('invalid_utf8 span-metrics') - spans.counts.invalidInfos);
  const expired = [...counters.expiredEdges.values()].reduce((a, b) => a + b, 0);
  const invalid = discarded('invalid_utf8 service-graphs');
  const dropped = counters.droppedEdges - graph.counts.orphans;
  const edgesOut = counters.completedEdges + invalid + expired + dropped + pendingEdges;
  return [
    ...(spansOut === counters.spansReceived ? [] : [`${counters.spansReceived} spans in, ${spansOut} accounted for`]),
    ...(edgesOut === counters.edges ? [] : [`${counters.edges} edges made, ${edgesOut} accounted for`]),
  ];
}

/** Those that are not as by default. */
function options(settings: TenantSettings): string {
  const usual = settingsWith();
  const changed = (of: object, from: object): object =>
    Object.fromEntries(
      Object.entries(of).flatMap(([key, value]) => {
        const before = (from as Record<string, unknown>)[key];
        if (isDeepStrictEqual(value, before)) return [];
        const isGroup = key === 'spanMetrics' || key === 'serviceGraphs';
        return [[key, isGroup ? changed(value as object, before as object) : value]];
      }),
    );
  return JSON.stringify(changed(settings, usual));
}
