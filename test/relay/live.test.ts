import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Prometheus, prometheusBinary } from '../integration/support/prometheus.ts';
import { closeRelays, startRelay } from './support/relay.ts';
import { closeTargets, startTarget, type Target } from './support/target.ts';

const why = prometheusBinary() ? '' : ' (skipped: no prometheus on the path, no PROMETHEUS_BIN)';

describe.skipIf(!prometheusBinary())(`relay → Prometheus${why}`, () => {
  let prometheus: Prometheus;
  let target: Target;
  let isGone = false;

  beforeAll(async () => {
    prometheus = await Prometheus.start();
    target = await startTarget(
      (scrape) => `# HELP calls Calls.
# TYPE calls counter
calls_total{job="own"} ${scrape} # {trace_id="abc${scrape}"} 1
# TYPE latency histogram
latency_bucket{le="1.0"} ${scrape}
latency_bucket{le="+Inf"} ${2 * scrape}
latency_sum 3
latency_count ${2 * scrape}
${isGone ? '' : 'passing 1\n'}# EOF
`,
    );
    const relay = startRelay({
      target,
      writeUrl: prometheus.writeUrl,
      protocol: '1.0',
      write: ['queue_config: { batch_send_deadline: 100ms }'],
    });
    await target.scraped(10);
    isGone = true;
    await target.scraped(target.scrapes.length + 5);
    expect(await relay.stop('SIGTERM')).toBe(0);
  });

  afterAll(async () => {
    closeRelays();
    await closeTargets();
    await prometheus?.stop();
  });

  it('stores every scrape, one after the other', async () => {
    const [series] = await prometheus.raw('calls_total', '1h');
    expect(series!.labels).toEqual({
      __name__: 'calls_total',
      job: 'test',
      exported_job: 'own',
      instance: target.address,
    });
    const values = series!.samples.map(([, value]) => value);
    expect(values.length).toBeGreaterThanOrEqual(14);
    expect(values).toEqual(values.map((_, i) => i + 1));
  });

  it('computes quantiles of the histogram', async () => {
    const [sample] = await prometheus.query('histogram_quantile(0.25, latency_bucket)');
    expect(sample!.value).toBe(0.5);
  });

  it('ends the series that vanished, and no other', async () => {
    expect(await prometheus.query('passing')).toEqual([]);
    const [series] = await prometheus.raw('passing', '1h');
    expect(series!.samples.length).toBeGreaterThanOrEqual(9);
    expect(await prometheus.query('count(up == 1)')).toMatchObject([{ value: 1 }]);
    expect(await prometheus.query('scrape_samples_scraped')).toMatchObject([{ value: 5 }]);
  });

  it('has the exemplars', async () => {
    const exemplars = await prometheus.exemplars('calls_total');
    expect(exemplars.map(({ labels }) => labels['trace_id'])).toContain('abc5');
  });
});
