export type {
  Config,
  EmbeddedLogSettings,
  GeneratorOverrides,
  GeneratorStatic,
  KafkaLogSettings,
  OverridesSettings,
  ProxySettings,
  RemoteWriteEndpoint,
  SecretSource,
  TenantBlock,
  TlsSettings,
  TlsVersion,
} from './config.ts';
export { SINGLE_TENANT } from './config.ts';
export { describeEffective } from './describe.ts';
export { parseBytes, parseDuration } from './duration.ts';
export { expandEnv } from './expand-env.ts';
export { type ExplainedSetting, explainTenant, type SettingSource, type TenantExplanation } from './explain.ts';
export {
  dimensionLabelName,
  INTRINSIC_LABELS,
  mappingCollisions,
  otelLabelName,
  sanitizeLabelName,
} from './label-name.ts';
export { type Loaded, type LoadOptions, loadConfig, reloadTenants, type TenantCheck } from './load.ts';
export { OverridesWatch, type OverridesWatchOptions } from './overrides-watch.ts';
export { KIND_NAMES, type PolicyKey, parsePolicyKey, STATUS_NAMES } from './policy-key.ts';
export { ConfigError, type Problem, problemLine } from './problem.ts';
export { resolveReference } from './reference.ts';
export { compileRegex, compileWholeRegex, type Regex, type RegexMatch } from './regex.ts';
export { resolveTenant, resolveTenants } from './resolve.ts';
export { nearestTempoFlag, type TempoFlag, tempoFlag } from './tempo-flags.ts';
export type * from './tenant.ts';
export { PROCESSOR_NAMES } from './tenant.ts';
