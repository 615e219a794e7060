export type {
  Config,
  EmbeddedLogSettings,
  GeneratorOverrides,
  GeneratorStatic,
  KafkaLogSettings,
  OverridesSettings,
  RelabelRule,
  RemoteWriteEndpoint,
  TenantBlock,
  TlsSettings,
  TlsVersion,
} from './config.ts';
export { SINGLE_TENANT } from './config.ts';
export { describeEffective } from './describe.ts';
export { parseBytes, parseDuration } from './duration.ts';
export { expandEnv } from './expand-env.ts';
export { dimensionLabelName, INTRINSIC_LABELS, mappingCollisions, sanitizeLabelName } from './label-name.ts';
export { type Loaded, type LoadOptions, loadConfig, reloadTenants } from './load.ts';
export { KIND_NAMES, type PolicyKey, parsePolicyKey, STATUS_NAMES } from './policy-key.ts';
export { ConfigError, type Problem, problemLine } from './problem.ts';
export { resolveReference } from './reference.ts';
export { compileRegex } from './regex.ts';
export { resolveTenant } from './resolve.ts';
export type * from './tenant.ts';
export { PROCESSOR_NAMES } from './tenant.ts';
