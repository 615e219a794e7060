// Span metrics of one span: its label set, and what it changes.

import type { SpanMetricsSettings, TenantSettings } from '../../../src/config/index.ts';
import { observe, type State } from './metrics.ts';
import { type Attributes, type Span, spanSize } from './request.ts';
import { CALLS, LATENCY, SIZE, spanMetricsTable } from './tables.ts';
import {
  type ByteText,
  byteText,
  compact,
  dimensionName,
  kindText,
  type Labels,
  type Pair,
  statusText,
  textOf,
} from './text.ts';
import { weightOf } from './weights.ts';

/** The resource's attribute, else the span's; undefined: neither has it. */
export function lookUp(resource: Attributes, span: Span, key: string): ByteText | undefined {
  return textOf(resource, key) ?? textOf(span.attributes, key);
}

export function jobOf(resource: Attributes): ByteText {
  const name = textOf(resource, 'service.name') ?? '';
  const namespace = textOf(resource, 'service.namespace') ?? '';
  return name === '' || namespace === '' ? name : `${namespace}/${name}`;
}

export function instanceOf(resource: Attributes): ByteText {
  return textOf(resource, 'service.instance.id') ?? '';
}

/** `job` and `instance`, as far as they are asked for and not empty. */
export function identity(settings: SpanMetricsSettings, resource: Attributes): Pair[] {
  const job: Pair = ['job', jobOf(resource)];
  const instance: Pair = ['instance', settings.enableInstanceLabel ? instanceOf(resource) : ''];
  return [job, instance].filter(([, value]) => value !== '');
}

export function spanLabels(settings: TenantSettings, resource: Attributes, span: Span): Labels {
  const { spanMetrics } = settings;
  const { intrinsicDimensions: on } = spanMetrics;
  const pairs: Pair[] = [];
  if (on.service) pairs.push(['service', textOf(resource, 'service.name') ?? '']);
  if (on.spanName) pairs.push(['span_name', byteText(span.name)]);
  if (on.spanKind) pairs.push(['span_kind', kindText(span.kind)]);
  if (on.statusCode) pairs.push(['status_code', statusText(span.status?.code ?? 0)]);
  if (on.statusMessage) pairs.push(['status_message', byteText(span.status?.message ?? '')]);
  for (const key of spanMetrics.dimensions) pairs.push([dimensionName(key), lookUp(resource, span, key) ?? '']);
  for (const { name, sourceLabels, join } of spanMetrics.dimensionMappings) {
    const found = sourceLabels.map((key) => lookUp(resource, span, key) ?? '').filter((value) => value !== '');
    pairs.push([dimensionName(name), found.join(byteText(join))]);
  }
  if (spanMetrics.enableTargetInfo) pairs.push(...identity(spanMetrics, resource));
  return compact(pairs, settings);
}

export function secondsOf({ startNs, endNs }: Span): number {
  return endNs > startNs ? Number(endNs - startNs) / 1e9 : 0;
}

/** In the order in which a limit sees them. */
export function spanChanges(
  settings: TenantSettings,
  resource: Attributes,
  span: Span,
  nowMs: number,
): [metric: string, change: (state: State) => void][] {
  const weight = weightOf(settings.spanMetrics, resource, span);
  const changes: Record<string, (state: State) => void> = {
    [CALLS]: (state) => {
      state.value += weight;
    },
    [LATENCY]: (state) => observe(state, { value: secondsOf(span), weight, trace: span.trace, nowMs }),
    [SIZE]: (state) => {
      state.value += spanSize(span);
    },
  };
  return spanMetricsTable('', settings)!.metrics.map(({ name }) => [name, changes[name]!]);
}
