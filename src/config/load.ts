// From a file to `Config`, and again to the tenants' blocks when their file changes. Everything that is wrong is found in one go.

import { readFileSync } from 'node:fs';
import { buildConfig } from './build.ts';
import type { Config, TenantBlock } from './config.ts';
import { sayOfTenants, sayWhatDiffers, type Tenants, withoutTenants } from './differences.ts';
import { expandEnv, unexpandedVariable } from './expand-env.ts';
import { mappingCollisions } from './label-name.ts';
import { namingProblems } from './naming.ts';
import { parseText } from './parse.ts';
import { Findings, type IgnoredKey, type Path, pathText } from './problem.ts';
import { resolveTenant } from './resolve.ts';
import { configFile } from './schema/file.ts';
import { tenantFile } from './schema/overrides.ts';
import type { TenantSettings } from './tenant.ts';
import type { SourceText, YamlSource } from './yaml-source.ts';

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
  /** Those of the notes that may well tell of a mistake. */
  warnings: string[];
  /** Every key that was accepted and does nothing; the notes name them. */
  ignored: readonly IgnoredKey[];
}

type FileOptions = Pick<LoadOptions, 'expandEnv' | 'env' | 'readFile'>;

/** What is wrong with a tenant's settings though its block is valid; `key` is the path in the block. */
export type TenantCheck = (settings: TenantSettings, tenant: string) => { key: Path; message: string }[];

/** @throws ConfigError with every problem of the file and of the per-tenant file. */
export function loadConfig(options: LoadOptions = {}): Loaded {
  const findings = new Findings();
  const file = options.fileName ?? options.path ?? 'configuration';
  const raw = options.text ?? (options.path === undefined ? '' : read(options.path, options, file, findings));
  const { text, original } = expanded(raw, file, options, findings);
  const main = parseText(text, file, configFile, findings, {
    ...(options.set && { set: options.set }),
    ...(original && { original }),
  });
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
  return loaded(config, findings);
}

/**
 * The configuration with the per-tenant file read again.
 * @throws ConfigError; the caller then keeps what it has.
 */
export function reloadTenants(config: Config, options: FileOptions & { check?: TenantCheck } = {}): Loaded {
  const path = config.overrides.perTenantFile;
  if (path === undefined) return { config, notes: [], warnings: [], ignored: [] };
  const findings = new Findings();
  const tenants = parseTenants(path, options, findings, undefined, []);
  findings.throwIfAny();
  const next: Config = { ...config, overrides: { ...config.overrides, tenants: blocksOf(tenants) } };
  checkTenants(next, undefined, tenants?.source);
  if (options.check && tenants) checkEach(next, tenants, options.check);
  findings.throwIfAny();
  if (tenants) sayOfTenants(next, tenants);
  return loaded(next, findings);
}

function loaded(config: Config, findings: Findings): Loaded {
  return { config, notes: findings.allNotes(), warnings: findings.warnings(), ignored: findings.ignored };
}

function checkEach(config: Config, { source }: Tenants, check: TenantCheck): void {
  for (const tenant of Object.keys(config.overrides.tenants)) {
    for (const { key, message } of check(resolveTenant(config, tenant), tenant)) {
      const path = ['overrides', tenant, ...key];
      source.problem(source.has(path) ? path : ['overrides', tenant], message);
    }
  }
}

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

/** A text that was read, with the environment in it where that is asked for, and the way back to the places of the file. */
interface ReadText {
  text: string;
  original?: SourceText;
}

function expanded(text: string, file: string, options: FileOptions, findings: Findings): ReadText {
  const at = (offset: number): { file: string; line: number; column: number } => {
    const before = text.slice(0, offset).split('\n');
    return { file, line: before.length, column: before.at(-1)!.length + 1 };
  };
  const warn = (offset: number, message: string) =>
    findings.notes.push({ ...at(offset), path: '', message, isWarning: true });
  if (options.expandEnv) {
    const result = expandEnv(text, options.env ?? process.env);
    for (const { offset, message } of result.problems) findings.problems.push({ ...at(offset), path: '', message });
    for (const { offset, name } of result.unset)
      warn(
        offset,
        `\${${name}} is not set in the environment: it is taken as empty (a default is written \${${name}:-…})`,
      );
    return { text: result.text, original: { text, offsetOf: result.originalOffset } };
  }
  const left = unexpandedVariable(text);
  if (left !== undefined)
    warn(left.offset, `\${${left.name}} is taken as it stands: did you mean -config.expand-env=true?`);
  return { text };
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
  const { text: read, original } = expanded(text, path, options, findings);
  return parseText(read, path, tenantFile, findings, original && { original }) as Tenants;
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
