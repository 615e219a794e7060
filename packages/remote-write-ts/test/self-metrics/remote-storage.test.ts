import { describe, expect, it } from 'vitest';
import { remoteStorageMetrics } from '../../src/index.ts';
import { state } from './state.ts';

/** What Prometheus 2.42 shows of its own remote write. */
const OF_PROMETHEUS: Record<string, string> = {
  bytes_total: 'counter',
  enqueue_retries_total: 'counter',
  exemplars_dropped_total: 'counter',
  exemplars_failed_total: 'counter',
  exemplars_in_total: 'counter',
  exemplars_pending: 'gauge',
  exemplars_retried_total: 'counter',
  exemplars_total: 'counter',
  highest_timestamp_in_seconds: 'gauge',
  histograms_dropped_total: 'counter',
  histograms_failed_total: 'counter',
  histograms_in_total: 'counter',
  histograms_pending: 'gauge',
  histograms_retried_total: 'counter',
  histograms_total: 'counter',
  max_samples_per_send: 'gauge',
  metadata_bytes_total: 'counter',
  metadata_failed_total: 'counter',
  metadata_retried_total: 'counter',
  metadata_total: 'counter',
  queue_highest_sent_timestamp_seconds: 'gauge',
  samples_dropped_total: 'counter',
  samples_failed_total: 'counter',
  samples_in_total: 'counter',
  samples_pending: 'gauge',
  samples_retried_total: 'counter',
  samples_total: 'counter',
  sent_batch_duration_seconds: 'histogram',
  shard_capacity: 'gauge',
  shards: 'gauge',
  shards_desired: 'gauge',
  shards_max: 'gauge',
  shards_min: 'gauge',
};
/** What 3.x has besides. */
const OF_PROMETHEUS_3: Record<string, string> = { queue_highest_timestamp_seconds: 'gauge' };
const PREFIX = 'prometheus_remote_storage_';

const families = (changes = {}) =>
  new Map(remoteStorageMetrics(state(changes)).map((family) => [family.name.slice(PREFIX.length), family]));
const value = (name: string) => families().get(name)!.samples[0]!.value;

describe('the metrics of a client', () => {
  it('are those of Prometheus, with their types, and all of them', () => {
    const types = Object.fromEntries([...families()].map(([name, { type }]) => [name, type]));
    expect(types).toEqual({ ...OF_PROMETHEUS, ...OF_PROMETHEUS_3 });
  });

  it('have the labels of Prometheus, but for those of the whole process, which have none', () => {
    for (const [name, { samples, type }] of families()) {
      const isOfProcess = /_in_(total|seconds)$/.test(name);
      for (const { labels } of samples) {
        const names = labels.map(([label]) => label);
        const own = name.endsWith('_dropped_total') ? ['reason'] : type === 'histogram' ? ['le'] : [];
        if (isOfProcess) expect(names).toEqual([]);
        else expect(['remote_name', 'url', ...own]).toEqual(expect.arrayContaining(names));
        if (!isOfProcess)
          expect(labels.slice(0, 2)).toEqual([
            ['remote_name', 'a'],
            ['url', 'https://receiver.example/api/v1/write'],
          ]);
      }
    }
  });

  it('count what Prometheus counts', () => {
    const { stats } = state();
    for (const kind of ['samples', 'histograms', 'exemplars'] as const) {
      expect(value(`${kind}_total`)).toBe(stats.attempted[kind]);
      expect(value(`${kind}_retried_total`)).toBe(stats.retried[kind]);
      expect(value(`${kind}_failed_total`)).toBe(stats.failed[kind] + stats.dropped.closed[kind]);
      expect(value(`${kind}_pending`)).toBe(stats.unsettled[kind]);
      expect(value(`${kind}_in_total`)).toBe(stats.taken[kind]);
    }
    expect(value('metadata_total')).toBe(stats.attempted.metadata);
    expect(value('metadata_failed_total')).toBe(stats.failed.metadata);
    expect(value('metadata_retried_total')).toBe(stats.retried.metadata);
    expect(value('enqueue_retries_total')).toBe(stats.enqueueRetries);
    expect(value('shards')).toBe(stats.shards);
    expect(value('shards_min')).toBe(stats.minShards);
    expect(value('shards_max')).toBe(stats.maxShards);
    expect(value('shards_desired')).toBe(stats.desiredShards);
    expect(value('shard_capacity')).toBe(stats.shardCapacity);
    expect(value('max_samples_per_send')).toBe(stats.maxSamplesPerSend);
    expect(value('bytes_total')).toBe(stats.bytes);
    expect(value('metadata_bytes_total')).toBe(stats.metadataBytes);
  });

  it('have timestamps in seconds', () => {
    expect(value('highest_timestamp_in_seconds')).toBe(1_700_000_000.5);
    expect(value('queue_highest_timestamp_seconds')).toBe(1_700_000_000.5);
    expect(value('queue_highest_sent_timestamp_seconds')).toBe(1_700_000_000.25);
  });

  it('have each reason of dropping, in the words of Prometheus where it has one', () => {
    const { dropped } = state().stats;
    const reasons = (kind: string) =>
      Object.fromEntries(
        families()
          .get(`${kind}_dropped_total`)!
          .samples.map(({ labels, value: of }) => [labels.find(([name]) => name === 'reason')![1], of]),
      );
    expect(reasons('histograms')).toMatchObject({
      too_old: dropped.too_old.histograms,
      nhcb_in_rw1_not_supported: dropped.custom_buckets.histograms,
      queue_full: dropped.queue_full.histograms,
    });
    expect(reasons('samples')).toMatchObject({
      too_old: dropped.too_old.samples,
      queue_full: dropped.queue_full.samples,
    });
    // Counted as failed: what was left at the end.
    for (const kind of ['samples', 'histograms', 'exemplars']) expect(reasons(kind)).not.toHaveProperty('closed');
  });

  it('show the histogram of durations with its buckets in order', () => {
    const { samples } = families().get('sent_batch_duration_seconds')!;
    const name = `${PREFIX}sent_batch_duration_seconds`;
    expect(samples.slice(0, -2).map((sample) => [sample.name, sample.labels.at(-1)![1], sample.value])).toEqual([
      ...['0.005', '0.01', '0.025', '0.05', '0.1', '0.25', '0.5', '1', '2.5', '5', '10', '25', '60', '120', '300'].map(
        (le, i) => [`${name}_bucket`, le, i],
      ),
      [`${name}_bucket`, '+Inf', 20],
    ]);
    expect(samples.slice(-2).map((sample) => [sample.name, sample.value])).toEqual([
      [`${name}_sum`, 1.5],
      [`${name}_count`, 20],
    ]);
  });

  it('never show the query of the URL', () => {
    const shown = (url: string) => families({ url }).get('shards')!.samples[0]!.labels[1]![1];
    expect(shown('https://a.example/write?token=secret')).toBe('https://a.example/write');
    expect(shown('https://a.example/write#secret')).toBe('https://a.example/write');
  });
});
