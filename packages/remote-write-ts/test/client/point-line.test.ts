import { describe, expect, it } from 'vitest';
import { BatchEncoder } from '../../src/client/batch-encoder.ts';
import { PointLine } from '../../src/client/point-line.ts';
import type { PointRun } from '../../src/client/point-run.ts';
import { createSeries, type Point } from '../../src/index.ts';
import { countPoints, exemplarsOf, PointEncoder, timeRange } from '../../src/points/index.ts';
import { type Random, seeded } from '../disk-queue/random.ts';
import { mixture, NOW_MS, sample, series } from './points.ts';

/** Of any kind; most are samples. @param share of those that are more. */
function anyPoint(random: Random, i: number, share: number): Point {
  const timestampMs = NOW_MS - random.below(100_000);
  if (random.chance(share)) return mixture(timestampMs)[random.below(5)]!;
  const startMs = random.chance(0.3) ? timestampMs - random.below(1000) : undefined;
  return { ...sample(`s${i % 50}`, i, timestampMs), ...(startMs && { startMs }) };
}

function weightOf(points: readonly Point[]): number {
  return points.reduce((sum, point) => sum + 1 + exemplarsOf(point).length, 0);
}

function lineOf(points: readonly Point[]): PointLine {
  const line = new PointLine();
  for (const point of points) line.push(point);
  return line;
}

describe('a line of points', () => {
  it.each([0, 0.02, 0.5])('gives out in its order what came in, whatever is done with it (%d odd ones)', (share) => {
    const random = seeded(7);
    const line = new PointLine();
    let waiting: Point[] = [];
    let pushed = 0;
    for (let turn = 0; turn < 400; turn++) {
      for (let i = random.below(turn % 100 === 50 ? 3_000 : 60); i > 0; i--) {
        const point = anyPoint(random, pushed++, share);
        line.push(point);
        waiting.push(point);
      }
      if (waiting.length > 0 && random.chance(0.3)) {
        expect(line.dropFirst()).toEqual(countPoints([waiting[0]!]));
        waiting = waiting.slice(1);
      }
      if (waiting.length > 0 && random.chance(0.7)) {
        const maxWeight = 1 + random.below(random.chance(0.1) ? 5_000 : 50);
        const run = line.take(maxWeight);
        expectRun(run, waiting.slice(0, run.length));
        const next = waiting.slice(0, run.length + 1);
        if (run.length > 1) expect(weightOf(run.points)).toBeLessThanOrEqual(maxWeight);
        if (next.length > run.length) expect(weightOf(next)).toBeGreaterThan(maxWeight);
        waiting = waiting.slice(run.length);
      }
      expect(line.length).toBe(waiting.length);
      expect(line.weight).toBe(weightOf(waiting));
    }
  });

  it('has copied a sample, so that its object may be used again', () => {
    const point = { kind: 'sample' as const, series: series('a'), value: 1, timestampMs: NOW_MS };
    const line = lineOf([point]);
    point.value = 2;
    expect(line.take(1).points).toMatchObject([{ value: 1 }]);
  });

  it('gives one point at least, however heavy', () => {
    const [heavy] = mixture();
    expect(lineOf([heavy!, sample('b')]).take(1).points).toEqual([heavy]);
  });
});

describe('a run of samples', () => {
  const of = createSeries([['__name__', 'x']]);
  const points: Point[] = [
    sample(series('a'), 1, NOW_MS),
    { ...sample(of, Number.NaN, NOW_MS - 5), startMs: NOW_MS - 100 } as Point,
    sample(series('a'), Number.NEGATIVE_INFINITY, -1),
    sample(of, -0, NOW_MS + 1),
  ];

  it.each(['1.0', '2.0'] as const)('is the same body as its points (%s)', (protocol) => {
    const run = lineOf(points).take(10);
    expect(new BatchEncoder().encodeRun(protocol, run)).toEqual(new PointEncoder().encode(protocol, points));
  });

  it.each(['1.0', '2.0'] as const)('is the same body with other points among them (%s)', (protocol) => {
    const mixed = [...points, ...mixture().slice(0, 4), ...points.map((point) => ({ ...point, series: series('z') }))];
    const run = lineOf(mixed).take(100);
    expect(run.length).toBe(mixed.length);
    expect(new BatchEncoder().encodeRun(protocol, run)).toEqual(new PointEncoder().encode(protocol, mixed));
  });

  it('counts what has metadata on 2.0', () => {
    const run = lineOf(points).take(10);
    expect(run.counts('2.0')).toEqual({ samples: 4, histograms: 0, exemplars: 0, metadata: 2 });
    expect(run.counts('1.0').metadata).toBe(0);
  });
});

function expectRun(run: PointRun, points: readonly Point[]): void {
  expect(run.points).toEqual(points);
  expect(run.pointCounts).toEqual(countPoints(points));
  expect(run.timeRange).toEqual(timeRange(points));
}
