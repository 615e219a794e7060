// Families as a page in Prometheus' text format. Source: Prometheus documentation, "Exposition formats".

import type { LabelPair } from '../labels/index.ts';
import type { MetricFamily } from './family.ts';

/** The media type of `renderMetrics`. */
export const TEXT_FORMAT = 'text/plain; version=0.0.4; charset=utf-8';

/** @param families none with the name of another: `mergeMetrics` makes them so. */
export function renderMetrics(families: readonly MetricFamily[]): string {
  const lines: string[] = [];
  for (const { name, type, help, samples } of families) {
    lines.push(`# HELP ${name} ${help.replace(/[\\\n]/g, escaped)}`, `# TYPE ${name} ${type}`);
    for (const sample of samples) lines.push(`${sample.name}${labelSet(sample.labels)} ${number(sample.value)}`);
  }
  return lines.map((line) => `${line}\n`).join('');
}

function labelSet(labels: readonly LabelPair[]): string {
  if (labels.length === 0) return '';
  return `{${labels.map(([name, value]) => `${name}="${value.replace(/[\\\n"]/g, escaped)}"`).join()}}`;
}

function escaped(character: string): string {
  return character === '\n' ? '\\n' : `\\${character}`;
}

function number(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return '+Inf';
  return value === Number.NEGATIVE_INFINITY ? '-Inf' : String(value);
}
