// traces_target_info: a resource's attributes as an info metric, joined to its span metrics by job and instance. Said for each
// ResourceSpans with an accepted span.

import { isValidUtf8, utf8Text } from '../bytes/index.ts';
import { otelLabelName, sanitizeLabelName } from '../config/index.ts';
import { type Resource, valueText } from '../otlp/index.ts';
import {
  INVALID_LABELS,
  makeSchema,
  type RowTable,
  type SecondNames,
  type TableSchema,
  withSecondNames,
} from '../registry/index.ts';
import { constantLabels } from './constant-labels.ts';
import { compactLabels, encodeLabelSet, type LabelPair } from './label-set.ts';
import { identityOf } from './otel-labels.ts';
import { COLLECTOR_INSTANCE, otelConstantLabels, otelInstanceLabel } from './otel-names.ts';
import { otelValueText } from './otel-value-text.ts';
import type { ProcessorContext } from './processor.ts';

const IDENTITY = new Set(['service.name', 'service.namespace', 'service.instance.id']);
const RESERVED = new Set(['service', 'span_name', 'span_kind', 'status_code', 'status_message', 'job', 'instance']);
const UNKNOWN = -2;
/** The resource has no job or instance, or nothing else to tell. */
const NOTHING = -1;
const encoder = new TextEncoder();
const EMPTY = new Uint8Array(0);

/** How the metric and its labels are named. */
export interface InfoStyle {
  metric: string;
  constantLabels: Record<string, string>;
  instanceLabel?: string;
  second?: SecondNames;
  /** Attribute → label; undefined: it is left out. */
  labelName(key: string): string | undefined;
  /** Are values whose names become the same label joined by `;`? Else the last counts. */
  joins: boolean;
  /** Is the namespace part of `job`? */
  namespace: boolean;
  instance: boolean;
  valueText(buf: Uint8Array, start: number, end: number): Uint8Array;
}

export function tempoInfo({ tenant, settings }: ProcessorContext): InfoStyle {
  const labels = constantLabels(tenant, settings);
  return {
    metric: 'traces_target_info',
    constantLabels: labels,
    ...(settings.naming === 'both' && {
      second: {
        parts: [{ metric: 'target_info', factor: 1 }],
        labels: ['*'],
        constantLabels: labels,
        instanceLabel: COLLECTOR_INSTANCE,
      },
    }),
    labelName(key) {
      if (/^[0-9]/.test(key)) return undefined;
      const name = sanitizeLabelName(key);
      return RESERVED.has(name) ? `__${name}` : name;
    },
    joins: false,
    namespace: true,
    instance: settings.spanMetrics.enableInstanceLabel,
    valueText,
  };
}

export function otelInfo({ tenant, settings }: ProcessorContext): InfoStyle {
  return {
    metric: 'target_info',
    constantLabels: otelConstantLabels(tenant, settings),
    instanceLabel: otelInstanceLabel(settings.otel),
    labelName: otelLabelName,
    joins: true,
    ...identityOf(settings),
    valueText: otelValueText,
  };
}

export class TargetInfo {
  private readonly context: ProcessorContext;
  private readonly table: RowTable;
  private readonly style: InfoStyle;
  private readonly excluded: ReadonlySet<string>;
  /** Resource → symbol of its label set. */
  private sets = new Int32Array(0);
  private resourceGeneration = -1;
  private registryGeneration = -1;

  constructor(context: ProcessorContext, style: InfoStyle) {
    this.context = context;
    this.style = style;
    const { settings, registry } = context;
    this.excluded = new Set(settings.spanMetrics.targetInfoExcludedDimensions);
    const { metric, constantLabels: labels, instanceLabel, second } = style;
    const schema: TableSchema = {
      ...makeSchema('target-info', ['*'], [{ kind: 'gauge', metric }], labels, settings.traceIdLabelName),
      freeLabels: true,
      ...(instanceLabel !== undefined && { instanceLabel }),
    };
    this.table = registry.table(second ? withSecondNames(schema, second) : schema);
  }

  /** False where the labels are not valid UTF-8: that was counted, and is to be asked again for the next span. */
  say(resource: number, nowMs: number): boolean {
    const set = this.setOf(resource);
    if (set === NOTHING) return true;
    const { table } = this;
    table.key[0] = set;
    let row = table.find();
    if (row < 0) row = table.admit(nowMs, table.fullMask);
    if (row === INVALID_LABELS) {
      this.context.counters.discard('invalid_utf8', 'span-metrics');
      return false;
    }
    table.touch(row, nowMs);
    return true;
  }

  private setOf(resource: number): number {
    const { resources, registry } = this.context;
    const isCurrent =
      resources.generation === this.resourceGeneration && registry.generation === this.registryGeneration;
    if (!isCurrent || resource >= this.sets.length) {
      const wider = new Int32Array(Math.max(64, resources.count * 2)).fill(UNKNOWN);
      if (isCurrent) wider.set(this.sets);
      this.resourceGeneration = resources.generation;
      this.registryGeneration = registry.generation;
      this.sets = wider;
    }
    if (this.sets[resource] === UNKNOWN) this.sets[resource] = this.labelSet(resources.get(resource));
    return this.sets[resource]!;
  }

  private labelSet(resource: Resource): number {
    const { settings, registry } = this.context;
    const { style } = this;
    const found: LabelPair[] = [];
    const attributes = resource.attributes.map((attribute) => ({ attribute, key: keyText(resource.key(attribute)) }));
    if (style.joins) attributes.sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
    for (const { attribute, key } of attributes) {
      if (key === '' || IDENTITY.has(key) || this.excluded.has(key)) continue;
      const name = style.labelName(key);
      const { valueStart, valueEnd } = attribute;
      if (name !== undefined)
        found.push([name, valueStart < 0 ? EMPTY : style.valueText(resource.bytes, valueStart, valueEnd)]);
    }
    const pairs = style.joins ? joined(found) : found;
    const others = compactLabels(pairs, settings.maxLabelNameLength, settings.maxLabelValueLength).length;
    const text = (key: string) => resource.text(encoder.encode(key), style.valueText) ?? EMPTY;
    const name = text('service.name');
    const namespace = style.namespace ? text('service.namespace') : EMPTY;
    const instance = style.instance ? text('service.instance.id') : EMPTY;
    const job =
      name.length === 0 ? EMPTY : namespace.length === 0 ? name : Buffer.concat([namespace, encoder.encode('/'), name]);
    if (others === 0 || (job.length === 0 && instance.length === 0)) return NOTHING;
    if (job.length > 0) pairs.push(['job', job]);
    if (instance.length > 0) pairs.push(['instance', instance]);
    const labels = compactLabels(pairs, settings.maxLabelNameLength, settings.maxLabelValueLength);
    return registry.symbols.internBytes(encodeLabelSet(labels));
  }
}

function joined(pairs: readonly LabelPair[]): LabelPair[] {
  const labels = new Map<string, Uint8Array>();
  for (const [name, value] of pairs) {
    const before = labels.get(name);
    labels.set(name, before === undefined ? value : Buffer.concat([before, encoder.encode(';'), value]));
  }
  return [...labels];
}

/** As text in which each byte that is not part of a valid character is one character of its own: names are sanitized by those. */
function keyText(bytes: Uint8Array): string {
  if (isValidUtf8(bytes)) return utf8Text(bytes);
  let text = '';
  for (let pos = 0; pos < bytes.length; ) {
    let n = Math.min(4, bytes.length - pos);
    while (n > 1 && !isCharacter(bytes.subarray(pos, pos + n))) n--;
    text += utf8Text(bytes.subarray(pos, pos + n));
    pos += n;
  }
  return text;
}

function isCharacter(bytes: Uint8Array): boolean {
  return isValidUtf8(bytes) && [...utf8Text(bytes)].length === 1;
}
