// The fold of all tenants behind one interface: push, advance, collect. The shard drives it from the log by ticks; simulate drives
// it on a virtual clock. Tenants are made at their first record, and always visited in the order of their names.

import type { TenantSettings } from '../config/index.ts';
import type { Section } from '../registry/index.ts';
import { TenantFold } from './tenant-fold.ts';

export interface FoldOptions {
  settingsOf(tenant: string): TenantSettings;
  originMs: number;
}

export class Fold {
  private settingsOf: FoldOptions['settingsOf'];
  private readonly originMs: number;
  private readonly tenants = new Map<string, TenantFold>();
  private order: TenantFold[] = [];
  private advancedMs: number;

  constructor(options: FoldOptions) {
    this.settingsOf = options.settingsOf;
    this.originMs = options.originMs;
    this.advancedMs = options.originMs;
  }

  /** See TenantFold.push. @throws DecodeError: nothing of the request was counted. */
  push(tenant: string, nowMs: number, recordMs: number, bytes: Uint8Array, skipMetrics: boolean): void {
    this.tenant(tenant).push(nowMs, recordMs, bytes, skipMetrics);
  }

  /** Fires the timers due up to `tMs`, before a push or a collection at that instant. */
  advance(tMs: number): void {
    for (const tenant of this.order) tenant.advance(tMs);
    if (tMs > this.advancedMs) this.advancedMs = tMs;
  }

  /** Changes of every tenant up to boundary `tMs`. Section names begin with the tenant and a slash; `meta.tenant` has it too. */
  collect(tMs: number): Section[] {
    return this.order.flatMap((fold) => fold.collect(tMs).map((section) => named(fold.tenant, section)));
  }

  everything(tMs: number): Section[] {
    return this.order.flatMap((fold) => fold.everything(tMs).map((section) => named(fold.tenant, section)));
  }

  /** Applies a section of `collect` or `everything`, said at `tMs`. All of a boundary before the next. */
  load(section: Section, tMs: number): void {
    this.advancedMs = Math.max(this.advancedMs, tMs);
    const name = String(section.meta['tenant']);
    const known = this.tenants.get(name);
    // A tenant begins with the settings that its state was made with, whatever today's configuration says.
    const fold = known ?? this.make(name, section.meta['settings'] as TenantSettings);
    fold.load(section, tMs);
  }

  /** Changes every tenant over to its settings of now, and later ones too. True if that changed anything. */
  configure(settingsOf: (tenant: string) => TenantSettings): boolean {
    this.settingsOf = settingsOf;
    let changed = false;
    for (const fold of this.order) {
      const before = fold.settings;
      fold.want(settingsOf(fold.tenant));
      fold.reload();
      changed ||= fold.settings !== before;
    }
    return changed;
  }

  /** Loading is over. */
  loaded(): void {
    for (const tenant of this.order) tenant.loaded(this.advancedMs);
  }

  /** Is there anything that time alone would change (edges to expire, rows to go stale)? */
  get hasWork(): boolean {
    return this.order.some((tenant) => tenant.registry.liveRows > 0 || tenant.hasPending);
  }

  all(): readonly TenantFold[] {
    return this.order;
  }

  tenant(name: string): TenantFold {
    return this.tenants.get(name) ?? this.make(name, this.settingsOf(name));
  }

  private make(name: string, settings: TenantSettings): TenantFold {
    const fold = new TenantFold({ tenant: name, settings, originMs: this.originMs, startMs: this.advancedMs });
    this.tenants.set(name, fold);
    this.order = [...this.tenants.values()].sort((a, b) => (a.tenant < b.tenant ? -1 : 1));
    return fold;
  }
}

function named(tenant: string, section: Section): Section {
  return { ...section, name: `${tenant}/${section.name}`, meta: { ...section.meta, tenant } };
}
