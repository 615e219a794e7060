// Metrics as data, for whoever shows them: a page, a registry, a remote write of their own.

import type { LabelPair } from '../labels/index.ts';

/** One number. */
export interface MetricSample {
  /** The family's name, for histograms with `_bucket`, `_sum` or `_count`. */
  name: string;
  labels: readonly LabelPair[];
  value: number;
}

export interface MetricFamily {
  name: string;
  type: 'counter' | 'gauge' | 'histogram';
  help: string;
  /** Buckets of a histogram in rising order, cumulative, the last one `+Inf`. */
  samples: readonly MetricSample[];
}

/**
 * Families of several clients as those of one process: side by side where labels tell them apart. Of samples with the same
 * labels the highest stays, as what a process feeds to all its endpoints came in once.
 */
export function mergeMetrics(...parts: readonly (readonly MetricFamily[])[]): MetricFamily[] {
  const families = new Map<string, MetricFamily>();
  const samples = new Map<string, Map<string, MetricSample>>();
  for (const family of parts.flat()) {
    if (!families.has(family.name)) families.set(family.name, family);
    const byLabels = samples.get(family.name) ?? new Map<string, MetricSample>();
    samples.set(family.name, byLabels);
    for (const sample of family.samples) {
      const key = JSON.stringify([sample.name, sample.labels]);
      const known = byLabels.get(key);
      if (known === undefined || sample.value > known.value) byLabels.set(key, sample);
    }
  }
  return [...families.values()].map((family) => ({ ...family, samples: [...samples.get(family.name)!.values()] }));
}
