// The labels of the target, and what happens when a page has a label of that name. Source: Prometheus, `honor_labels`.

import type { LabelPair } from 'remote-write-ts';

export interface TargetLabels {
  /** `job`, `instance` and further ones; no name twice, no empty value. */
  readonly labels: readonly LabelPair[];
  /** Whether the page's own label wins; otherwise it becomes `exported_…`. */
  readonly honorsPage: boolean;
}

/** The labels of a series as they are sent, with the metric's name and without empty ones. */
export function withTarget(
  name: string,
  pageLabels: readonly LabelPair[],
  { labels, honorsPage }: TargetLabels,
): LabelPair[] {
  const result: LabelPair[] = [['__name__', name]];
  const conflicts: LabelPair[] = [];
  for (const pair of pageLabels) {
    const isTargets = !honorsPage && labels.some(([own]) => own === pair[0]);
    if (pair[1] !== '') (isTargets ? conflicts : result).push(pair);
  }
  for (const pair of labels) {
    // Honoured even if empty: so a page can say that it has no such label.
    if (!honorsPage || !pageLabels.some(([own]) => own === pair[0])) result.push(pair);
  }
  if (conflicts.length === 0) return result;
  const taken = new Set(result.map(([own]) => own));
  // The shortest first, so that the outcome doesn't depend on the page's order.
  conflicts.sort(([a], [b]) => a.length - b.length);
  for (const [own, value] of conflicts) {
    let renamed = own;
    do renamed = `exported_${renamed}`;
    while (taken.has(renamed));
    taken.add(renamed);
    result.push([renamed, value]);
  }
  return result;
}
