// Runs a case that was recorded from the OpenTelemetry Collector through `spanmill simulate`: the collector's configuration in our
// words, everything that the case posts in one file.

import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse } from 'yaml';
import { simulateCommand } from '../../src/simulate/index.ts';
import type { HistogramValue } from './compare.ts';

export interface OtelSeries {
  labels: Record<string, string>;
  value: number | undefined;
  histogram: HistogramValue | undefined;
  exemplars?: OtelExemplar[];
}

export interface OtelExemplar {
  labels: Record<string, string>;
  value: number;
}

type Yaml = Record<string, unknown>;

/** The collector's feature gates that are other keys here. */
const GATES: Record<string, (spans: Yaml) => void> = {
  'connector.spanmetrics.useSecondAsDefaultMetricsUnit': (spans) => {
    spans['histogram'] = { unit: 's', ...(spans['histogram'] as Yaml | undefined) };
  },
  'connector.spanmetrics.legacyMetricNames': (spans) => {
    spans['namespace'] ??= '';
  },
  '-connector.spanmetrics.includeCollectorInstanceID': (spans) => {
    spans['exclude_dimensions'] = [...((spans['exclude_dimensions'] as string[]) ?? []), 'collector.instance.id'];
  },
};

/** The configuration of a case in our words. Keys that are not ours stay, so that they are refused. */
export function translated(collector: Yaml, gates: readonly string[]): Yaml {
  const connectors = (collector['connectors'] ?? {}) as Record<string, Yaml>;
  const exporter = (collector['exporters'] as Record<string, Yaml>)['prometheus_remote_write']!;
  const {
    metrics_flush_interval: interval,
    metrics_expiration: ofResource,
    ...spans
  } = connectors['span_metrics'] ?? {};
  if (ofResource !== undefined) spans['series_expiration'] = ofResource;
  const otel: Yaml = { span_metrics: spans };
  for (const gate of gates) {
    const apply = GATES[gate];
    if (apply) apply(spans);
    else otel['feature_gates'] = [...((otel['feature_gates'] as string[]) ?? []), gate];
  }
  // How samples are sent says nothing about which.
  const { endpoint: _, tls: __, send_metadata: ___, ...more } = exporter;
  return {
    shards: { count: 1 },
    metrics_generator: {
      naming: 'otel',
      otel: { ...otel, ...more },
      registry: { collection_interval: interval ?? '1s' },
      metrics_ingestion_time_range_slack: '1h',
    },
    overrides: { defaults: { metrics_generator: { processors: ['span-metrics'] } } },
  };
}

/** Names of the files that the case posts, in order. */
function posts(dir: string): string[] {
  const steps = join(dir, 'steps.txt');
  if (!existsSync(steps)) return ['spans.otlp.json'];
  return [...readFileSync(steps, 'utf8').matchAll(/^post (\S+)/gm)].map(([, file]) => file!);
}

/** The series at the end of the case, or the reason why its configuration is refused. */
export function runOtelCase(dir: string): OtelSeries[] | string {
  const collector = parse(readFileSync(join(dir, 'config.yaml'), 'utf8')) as Yaml;
  const argsFile = join(dir, 'args.txt');
  const args = existsSync(argsFile) ? readFileSync(argsFile, 'utf8') : '';
  const gates = /--feature-gates=(\S+)/.exec(args)?.[1]?.split(',') ?? [];
  const lines = posts(dir).map((file) => JSON.stringify(JSON.parse(readFileSync(join(dir, file), 'utf8'))));
  return simulate(translated(collector, gates), lines);
}

/** @param requests OTLP JSON, one each */
export function simulate(config: Yaml, requests: readonly string[]): OtelSeries[] | string {
  const scratch = mkdtempSync(join(tmpdir(), 'spanmill-otel-'));
  try {
    writeFileSync(join(scratch, 'spanmill.yaml'), JSON.stringify(config, null, 1));
    writeFileSync(join(scratch, 'spans.json'), requests.join('\n'));
    let out = '';
    let err = '';
    const code = simulateCommand(
      [
        ...['--config', join(scratch, 'spanmill.yaml'), '--spans', join(scratch, 'spans.json')],
        ...['--instance', 'peer-0', '--json'],
      ],
      {
        stdout: { write: (text: string) => (out += text) },
        stderr: { write: (text: string) => (err += text) },
        env: {},
      },
    );
    return code === 0 ? (JSON.parse(out) as { series: OtelSeries[] }).series : err;
  } finally {
    rmSync(scratch, { recursive: true });
  }
}
