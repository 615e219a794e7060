// Where a file means something else here than it does in Tempo: what is told of it at the start. It changes nothing.

import type { Config, TenantBlock } from './config.ts';
import { isTempoFile } from './from-tempo.ts';
import type { ParsedText } from './parse.ts';
import { first, type Path } from './problem.ts';
import { resolveTenant } from './resolve.ts';
import { summaryOf } from './summary.ts';
import type { YamlSource } from './yaml-source.ts';

export type Tenants = ParsedText<{ overrides: Record<string, TenantBlock> }>;

/** Of the main file and, where there is one, of the tenants' file. */
export function sayWhatDiffers(config: Config, main: ParsedText<unknown>, tenants: Tenants | undefined): void {
  const endpoints = config.generator.storage.remoteWrite;
  endpoints.forEach(({ sendExemplars }, index) => {
    if (sendExemplars) return;
    main.source.note(
      ['metrics_generator', 'storage', 'remote_write', index, 'send_exemplars'],
      'no exemplars are sent (Tempo sends them whatever is written)',
    );
  });
  const written = (main.written['overrides'] as Record<string, unknown> | undefined)?.['defaults'];
  if (written !== undefined) sayLocalBlocks(written, main.source, ['overrides', 'defaults']);
  const isSilent = config.overrides.defaults.metricsGenerator.processors === undefined;
  if (isSilent && (written !== undefined || isTempoFile(main.source))) {
    const processors = resolveTenant(withoutTenants(config), '').processors.join(' and ');
    main.source.note(['overrides', 'defaults'], `names no processors: ${processors} run (in Tempo nothing would)`);
  }
  if (tenants !== undefined) sayOfTenants(config, tenants);
  if (isTempoFile(main.source)) main.source.headline(`read as a file of Tempo's: ${summaryOf(config)}`);
}

export function sayOfTenants(config: Config, tenants: Tenants): void {
  const written = (config.written['overrides'] as Record<string, unknown> | undefined)?.['defaults'];
  const supplied = leaves(written ?? {}, []);
  const blocks = (tenants.written['overrides'] ?? {}) as Record<string, unknown>;
  for (const [tenant, block] of Object.entries(blocks)) {
    sayLocalBlocks(block, tenants.source, ['overrides', tenant]);
    const own = new Set(leaves(block, []).map((path) => path.join('.')));
    const kept = supplied.map((path) => path.join('.')).filter((path) => !own.has(path));
    if (config.overrides.merge === 'deep' && kept.length > 0) {
      const message = `takes ${first(12, kept)} from overrides.defaults (in Tempo it would not: overrides.merge replace is Tempo's way)`;
      tenants.source.note(['overrides', tenant], message);
    }
    const hasProcessors = [...own, ...(config.overrides.merge === 'deep' ? kept : [])].includes(
      'metrics_generator.processors',
    );
    if (!hasProcessors) {
      const { processors } = resolveTenant(config, tenant);
      const what =
        processors.length === 0 ? 'nothing runs' : `${processors.join(' and ')} run (in Tempo nothing would)`;
      tenants.source.note(['overrides', tenant], `names no processors: ${what}`);
    }
  }
}

function sayLocalBlocks(block: unknown, source: YamlSource, path: Path): void {
  const { processors } = ((block as Record<string, unknown>)['metrics_generator'] ?? {}) as { processors?: unknown };
  if (!Array.isArray(processors) || !processors.includes('local-blocks')) return;
  const at = [...path, 'metrics_generator', 'processors', processors.indexOf('local-blocks')];
  source.note(at, 'local-blocks is ignored: metrics and traces are kept apart');
}

function leaves(value: unknown, path: readonly string[]): string[][] {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return [[...path]];
  return Object.entries(value).flatMap(([key, held]) => leaves(held, [...path, key]));
}

/** As for a tenant without a block. */
export function withoutTenants(config: Config): Config {
  return { ...config, overrides: { ...config.overrides, tenants: {} } };
}
