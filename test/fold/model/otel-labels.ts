// Labels of the collector's span metrics: attributes first, then what becomes of those whose labels have one name.

import type { OtelDimension, TenantSettings } from '../../../src/config/index.ts';
import { otelName, otelText } from './otel-names.ts';
import { type Attributes, first, type Span } from './request.ts';
import { type ByteText, byteText, compact, cut, kindText, type Labels, type Pair, statusText } from './text.ts';
import { weightOfState } from './weights.ts';

const OVERFLOW = 'otel_metric_overflow';

/** Where a value may come from, nearest first. */
export type Places = Attributes[];

/** The value in the nearest place that has the key; undefined: none has it. */
export function nearest(places: Places, key: string): ByteText | undefined {
  const found = places.map((attributes) => first(attributes, key)).find((value) => value !== undefined);
  return found === undefined ? undefined : otelText(found);
}

/** Built-in attributes that are asked for; undefined: the span has none. */
function builtIn(
  settings: TenantSettings,
  resource: Attributes,
  span: Span,
): [key: string, value: ByteText | undefined][] {
  const { intrinsicDimensions: on } = settings.spanMetrics;
  const { excludeDimensions, samplingMethod } = settings.otel.spanMetrics;
  const code = span.status?.code ?? 0;
  const status: [string, string | undefined] = settings.otel.otelStatusCode
    ? ['otel.status_code', ['OK', 'ERROR'][code - 1]]
    : ['status.code', statusText(code)];
  const all: [isOn: boolean, name: string, key: string, value: ByteText | undefined][] = [
    [on.service, 'service.name', 'service.name', nearest([resource], 'service.name')],
    [on.spanName, 'span.name', 'span.name', byteText(span.name)],
    [on.spanKind, 'span.kind', 'span.kind', kindText(span.kind)],
    [on.statusCode, 'status.code', ...status],
    [on.statusMessage, 'status.message', 'status.message', byteText(span.status?.message ?? '')],
    [samplingMethod, 'sampling.method', 'sampling.method', weightOfState(span.state) ? 'extrapolated' : 'counted'],
  ];
  return all.flatMap(([isOn, name, key, value]) => (isOn && !excludeDimensions.includes(name) ? [[key, value]] : []));
}

export function otelDimensions({ otel, spanMetrics }: TenantSettings, own: readonly OtelDimension[]): OtelDimension[] {
  const { dimensions } = otel.spanMetrics;
  const others = spanMetrics.dimensions.filter((key) => dimensions.every(({ name }) => name !== key));
  return [...dimensions, ...others.map((name) => ({ name, default: null })), ...own];
}

export function namespaceAndInstance({ otel, spanMetrics }: TenantSettings): {
  hasNamespace: boolean;
  hasInstance: boolean;
} {
  const { keyAttributes } = otel.spanMetrics;
  const isKey = (key: string) => keyAttributes.length === 0 || keyAttributes.includes(key);
  return {
    hasNamespace: isKey('service.namespace'),
    hasInstance: otel.resourceLabels && spanMetrics.enableInstanceLabel && isKey('service.instance.id'),
  };
}

/** `job` and `instance`, as far as they are asked for and not empty. */
export function otelIdentity(settings: TenantSettings, resource: Attributes): Pair[] {
  const { hasNamespace, hasInstance } = namespaceAndInstance(settings);
  const name = nearest([resource], 'service.name') ?? '';
  const namespace = hasNamespace ? (nearest([resource], 'service.namespace') ?? '') : '';
  const job = name === '' || namespace === '' ? name : `${namespace}/${name}`;
  const pairs: Pair[] = [
    ['job', settings.otel.resourceLabels ? job : ''],
    ['instance', hasInstance ? (nearest([resource], 'service.instance.id') ?? '') : ''],
  ];
  return pairs.filter(([, value]) => value !== '');
}

/** @param own dimensions of the one metric, @param places for dimensions */
export function otelLabels(
  settings: TenantSettings,
  own: readonly OtelDimension[],
  resource: Attributes,
  span: Span,
  places: Places,
): Labels {
  const attributes = new Map<string, ByteText | undefined>(builtIn(settings, resource, span));
  for (const { name, default: value } of otelDimensions(settings, own))
    attributes.set(name, nearest(places, name) ?? (value === null ? undefined : byteText(value)));
  for (const { name, sourceLabels, join } of settings.spanMetrics.dimensionMappings) {
    const found = sourceLabels
      .map((key) => nearest([span.attributes, resource], key) ?? '')
      .filter((value) => value !== '');
    attributes.set(name, found.join(byteText(join)));
  }
  return compact([...joined(settings, attributes), ...otelIdentity(settings, resource)], settings);
}

/** Attributes whose labels have one name are joined, in the order of their own names. */
export function joined(
  { maxLabelNameLength }: TenantSettings,
  attributes: Iterable<[string, ByteText | undefined]>,
): Pair[] {
  const pairs = new Map<string, ByteText>();
  for (const [key, value] of [...attributes].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))) {
    if (value === undefined) continue;
    const label = cut(otelName(key), maxLabelNameLength);
    const before = pairs.get(label);
    pairs.set(label, before === undefined ? value : `${before};${value}`);
  }
  return [...pairs];
}

/** Of the label set that takes those of a group that are over its limit. */
export function overflowLabels(settings: TenantSettings, group: readonly Pair[]): Labels {
  return compact([...group, [OVERFLOW, 'true']], settings);
}

export function isOverflow(labels: Labels): boolean {
  return labels.has(OVERFLOW);
}

export function otelLabelNames(settings: TenantSettings, own: readonly OtelDimension[]): string[] {
  const none: Span = {
    name: '',
    kind: 0,
    trace: '',
    id: '',
    parent: '',
    startNs: 0n,
    endNs: 0n,
    state: '',
    attributes: [],
  };
  const keys = builtIn(settings, [], none).map(([key]) => key);
  const dimensions = otelDimensions(settings, own).map(({ name }) => name);
  const mappings = settings.spanMetrics.dimensionMappings.map(({ name }) => name);
  const { hasInstance } = namespaceAndInstance(settings);
  return [
    ...[...keys, ...dimensions, ...mappings].map(otelName),
    ...(settings.otel.resourceLabels ? ['job'] : []),
    ...(hasInstance ? ['instance'] : []),
    ...(settings.otel.spanMetrics.cardinalityLimit > 0 ? [OVERFLOW] : []),
  ];
}
