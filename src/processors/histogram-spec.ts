// A histogram in the form that the tenant asks for: classic buckets, a native one, or both from the same observations.

import type { TenantSettings } from '../config/index.ts';
import { type NativeLayout, type PartSpec, schemaOfFactor } from '../registry/index.ts';

/** @param bounds of the classic buckets */
export function histogramSpec(settings: TenantSettings, metric: string, bounds: number[]): PartSpec {
  if (settings.histogramMode === 'classic') return { kind: 'histogram', metric, bounds };
  const native: NativeLayout = {
    schema: schemaOfFactor(settings.nativeBucketFactor),
    maxBuckets: settings.nativeMaxBuckets,
    minResetMs: settings.nativeMinResetMs,
  };
  return settings.histogramMode === 'native'
    ? { kind: 'native', metric, native }
    : { kind: 'histogram', metric, bounds, native };
}
