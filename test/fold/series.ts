// Every series of an image with its value, for comparisons.

import { type Section, seriesLabels, seriesValues, TenantImage } from '../../src/registry/index.ts';
import { seriesKey } from './model.ts';

export function applyAll(image: TenantImage, sections: readonly Section[]): void {
  image.nextBoundary();
  for (const section of structuredClone(sections)) if (section.meta['holder'] === 'rows') image.apply(section);
}

export function seriesOfImage(image: TenantImage): Map<string, number> {
  const out = new Map<string, number>();
  for (const table of image.tables.values()) {
    const values = new Float64Array(table.series.length);
    for (const row of table.rows.values()) {
      seriesValues(table.series, row.values, 0, values);
      table.series.forEach((spec, i) => {
        if ((row.admitted & (1 << spec.part)) === 0) return;
        const { __name__: name, ...labels } = Object.fromEntries(
          seriesLabels(table.schema, row.labels, row.overflow, spec, {}),
        );
        out.set(seriesKey(name!, labels), values[i]!);
      });
    }
  }
  return out;
}

export function imageOf(sections: readonly Section[]): TenantImage {
  const image = new TenantImage();
  applyAll(image, sections);
  return image;
}
