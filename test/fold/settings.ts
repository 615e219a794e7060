// A tenant's settings in tests of the fold: the defaults of an empty file, with changes.

import {
  loadConfig,
  resolveTenant,
  type ServiceGraphsSettings,
  type SpanMetricsSettings,
  type TenantSettings,
} from '../../src/config/index.ts';

const DEFAULTS = resolveTenant(loadConfig({ text: '' }).config, 'anybody');

export interface Changes extends Omit<Partial<TenantSettings>, 'spanMetrics' | 'serviceGraphs'> {
  spanMetrics?: Partial<SpanMetricsSettings>;
  serviceGraphs?: Partial<ServiceGraphsSettings>;
}

export function settingsWith(changes: Changes = {}): TenantSettings {
  return {
    ...DEFAULTS,
    ...changes,
    spanMetrics: { ...DEFAULTS.spanMetrics, ...changes.spanMetrics },
    serviceGraphs: { ...DEFAULTS.serviceGraphs, ...changes.serviceGraphs },
  };
}
