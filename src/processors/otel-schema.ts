// What a table of the collector's span metrics holds, as the registry and the ledger are told.

import type { TenantSettings } from '../config/index.ts';
import { makeSchema, type PartSpec, type TableSchema } from '../registry/index.ts';
import { type OtelLabels, OVERFLOW, SCOPE_LABELS, scopesOf } from './otel-labels.ts';
import { otelConstantLabels, otelInstanceLabel, SPAN_SCOPE } from './otel-names.ts';
import type { ProcessorContext } from './processor.ts';

export function otelSchema(
  { tenant, settings }: ProcessorContext,
  name: string,
  { names, globs, resourceExcept, scopes }: OtelLabels,
  specs: readonly PartSpec[],
): TableSchema {
  const { exemplars, exemplarsPerPoint = 0 } = settings.otel.spanMetrics;
  // What they are made of is in their names, so that rows end where it changes.
  const sets = [
    ...(resourceExcept ? [`*resource ${resourceExcept.join(' ')}`] : []),
    ...(globs.length > 0 ? [`*span ${globs.map(({ glob }) => glob).join(' ')}`] : []),
  ];
  const carried = scopes.length > 0 ? SCOPE_LABELS : [];
  const constant = otelConstantLabels(tenant, settings, SPAN_SCOPE);
  return {
    ...makeSchema(name, [...sets, ...names, ...carried], specs, constant, settings.traceIdLabelName),
    // Those of the buckets.
    exemplarSlots: 0,
    instanceLabel: otelInstanceLabel(settings.otel),
    ...(sets.length > 0 && { labelSets: sets.length }),
    ...(carried.length > 0 && { carried: { labels: carried.length, of: [...scopes] } }),
    ...(exemplars && exemplarsPerPoint > 0 && { firstExemplars: exemplarsPerPoint }),
  };
}

/** Labels that others set over those of a row: two rows that differ in one of these would be one series. */
export function reservedLabels(
  { constantLabels, instanceLabel = '' }: TableSchema,
  settings: TenantSettings,
): Set<string> {
  return new Set([
    'le',
    OVERFLOW,
    instanceLabel,
    ...Object.keys(constantLabels),
    ...(scopesOf(settings).length > 0 ? SCOPE_LABELS : []),
  ]);
}
