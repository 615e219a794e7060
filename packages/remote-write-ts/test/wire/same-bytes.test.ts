import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  createSeries,
  encodeLabels,
  type LabelPair,
  type Metadata,
  type Series,
  WriteRequestBuilder,
  WriteRequestV2Builder,
} from '../../src/index.ts';
import { type PlainSample, plainRequest, plainRequestV2 } from './plain.ts';
import { anyExemplars, anyTimestampMs, anyValue } from './points.ts';

// Few names, values, times and kinds of metadata, so that samples share them, and often all but the value.
const text = fc.constantFrom('a', 'b', 'zone', 'Ünïcode', '🙂', 'x'.repeat(130), 'trace_id', 'Help.', 's');
const metadata: fc.Arbitrary<Metadata | undefined> = fc.constantFrom(
  undefined,
  { type: 'counter', help: 'Help.' } as const,
  { type: 'gauge', help: 'Help.', unit: 's' } as const,
);
const NOW_MS = 1_700_000_000_000;

/** Enough for the length of a series to take more than one byte. */
const MANY = Array.from({ length: 60 }, (_, i): LabelPair => [`label${i}`, `value${i}`]);

const anySample: fc.Arbitrary<PlainSample> = fc
  .record({
    names: fc.uniqueArray(text, { maxLength: 4 }),
    values: fc.array(fc.oneof(text, fc.string({ unit: 'binary', minLength: 1 })), { minLength: 5, maxLength: 5 }),
    hasMany: fc.constantFrom(false, false, true),
    metadata,
    value: fc.oneof(
      { weight: 6, arbitrary: anyValue },
      { weight: 1, arbitrary: fc.constantFrom(Number.NaN, 'stale' as const) },
    ),
    timestampMs: fc.oneof({ weight: 5, arbitrary: fc.constantFrom(NOW_MS, NOW_MS + 1, -1) }, anyTimestampMs),
    startedAgoMs: fc.constantFrom(undefined, undefined, 1, 60_000),
    exemplars: fc.oneof({ weight: 4, arbitrary: fc.constant([]) }, { weight: 1, arbitrary: anyExemplars }),
  })
  .map(({ names, values, hasMany, value, timestampMs, startedAgoMs, exemplars, ...rest }) => {
    const some = names.map((name, i): LabelPair => [name, values[i]!]);
    const labels: LabelPair[] = [['__name__', values[4]!], ...some, ...(hasMany ? MANY : [])];
    const isPlain = value === 'stale';
    const startMs = startedAgoMs === undefined || isPlain ? 0 : Math.max(timestampMs - startedAgoMs, -(2 ** 53 - 1));
    return { ...rest, labels, value, timestampMs, startMs, exemplars: isPlain ? [] : exemplars };
  });

// Made once and sent in many requests, as handles are, so that one has been in all kinds of company.
const known = new Map<string, Series>();
function seriesOf({ labels, metadata: of }: PlainSample): Series {
  const key = JSON.stringify([labels, of]);
  const made = known.get(key) ?? createSeries(labels, of);
  known.set(key, made);
  return made;
}

function add(builder: WriteRequestV2Builder, sample: PlainSample): void {
  const { value, timestampMs, startMs, exemplars } = sample;
  if (value === 'stale') builder.addStale(seriesOf(sample), timestampMs);
  else builder.addSample(seriesOf(sample), value, timestampMs, { startMs, exemplars });
}

function addV1(builder: WriteRequestBuilder, sample: PlainSample, isBytes: boolean): void {
  const { value, timestampMs, exemplars } = sample;
  const labels = isBytes ? encodeLabels(sample.labels) : seriesOf(sample);
  if (value === 'stale') builder.addStale(labels, timestampMs);
  else if (exemplars.length === 0) builder.addSample(labels, value, timestampMs);
  else builder.addSampleWithExemplars(labels, value, timestampMs, exemplars);
}

describe('the bytes of a request', () => {
  it('on 1.0 are those of the plainest encoder, whether series are given or their bytes', () => {
    const builder = new WriteRequestBuilder(16);
    fc.assert(
      fc.property(fc.array(fc.tuple(anySample, fc.boolean()), { maxLength: 20 }), (samples) => {
        builder.reset();
        for (const [sample, isBytes] of samples) addV1(builder, sample, isBytes);
        expect(Buffer.compare(builder.uncompressed(), plainRequest(samples.map(([sample]) => sample)))).toBe(0);
      }),
      { numRuns: 300 },
    );
  });

  it('on 2.0 are those of the plainest encoder, whatever other requests are made meanwhile', () => {
    const builders = [new WriteRequestV2Builder(16), new WriteRequestV2Builder(16)];
    fc.assert(
      fc.property(fc.array(fc.tuple(anySample, fc.constantFrom(0, 0, 0, 1)), { maxLength: 30 }), (samples) => {
        for (const builder of builders) builder.reset();
        for (const [sample, which] of samples) add(builders[which]!, sample);
        for (const [which, builder] of builders.entries()) {
          const own = samples.filter(([, of]) => of === which).map(([sample]) => sample);
          expect(Buffer.compare(builder.uncompressed(), plainRequestV2(own))).toBe(0);
        }
      }),
      { numRuns: 500 },
    );
  });

  it('on 2.0 are those of the plainest encoder where names and values have places of one, two and three bytes', () => {
    const samples = Array.from({ length: 6_000 }, (_, i): PlainSample => {
      const labels: LabelPair[] = [
        ['__name__', `m${i % 4}`],
        [`name${i}`, `value${i}`],
        [`other${i}`, `value${Math.floor(i / 2)}`],
      ];
      return { labels, metadata: undefined, value: i, timestampMs: NOW_MS, startMs: 0, exemplars: [] };
    });
    // Once as they come, and once more when all their strings are known.
    const twice = [...samples, ...samples];
    const builder = new WriteRequestV2Builder();
    for (const sample of twice) add(builder, sample);
    expect(Buffer.compare(builder.uncompressed(), plainRequestV2(twice))).toBe(0);
  });
});
