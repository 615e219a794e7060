// A whole series as OpenTelemetry names it, to one of Prometheus: metric name, labels, unit, family.

import { familyName, LabelError, type LabelPair, METRIC_NAME, type Metadata } from '../labels/index.ts';
import { translateLabels } from './label-name.ts';
import { translateMetricName } from './metric-name.ts';
import type { NameTranslation } from './strategy.ts';
import { translateUnit } from './units.ts';

export interface NamedSeries {
  labels: LabelPair[];
  metadata: Metadata | undefined;
}

/**
 * `_bucket`, `_sum` and `_count` of classic histograms and summaries stay at the end: the family is what is translated.
 * @throws LabelError
 */
export function translateSeries(
  labels: readonly LabelPair[],
  metadata: Metadata | undefined,
  translation: NameTranslation,
): NamedSeries {
  const names = labels.filter(([name]) => name === METRIC_NAME);
  const [metricName] = names;
  if (metricName === undefined) throw new LabelError('no_metric_name', `a series needs the label ${METRIC_NAME}`);
  const others = labels.filter(([name]) => name !== METRIC_NAME);
  const { family, part } = split(metricName[1], metadata);
  const { type, unit = '' } = metadata ?? {};
  const translated = translateMetricName({ name: family, unit, ...(type && { type }) }, translation);
  return {
    // A second name, or a label that becomes one, is for `createSeries` to refuse.
    labels: [[METRIC_NAME, translated + part], ...names.slice(1), ...translateLabels(others, translation)],
    metadata: metadata && { ...metadata, unit: translateUnit(unit, translation), family: translated },
  };
}

function split(name: string, metadata: Metadata | undefined): { family: string; part: string } {
  if (metadata === undefined || !/^(histogram|gaugehistogram|summary)$/.test(metadata.type)) {
    return { family: name, part: '' };
  }
  const { family = familyName(name, metadata.type) } = metadata;
  return name.startsWith(`${family}_`) ? { family, part: name.slice(family.length) } : { family: name, part: '' };
}
