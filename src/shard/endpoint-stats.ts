// What the senders of one endpoint come to: counts summed, and of what can't be summed the worst.

import { addCounts, noCounts } from '../telemetry/index.ts';
import type { EndpointPlan, EndpointStats } from './protocol.ts';
import type { BoundaryWriter } from './renewable-writer.ts';
import type { TenantSender } from './tenant-sender.ts';

export const SINGLE_TENANT = 'single-tenant';

export interface SendingTenant {
  endpoint: EndpointPlan;
  tenant: string;
  sender: TenantSender;
  writer: BoundaryWriter;
}

/** @param held of one endpoint, one at least */
export function statsOf(held: readonly SendingTenant[]): EndpointStats {
  const { name, url } = held[0]!.endpoint;
  const counters = noCounts();
  let settledMs: number | undefined;
  let retries = 0;
  for (const { sender, writer } of held) {
    const { standsAtMs } = sender;
    if (standsAtMs !== undefined) settledMs = Math.min(settledMs ?? standsAtMs, standsAtMs);
    addCounts(counters, sender.counters);
    retries += writer.stats().retries;
  }
  return { name, url, settledMs, ...counters, retries, lastError: lastErrorOf(held) };
}

/** One tenant's, by its name; undefined where none has trouble at present. */
function lastErrorOf(held: readonly SendingTenant[]): string | undefined {
  const failing = held.flatMap(({ tenant, sender, writer }) => {
    const { attempts, lastError } = writer.stats();
    // A writer that can't be made has an error though it never tried.
    const error =
      sender.health.lastError ?? (attempts === 0 && lastError ? sender.health.redact(lastError) : undefined);
    return error === undefined ? [] : [tenant === SINGLE_TENANT ? error : `tenant ${tenant}: ${error}`];
  });
  if (failing.length < 2) return failing[0];
  return `${failing[0]} (${failing.length} of ${held.length} tenants have trouble)`;
}
