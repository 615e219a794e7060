// Info metrics: what a resource says of itself, and on which host it is.

import type { HostInfoSettings, TenantSettings } from '../../../src/config/index.ts';
import { type Attributes, isRaw } from './request.ts';
import { identity } from './span-metrics.ts';
import { byteText, compact, INTRINSICS, type Labels, type Lengths, labelName, type Pair, valueText } from './text.ts';

const IDENTITY = ['service.name', 'service.namespace', 'service.instance.id'];

/** Undefined: there is nothing to tell, or nobody to tell it of. */
export function targetInfoLabels(settings: TenantSettings, resource: Attributes): Labels | undefined {
  const left = [...IDENTITY, ...settings.spanMetrics.targetInfoExcludedDimensions];
  const pairs = resource
    .filter(([key]) => key !== '' && !/^[0-9]/.test(key) && !left.includes(key))
    .map(([key, value]): Pair => [infoName(key), valueText(value)]);
  const whose = identity(settings.spanMetrics, resource);
  if (whose.length === 0 || compact(pairs, settings).size === 0) return undefined;
  return compact([...pairs, ...whose], settings);
}

function infoName(key: string): string {
  const name = labelName(key);
  return [...INTRINSICS, 'job', 'instance'].includes(name) ? `__${name}` : name;
}

/** Undefined: no identifier has a text. */
export function hostInfoLabels(settings: HostInfoSettings, resource: Attributes, lengths: Lengths): Labels | undefined {
  for (const source of settings.hostIdentifiers) {
    for (const [key, value] of resource) {
      const isString = typeof value === 'string' || isRaw(value);
      if (key !== source || !isString || valueText(value) === '') continue;
      const pairs: Pair[] = [
        ['grafana_host_id', valueText(value)],
        ['host_source', byteText(key)],
      ];
      return compact(pairs, lengths);
    }
  }
  return undefined;
}
