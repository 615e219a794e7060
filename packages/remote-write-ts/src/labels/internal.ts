// The door for the folders of this package that write series: what they need of one without the copies that the public door makes.
// The package itself must never export it.

import { PreparedSeries } from './prepared.ts';
import { METRIC_TYPES, prepareSeries, type Series } from './series.ts';

export type { InternedLabel } from './interned-label.ts';
export type { LabelGroup } from './label-group.ts';
export type { PreparedSeries };

/** Prepared once for each. */
const preparedOfOthers = new WeakMap<Series, PreparedSeries>();

/**
 * The series itself if it is of `createSeries`. One of somebody else's making is prepared from its labels and metadata.
 * @throws LabelError for those that `createSeries` would refuse.
 */
export function prepared(series: Series): PreparedSeries {
  return PreparedSeries.is(series) ? series : preparedOf(series);
}

function preparedOf(series: Series): PreparedSeries {
  const known = preparedOfOthers.get(series);
  if (known !== undefined) return known;
  const { labels, metadata } = series;
  const made = prepareSeries(
    labels,
    metadata && {
      type: METRIC_TYPES[metadata.type]!,
      help: metadata.help.text,
      unit: metadata.unit.text,
      family: metadata.family,
    },
  );
  preparedOfOthers.set(series, made);
  return made;
}
