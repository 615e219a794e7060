// What an own metric is made of: a name, and how its values are read from what a scrape sees.

import type { OwnMetricsView, ReceiverTotals } from './metrics.ts';

export interface Source extends OwnMetricsView {
  receiver: ReceiverTotals;
  tenantLabel(tenant: string): string;
}

/** Values of equal labels are summed: several shards speak of one tenant. An undefined value is left out. */
export type Reading = readonly [labels: readonly string[], value: number | undefined];

export interface Definition {
  name: string;
  help: string;
  labels: readonly string[];
  read(source: Source): Iterable<Reading>;
}
