// Settings of tenants in these tests: the defaults of the configuration, with changes.
import { loadConfig, resolveTenant, type TenantSettings } from '../../../src/config/index.ts';
import type { TenantSettingsTable } from '../../../src/shard/index.ts';

const DEFAULTS = resolveTenant(loadConfig({ text: '' }).config, 'anybody');

export function settingsWith(more: Partial<TenantSettings> = {}): TenantSettings {
  return { ...DEFAULTS, ...more };
}

export function everybody(more: Partial<TenantSettings> = {}): TenantSettingsTable {
  return { defaults: settingsWith(more), tenants: {} };
}

export function settingsIn(table: TenantSettingsTable, tenant: string): TenantSettings {
  return table.tenants[tenant] ?? table.defaults;
}
