// A relay in front of a real Prometheus, in the ways to ask for a protocol. Where 2.0 is asked for and not understood the loss must be
// told; `_created` is a series in 1.0 and a start in 2.0.

import { type ChildProcess, spawn } from 'node:child_process';
import process from 'node:process';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Prometheus, prometheusAbilities, prometheusBinary } from '../integration/support/prometheus.ts';
import { closeRelays, startRelay } from './support/relay.ts';
import { closeTargets, startTarget, type Target } from './support/target.ts';

const why = prometheusBinary() ? '' : ' (skipped: no prometheus on the path, no PROMETHEUS_BIN)';
const { speaks2, storesStarts } = prometheusAbilities();
const CLI = new URL('../../src/cli.ts', import.meta.url).pathname;
/** What the counter has at the first scrape is this and one. */
const BEFORE = 1_000;
/** Also the time that a scrape may take: not so little that a busy machine can't answer within it. */
const INTERVAL = '250ms';
const children: ChildProcess[] = [];
const CREATED_MS = Math.floor(Date.now() / 1_000) * 1_000 - 30_000;

const openmetrics = (scrape: number, isGone: boolean): string => `# HELP calls Calls.
# TYPE calls counter
calls_total{job="own"} ${BEFORE + scrape} # {trace_id="abc${scrape}"} 1
calls_created{job="own"} ${CREATED_MS / 1_000}
# TYPE latency histogram
latency_bucket{le="1.0"} ${scrape}
latency_bucket{le="+Inf"} ${2 * scrape}
latency_sum 3
latency_count ${2 * scrape}
${isGone ? '' : 'passing 1\n'}# EOF
`;

interface Way {
  title: string;
  /** Of the file; missing: flags, which choose by themselves. */
  file?: '1.0' | '2.0';
  isStored: boolean;
  /** In which the samples arrive. */
  protocol: '1.0' | '2.0';
}

const WAYS: Way[] = [
  { title: 'asked for 1.0', file: '1.0', isStored: true, protocol: '1.0' },
  { title: 'asked for 2.0', file: '2.0', isStored: speaks2, protocol: '2.0' },
  { title: 'asked for neither', isStored: true, protocol: speaks2 ? '2.0' : '1.0' },
];

describe.skipIf(!prometheusBinary()).each(WAYS)(`relay → Prometheus, $title${why}`, ({ file, isStored, protocol }) => {
  let prometheus: Prometheus;
  let target: Target;
  let log = '';

  beforeAll(async () => {
    let isGone = false;
    prometheus = await Prometheus.start({ features: ['created-timestamp-zero-ingestion'] });
    target = await startTarget((scrape) => openmetrics(scrape, isGone));
    const relay = file === undefined ? startWithFlags(target, prometheus) : startWithFile(target, prometheus, file);
    await target.scraped(10);
    isGone = true;
    await target.scraped(target.scrapes.length + 5);
    expect(await relay.stop('SIGTERM')).toBe(0);
    log = relay.log();
  });

  afterAll(async () => {
    closeRelays();
    for (const child of children.splice(0)) child.kill('SIGKILL');
    await closeTargets();
    await prometheus?.stop();
  });

  if (!isStored) {
    it('stores nothing, and says so', async () => {
      expect(log).toContain('no Written headers');
      expect(await prometheus.query('{__name__=~".+"}')).toEqual([]);
    });
    return;
  }

  it('stores every scrape, one after the other', async () => {
    const [series] = await prometheus.raw('calls_total', '1h');
    expect(series!.labels).toEqual({
      __name__: 'calls_total',
      job: 'test',
      exported_job: 'own',
      instance: target.address,
    });
    const stored = series!.samples.filter(([, value]) => value > 0);
    // A busy machine may let one take too long: that is none, and said to be.
    const [up] = await prometheus.raw('up', '1h');
    const scraped = up!.samples.flatMap(([seconds, value]) => (value === 1 ? [seconds] : []));
    expect(scraped.length).toBeGreaterThanOrEqual(10);
    expect(stored.map(([seconds]) => seconds)).toEqual(scraped);
    const values = stored.map(([, value]) => value - BEFORE);
    expect(values).toEqual([...new Set(values)].sort((one, other) => one - other));
    expect(values.at(-1)! - values.length).toBeLessThanOrEqual(up!.samples.length - scraped.length);
    expect(log).not.toContain('refused');
  });

  it('has when counting began: of 1.0 as a series, of 2.0 as a zero sample where the receiver makes one', async () => {
    const [series] = await prometheus.raw('calls_total', '1h');
    const zeros = series!.samples.filter(([, value]) => value === 0);
    const declared = [CREATED_MS / 1_000, 0];
    // Starts of samples are read since 3.8, and stored somewhat later: in between either is right.
    if (protocol === '1.0') expect(zeros).toEqual([]);
    else if (storesStarts) expect(zeros).toEqual([declared]);
    else expect([[], [declared]]).toContainEqual(zeros);
    const created = await prometheus.query('calls_created');
    expect(created.map(({ value }) => value)).toEqual(file === '1.0' ? [CREATED_MS / 1_000] : []);
  });

  it('computes quantiles of the histogram', async () => {
    const [sample] = await prometheus.query('histogram_quantile(0.25, latency_bucket)');
    expect(sample!.value).toBe(0.5);
  });

  it('ends the series that vanished, and no other', async () => {
    expect(await prometheus.query('passing')).toEqual([]);
    const [series] = await prometheus.raw('passing', '1h');
    expect(series!.samples.length).toBeGreaterThanOrEqual(7);
    expect(await prometheus.query('count(up == 1)')).toMatchObject([{ value: 1 }]);
    // The line of `_created` is no sample where it is a start.
    expect(await prometheus.query('scrape_samples_scraped')).toMatchObject([{ value: file === '1.0' ? 6 : 5 }]);
  });

  it('has the exemplars', async () => {
    const exemplars = await prometheus.exemplars('calls_total');
    const [series] = await prometheus.raw('calls_total', '1h');
    const values = series!.samples.flatMap(([, value]) => (value > 0 ? [value - BEFORE] : []));
    expect(exemplars.map(({ labels }) => labels['trace_id'])).toEqual(values.map((value) => `abc${value}`));
  });
});

function startWithFile(target: Target, { writeUrl }: Prometheus, protocol: '1.0' | '2.0') {
  return startRelay({
    target,
    writeUrl,
    protocol,
    interval: INTERVAL,
    write: ['queue_config: { batch_send_deadline: 100ms }'],
  });
}

function startWithFlags({ url }: Target, { writeUrl }: Prometheus) {
  const flags = [`--target=${url}`, `--remote-write=${writeUrl}`, `--interval=${INTERVAL}`, '--job=test'];
  const child: ChildProcess = spawn(process.execPath, ['--conditions=source', CLI, 'rw-relay', ...flags], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  children.push(child);
  let log = '';
  child.stderr!.on('data', (chunk: Buffer) => {
    log += chunk.toString();
  });
  const exited = new Promise<number | null>((resolve) => child.once('close', (code) => resolve(code)));
  return {
    log: () => log,
    stop(signal: NodeJS.Signals) {
      child.kill(signal);
      return exited;
    },
  };
}
