export { translateLabelName, translateLabels } from './label-name.ts';
export { type OtelMetric, translateMetricName } from './metric-name.ts';
export { type NamedSeries, translateSeries } from './series-names.ts';
export { isNameTranslation, NAME_TRANSLATIONS, type NameTranslation } from './strategy.ts';
export { translateUnit } from './units.ts';
