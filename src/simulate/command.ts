// `spanmill simulate`: runs a case directory, or answers what series a file of spans would make.

import { hostname } from 'node:os';
import { parseArgs } from 'node:util';
import { ConfigError, loadConfig } from '../config/index.ts';
import type { NativeState } from '../registry/index.ts';
import { CaseError, runCase } from './case.ts';
import { histogramJson } from './native-view.ts';
import { selfMetrics } from './self-metrics.ts';
import type { SeriesView } from './series-view.ts';
import { SpansFileError, whatIf } from './what-if.ts';

const USAGE = `Usage:
  spanmill simulate DIR [--json]
      Runs the case in DIR (config.json, spans.otlp.json, optional requests.bin) on a virtual clock; prints JSON.
  spanmill simulate --config FILE --spans FILE [--at TIME] [--tenant T] [--instance NAME]
                    [--expand-env] [--json]
      Which series would these spans make? TIME is RFC 3339 or Unix seconds; by default the newest span's end. With NAME they
      carry the label that tells instances apart.
`;

export interface CommandIo {
  stdout: { write(text: string): unknown };
  stderr: { write(text: string): unknown };
  env: Record<string, string | undefined>;
}

/** Exit code: 0 also where a case's configuration must be refused, 2 for a broken case or wrong arguments. */
export function simulateCommand(args: string[], io: CommandIo): number {
  let parsed: ReturnType<typeof parse>;
  try {
    parsed = parse(args);
  } catch (error) {
    io.stderr.write(`spanmill simulate: ${error instanceof Error ? error.message : error}\n${USAGE}`);
    return 2;
  }
  const { values, positionals } = parsed;
  if (values.help) {
    io.stdout.write(USAGE);
    return 0;
  }
  try {
    if (values.spans !== undefined && positionals.length === 0) return explain(values, io);
    if (positionals.length !== 1) {
      io.stderr.write(USAGE);
      return 2;
    }
    return simulateCase(positionals[0]!, io);
  } catch (error) {
    if (
      !(error instanceof CaseError || error instanceof ConfigError || error instanceof SpansFileError) &&
      !isFileError(error)
    )
      throw error;
    io.stderr.write(`spanmill simulate: ${error.message}\n`);
    return 2;
  }
}

function parse(args: string[]) {
  return parseArgs({
    args,
    allowPositionals: true,
    options: {
      json: { type: 'boolean' },
      config: { type: 'string' },
      spans: { type: 'string' },
      at: { type: 'string' },
      tenant: { type: 'string' },
      instance: { type: 'string' },
      'expand-env': { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
    },
  });
}

function simulateCase(dir: string, io: CommandIo): number {
  try {
    io.stdout.write(`${JSON.stringify(runCase(dir, hostname()), null, 1)}\n`);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    io.stderr.write(`${error.message}\n`);
    io.stdout.write('{"error": "configuration refused"}\n');
  }
  return 0;
}

function explain(values: ReturnType<typeof parse>['values'], io: CommandIo): number {
  const { config, notes } =
    values.config === undefined
      ? loadConfig({ text: '' })
      : loadConfig({ path: values.config, expandEnv: values['expand-env'] ?? false, env: io.env });
  for (const note of notes) io.stderr.write(`note: ${note}\n`);
  const atMs = values.at === undefined ? undefined : parseTime(values.at);
  const answer = whatIf(config, values.spans!, atMs, values.tenant, values.instance);
  if (values.json) {
    const series = answer.series.map(({ labels, value, histogram, exemplars }) => ({
      labels,
      ...(histogram ? { histogram: histogramJson(histogram) } : { value }),
      ...(exemplars.length > 0 && { exemplars }),
    }));
    io.stdout.write(
      `${JSON.stringify({ at: new Date(answer.atMs).toISOString(), series, self_metrics: selfMetrics(answer.tenant, 1) }, null, 1)}\n`,
    );
    return 0;
  }
  for (const series of answer.series) io.stdout.write(`${seriesText(series)}\n`);
  const { counters } = answer.tenant;
  io.stderr.write(
    `${counters.spansReceived} spans at ${new Date(answer.atMs).toISOString()}: ${answer.series.length} series\n`,
  );
  for (const [key, count] of counters.discarded) {
    const [reason, processor] = key.split(' ');
    io.stderr.write(`${count} discarded: ${reason} (${processor})\n`);
  }
  for (const [kind, count] of counters.expiredEdges)
    io.stderr.write(`${count} edges expired without a peer: ${kind}\n`);
  return 0;
}

function seriesText({ labels, value, histogram }: SeriesView): string {
  const pairs = Object.entries(labels).filter(([name]) => name !== '__name__');
  return `${labels['__name__']}{${pairs.map(([name, text]) => `${name}=${JSON.stringify(text)}`).join(',')}} ${histogram ? histogramText(histogram) : value}`;
}

function histogramText(state: NativeState): string {
  const { count, sum, positive_buckets: buckets } = histogramJson(state);
  return `{count:${count}, sum:${sum}, buckets:${buckets.length}}`;
}

function parseTime(text: string): number {
  const ms = /^\d+(\.\d+)?$/.test(text) ? Number(text) * 1_000 : Date.parse(text);
  if (!Number.isFinite(ms)) throw new CaseError(`--at ${text}: neither RFC 3339 nor Unix seconds`);
  return ms;
}

function isFileError(error: unknown): error is Error {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' && error.code.startsWith('E');
}
