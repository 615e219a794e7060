// The first spans of an interval as exemplars where they leave: in remote-write requests and in the text of a scrape.

import { type DecodedSeries, decodeWriteRequest, snappyUncompress, WriteRequestBuilder } from 'remote-write-ts';
import { describe, expect, test } from 'vitest';
import { BoundaryEncoder } from '../../src/shard/boundary-requests.ts';
import { exposition } from '../../src/shard/exposition.ts';
import { OtelLife, otelSettings } from '../fold/otel-life.ts';

const CALLS = 'traces_span_metrics_calls_total';
const BUCKET = 'traces_span_metrics_duration_milliseconds_bucket';

function life(more: object = {}): OtelLife {
  const spans = [3, 300, 30].map((tookMs, i) => ({
    trace: `${i + 1}`.padStart(32, '0'),
    id: i === 1 ? '' : `${i + 1}`.padStart(16, '0'),
    tookMs,
  }));
  return new OtelLife(otelSettings({ exemplars: { enabled: true, max_per_data_point: 2 } }, more))
    .push(spans)
    .boundary();
}

function sent({ image, nowMs }: OtelLife, sendExemplars = true): DecodedSeries[] {
  const { values } = new BoundaryEncoder({}, 2_000, sendExemplars).requests(image, nowMs);
  const builder = new WriteRequestBuilder();
  for (const point of values.flat()) {
    if (point.kind !== 'sample') throw new Error(`a ${point.kind}`);
    builder.addSampleWithExemplars(point.series.labelBytes, point.value, point.timestampMs, point.exemplars ?? []);
  }
  return decodeWriteRequest(snappyUncompress(builder.finish(), 1e6)).timeseries;
}

const labelsOf = ({ labels }: DecodedSeries): Record<string, string> => Object.fromEntries(labels);
const exemplarsOf = (series: readonly DecodedSeries[], metric: string) =>
  series
    .filter((one) => labelsOf(one)['__name__'] === metric && one.exemplars.length > 0)
    .map((one) => [labelsOf(one)['le'], one.exemplars.map(({ labels, value }) => [Object.fromEntries(labels), value])]);

const FIRST = { span_id: '0000000000000001', trace_id: `${'0'.repeat(31)}1` };
const SECOND = { trace_id: `${'0'.repeat(31)}2` };

describe('the first spans', () => {
  test('are sent with the calls and with the buckets that they fell into', () => {
    const series = sent(life());
    expect(exemplarsOf(series, CALLS)).toEqual([
      [
        undefined,
        [
          [FIRST, 3],
          [SECOND, 300],
        ],
      ],
    ]);
    expect(exemplarsOf(series, BUCKET)).toEqual([
      ['4', [[FIRST, 3]]],
      ['400', [[SECOND, 300]]],
    ]);
    expect(series.flatMap(({ exemplars }) => exemplars)).toHaveLength(4);
  });

  test('are the same in pairs of labels, sorted, as in bytes', () => {
    const { image, nowMs } = life({ tenant: { trace_id_label_name: 'id' } });
    const { values } = new BoundaryEncoder({}, 2_000, true).requests(image, nowMs);
    const exemplars = values.flat().flatMap((point) => ('exemplars' in point ? point.exemplars! : []));
    expect(exemplars[0]!.pairs).toEqual([
      ['id', FIRST.trace_id],
      ['span_id', FIRST.span_id],
    ]);
    expect(exemplarsOf(sent(life({ tenant: { trace_id_label_name: 'id' } })), CALLS)[0]![1]).toContainEqual([
      { id: FIRST.trace_id, span_id: FIRST.span_id },
      3,
    ]);
  });

  test('are not sent where an endpoint is to have none', () => {
    expect(sent(life(), false).flatMap(({ exemplars }) => exemplars)).toEqual([]);
  });

  test('are in the text one a line, the highest', () => {
    const one = life();
    const lines = exposition(one.image, {}, one.nowMs, true).split('\n');
    const shown = lines.filter((line) => line.includes(' # ')).map((line) => line.replace(/\{job.*?\}/, ''));
    expect(shown).toEqual([
      `${CALLS} 3 # {trace_id="${SECOND.trace_id}"} 300 ${one.nowMs / 1000}`,
      `${BUCKET} 1 # {span_id="${FIRST.span_id}",trace_id="${FIRST.trace_id}"} 3 ${one.nowMs / 1000}`,
      `${BUCKET} 3 # {trace_id="${SECOND.trace_id}"} 300 ${one.nowMs / 1000}`,
    ]);
    expect(exposition(one.image, {}, one.nowMs, false)).not.toContain(' # {');
  });
});
