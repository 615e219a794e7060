// Sums over the tenants of a status view, as the pipeline and its findings need them.

import type { StatusView, TenantView } from './status-view.ts';

const FAMILIES = ['span-metrics', 'service-graphs', 'host-info'];

/** Families of processors that a span can be kept by. */
export function familiesOf({ processors }: TenantView): string[] {
  // Not known: those that run where nothing is configured.
  if (processors === undefined) return ['span-metrics', 'service-graphs'];
  return FAMILIES.filter((family) => processors.some((name) => name.startsWith(family)));
}

export function makesGraph(view: StatusView): boolean {
  return view.tenants.some((tenant) => familiesOf(tenant).includes('service-graphs'));
}

export function sumOf(view: StatusView, read: (tenant: TenantView) => number): number {
  return view.tenants.reduce((sum, tenant) => sum + read(tenant), 0);
}

/** Spans that passed the slack rule. */
export function insideSlack(tenant: TenantView): number {
  return Math.max(0, tenant.spansReceived - discarded(tenant, (processor) => processor === 'all'));
}

export function discarded(tenant: TenantView, isMeant: (processor: string) => boolean): number {
  return tenant.discarded.reduce((sum, { processor, count }) => (isMeant(processor) ? sum + count : sum), 0);
}
