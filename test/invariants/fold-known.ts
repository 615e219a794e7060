// Where the properties do not hold the fold to the rules.

import type { TenantSettings } from '../../src/config/index.ts';

/** Which traces the collector's naming keeps is left to the tests of that. */
export function comparesExemplars({ naming }: TenantSettings): boolean {
  return naming !== 'otel';
}
