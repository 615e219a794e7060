// Under which names the ledger keeps how far each tenant is settled at each endpoint, and what of it belongs to nobody any more.

import { type Ledger, LedgerError } from '../ledger/index.ts';
import type { Logger } from '../telemetry/index.ts';
import type { EndpointPlan } from './protocol.ts';

export function settledKey(tenant: string, endpoint: EndpointPlan): string {
  return `${tenant}\u0000${endpoint.name}`;
}

function partsOf(key: string): { tenant: string; name: string } {
  const end = key.indexOf('\u0000');
  return { tenant: key.slice(0, end), name: key.slice(end + 1) };
}

/** No tenant has an empty name: this key is the endpoint's own. */
export function endpointKey(endpoint: EndpointPlan): string {
  return `\u0000${endpoint.name}`;
}

/** An endpoint that was renamed or taken out leaves what it had not taken behind: it goes out if the name comes back in time. */
export async function sayWhatIsLeft(
  ledger: Ledger,
  endpoints: readonly EndpointPlan[],
  recoveredMs: number,
  logger: Logger,
): Promise<void> {
  const configured = new Set(endpoints.map(({ name }) => name));
  const left = new Map<string, { settledMs: number; tenants: number }>();
  for (const [key, settledMs] of ledger.settled()) {
    const { tenant, name } = partsOf(key);
    if (tenant === '' || configured.has(name) || settledMs >= recoveredMs) continue;
    const known = left.get(name);
    left.set(name, {
      settledMs: Math.min(known?.settledMs ?? settledMs, settledMs),
      tenants: (known?.tenants ?? 0) + 1,
    });
  }
  for (const [endpoint, { settledMs, tenants }] of left) {
    if (ledger.baseTimeBefore(settledMs) === undefined && !(await isWhole(ledger))) continue;
    logger.warn(
      { endpoint, tenants, settledMs, newestMs: recoveredMs },
      'boundaries of an endpoint that is not configured any more are unsent: they go out if its name comes back before they are pruned',
    );
  }
}

/** Whether the ledger still has its first entry. */
export async function isWhole(ledger: Ledger): Promise<boolean> {
  try {
    for await (const _ of ledger.read(Number.NEGATIVE_INFINITY)) break;
    return true;
  } catch (error) {
    if (error instanceof LedgerError && error.code === 'pruned') return false;
    throw error;
  }
}
