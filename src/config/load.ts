// From a file to `Config`, and again to the tenants' blocks when their file changes. Everything that is wrong is found in one go.

import { readFileSync } from 'node:fs';
import { buildConfig } from './build.ts';
import type { Config, TenantBlock } from './config.ts';
import { expandEnv, unexpandedVariable } from './expand-env.ts';
import { mappingCollisions } from './label-name.ts';
import { namingProblems } from './naming.ts';
import { type ParsedText, parseText } from './parse.ts';
import { Findings, type Path, pathText } from './problem.ts';
import { resolveTenant } from './resolve.ts';
import { configFile } from './schema/file.ts';
import { tenantFile } from './schema/overrides.ts';
import type { TenantSettings } from './tenant.ts';
import type { YamlSource } from './yaml-source.ts';

export interface LoadOptions {
  path?: string;
  /** Instead of what `path` holds. */
  text?: string;
  /** Name in messages; `path` by default. */
  fileName?: string;
  expandEnv?: boolean;
  env?: Record<string, string | undefined>;
  readFile?: (path: string) => string;
  /** Values from the command line, dotted path to text; they win over the file. */
  set?: Readonly<Record<string, string>>;
}

export interface Loaded {
  config: Config;
  /** One line each, to be said at start. */
  notes: string[];
}

type FileOptions = Pick<LoadOptions, 'expandEnv' | 'env' | 'readFile'>;

/** What is wrong with a tenant's settings though its block is valid; `key` is the path in the block. */
export type TenantCheck = (settings: TenantSettings, tenant: string) => { key: Path; message: string }[];

/** @throws ConfigError with every problem of the file and of the per-tenant file. */
export function loadConfig(options: LoadOptions = {}): Loaded {
  const findings = new Findings();
  const file = options.fileName ?? options.path ?? 'configuration';
  const raw = options.text ?? (options.path === undefined ? '' : read(options.path, options, file, findings));
  const text = expanded(raw, file, options, findings);
  const main = parseText(text, file, configFile, findings, options.set === undefined ? {} : { set: options.set });
  const tenantPath = (main.written['overrides'] as Record<string, unknown> | undefined)?.['per_tenant_override_config'];
  const place = ['overrides', 'per_tenant_override_config'];
  const tenants =
    typeof tenantPath === 'string' && tenantPath !== ''
      ? parseTenants(tenantPath, options, findings, main.source, place)
      : undefined;
  if (main.value === undefined) findings.throwIfAny();
  const config = buildConfig(main.value!, main.written, main.source);
  config.overrides.tenants = blocksOf(tenants);
  if (options.expandEnv) config.overrides.expandWith = options.env ?? process.env;
  findings.throwIfAny();
  checkTenants(config, main.source, tenants?.source);
  findings.throwIfAny();
  sayWhatDiffers(config, main, tenants);
  return { config, notes: findings.allNotes() };
}

/**
 * The configuration with the per-tenant file read again.
 * @throws ConfigError; the caller then keeps what it has.
 */
export function reloadTenants(config: Config, options: FileOptions & { check?: TenantCheck } = {}): Loaded {
  const path = config.overrides.perTenantFile;
  if (path === undefined) return { config, notes: [] };
  const findings = new Findings();
  const tenants = parseTenants(path, options, findings, undefined, []);
  findings.throwIfAny();
  const next: Config = { ...config, overrides: { ...config.overrides, tenants: blocksOf(tenants) } };
  checkTenants(next, undefined, tenants?.source);
  if (options.check && tenants) checkEach(next, tenants, options.check);
  findings.throwIfAny();
  if (tenants) sayOfTenants(next, tenants);
  return { config: next, notes: findings.allNotes() };
}

function checkEach(config: Config, { source }: Tenants, check: TenantCheck): void {
  for (const tenant of Object.keys(config.overrides.tenants)) {
    for (const { key, message } of check(resolveTenant(config, tenant), tenant)) {
      const path = ['overrides', tenant, ...key];
      source.problem(source.has(path) ? path : ['overrides', tenant], message);
    }
  }
}

type Tenants = ParsedText<{ overrides: Record<string, TenantBlock> }>;

function blocksOf(tenants: Tenants | undefined): Record<string, TenantBlock> {
  return { ...tenants?.value?.overrides };
}

function read(path: string, options: FileOptions, file: string, findings: Findings): string {
  try {
    return (options.readFile ?? ((name) => readFileSync(name, 'utf8')))(path);
  } catch (error) {
    findings.problems.push({
      file,
      line: 0,
      column: 0,
      path: '',
      message: `can't be read: ${(error as Error).message}`,
    });
    return '';
  }
}

function expanded(text: string, file: string, options: FileOptions, findings: Findings): string {
  const at = (offset: number): { file: string; line: number; column: number } => {
    const before = text.slice(0, offset).split('\n');
    return { file, line: before.length, column: before.at(-1)!.length + 1 };
  };
  if (options.expandEnv) {
    const result = expandEnv(text, options.env ?? process.env);
    for (const { offset, message } of result.problems) findings.problems.push({ ...at(offset), path: '', message });
    return result.text;
  }
  const left = unexpandedVariable(text);
  if (left !== undefined) {
    const { line, column } = at(left.offset);
    findings.notes.push(
      `${file}:${line}:${column}: \${${left.name}} is taken as it stands: did you mean -config.expand-env=true?`,
    );
  }
  return text;
}

function parseTenants(
  path: string,
  options: FileOptions,
  findings: Findings,
  main: YamlSource | undefined,
  place: Path,
): Tenants | undefined {
  let text: string;
  try {
    text = (options.readFile ?? ((name) => readFileSync(name, 'utf8')))(path);
  } catch (error) {
    const message = `${path} can't be read: ${(error as Error).message}`;
    if (main === undefined) findings.problems.push({ file: path, line: 0, column: 0, path: '', message });
    else main.problem(place, message);
    return undefined;
  }
  return parseText(expanded(text, path, options, findings), path, tenantFile, findings) as Tenants;
}

const SPAN_METRICS: Path = ['metrics_generator', 'processor', 'span_metrics'];

/** What only shows when blocks are put together: labels of mappings against dimensions. */
function checkTenants(config: Config, main: YamlSource | undefined, tenants: YamlSource | undefined): void {
  const said = new Set<string>();
  for (const tenant of [undefined, ...Object.keys(config.overrides.tenants)]) {
    const resolved = resolveTenant(tenant === undefined ? withoutTenants(config) : config, tenant ?? '');
    const { spanMetrics } = resolved;
    for (const { key, message } of namingProblems(resolved)) {
      const inTenant: Path = ['overrides', tenant ?? '', 'metrics_generator', key];
      const isOwn = tenants?.has(inTenant) === true;
      if (!isOwn && said.has(key)) continue;
      if (!isOwn) said.add(key);
      const path = isOwn ? inTenant : ['overrides', 'defaults', 'metrics_generator', key];
      (isOwn ? tenants : (main ?? tenants))?.problem(path, message);
    }
    for (const { index, message } of mappingCollisions(spanMetrics.dimensions, spanMetrics.dimensionMappings)) {
      const own: Path = ['overrides', tenant ?? '', ...SPAN_METRICS];
      const defaults: Path = ['overrides', 'defaults', ...SPAN_METRICS];
      // Where the clash was brought about: the most specific block that sets one of the two sides.
      const candidates: [source: YamlSource | undefined, path: Path][] = [
        [tenants, [...own, 'dimension_mappings', index]],
        [tenants, [...own, 'dimensions']],
        [main, [...defaults, 'dimension_mappings', index]],
        [main, [...defaults, 'dimensions']],
        [main, [...SPAN_METRICS, 'dimension_mappings', index]],
      ];
      const [source, path] = candidates.find(([one, at]) => one?.has(at)) ?? [tenants ?? main, own];
      const line = `${pathText(path)} ${message}`;
      if (source === undefined || (source === main && said.has(line))) continue;
      said.add(line);
      source.problem(path, message);
    }
  }
}

function withoutTenants(config: Config): Config {
  return { ...config, overrides: { ...config.overrides, tenants: {} } };
}

/** Where a pasted file means something else here than in Tempo, it is said. */
function sayWhatDiffers(config: Config, main: ParsedText<unknown>, tenants: Tenants | undefined): void {
  const endpoints = config.generator.storage.remoteWrite;
  endpoints.forEach(({ sendExemplars }, index) => {
    if (sendExemplars) return;
    main.source.note(
      ['metrics_generator', 'storage', 'remote_write', index, 'send_exemplars'],
      'no exemplars are sent (Tempo sends them whatever is written)',
    );
  });
  const written = (main.written['overrides'] as Record<string, unknown> | undefined)?.['defaults'];
  if (written !== undefined) {
    sayLocalBlocks(written, main.source, ['overrides', 'defaults']);
    if (config.overrides.defaults.metricsGenerator.processors === undefined) {
      const processors = resolveTenant(withoutTenants(config), '').processors.join(' and ');
      main.source.note(['overrides', 'defaults'], `names no processors: ${processors} run (in Tempo nothing would)`);
    }
  }
  if (tenants !== undefined) sayOfTenants(config, tenants);
}

function sayOfTenants(config: Config, tenants: Tenants): void {
  const written = (config.written['overrides'] as Record<string, unknown> | undefined)?.['defaults'];
  const supplied = leaves(written ?? {}, []);
  const blocks = (tenants.written['overrides'] ?? {}) as Record<string, unknown>;
  for (const [tenant, block] of Object.entries(blocks)) {
    sayLocalBlocks(block, tenants.source, ['overrides', tenant]);
    const own = new Set(leaves(block, []).map((path) => path.join('.')));
    const kept = supplied.map((path) => path.join('.')).filter((path) => !own.has(path));
    if (config.overrides.merge === 'deep' && kept.length > 0) {
      const message = `takes ${kept.join(', ')} from overrides.defaults (Tempo would not: overrides.merge: replace)`;
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
