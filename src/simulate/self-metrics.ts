// The tenant's own counters under the names that Tempo's generator gives them, without its prefix; zeros are left out.

import type { TenantFold } from '../fold/index.ts';

export function selfMetrics(tenant: TenantFold, collections: number): Record<string, number> {
  const { counters, registry } = tenant;
  const { limiter, labelCounters } = registry;
  const all = new Map<string, number>();
  const set = (name: string, value: number) => all.set(`metrics_generator_${name}`, value);
  for (const name of tenant.active) set(`active_processors{processor="${name}"}`, 1);
  set('bytes_received_total', counters.bytesReceived);
  set('spans_received_total', counters.spansReceived);
  set('metrics_generation_skipped_processor_pushes_total', counters.skippedProcessorPushes);
  for (const [key, count] of counters.discarded) {
    const [reason, processor] = key.split(' ');
    set(`spans_discarded_total{processor="${processor}",reason="${reason}"}`, count);
  }
  set('processor_service_graphs_edges', counters.edges);
  set('processor_service_graphs_dropped_spans', counters.droppedSpans);
  set('processor_service_graphs_dropped_edges_total', counters.droppedEdges);
  set('processor_service_graphs_dropped_span_side_cache_overflow_total', counters.droppedSideOverflow);
  for (const [kind, count] of counters.expiredEdges) {
    set(`processor_service_graphs_expired_edges{unmatched_span_kind="${kind}"}`, count);
  }
  set('registry_collections_total', collections);
  set('registry_active_series', limiter.activeSeries);
  set('registry_max_active_series', limiter.maxSeries);
  set('registry_series_added_total', limiter.counters.seriesAdded);
  set('registry_series_removed_total', limiter.counters.seriesRemoved);
  set('registry_series_limited_total', limiter.counters.seriesLimited);
  set('registry_active_entities', limiter.activeEntities);
  set('registry_max_active_entities', limiter.maxEntities);
  set('registry_entities_added_total', limiter.counters.entitiesAdded);
  set('registry_entities_removed_total', limiter.counters.entitiesRemoved);
  set('registry_entities_limited_total', limiter.counters.entitiesLimited);
  for (const [name, count] of labelCounters.valuesLimited)
    set(`registry_label_values_limited_total{label_name="${name}"}`, count);
  set('registry_spans_sanitized_total', labelCounters.spansSanitized);
  set('registry_drain_patterns_detected_total', labelCounters.patternsDetected);
  set('registry_drain_patterns_evicted_total', labelCounters.patternsEvicted);
  set('registry_drain_lines_skipped_total{reason="too_few_tokens"}', labelCounters.tooFewTokens);
  set('registry_drain_lines_skipped_total{reason="too_many_tokens"}', labelCounters.tooManyTokens);
  return Object.fromEntries([...all].filter(([, value]) => value !== 0).sort(([a], [b]) => (a < b ? -1 : 1)));
}
