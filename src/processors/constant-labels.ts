// Labels that every series of a tenant carries, whatever the span says.

import type { TenantSettings } from '../config/index.ts';

export function constantLabels(tenant: string, settings: TenantSettings): Record<string, string> {
  const labels = { ...settings.externalLabels };
  if (settings.injectTenantIdAs !== '') labels[settings.injectTenantIdAs] = tenant;
  return labels;
}
