import { describe, expect, it } from 'vitest';
import type { Point } from '../../src/index.ts';
import { decodePoints, isCarriedBy, PointEncoder } from '../../src/points/index.ts';
import { mixture, NOW_MS, sample, samples, series } from '../client/points.ts';

const encoder = new PointEncoder();

describe.each(['1.0', '2.0'] as const)('a body of %s read back to points', (protocol) => {
  it('is the same body when it is written again', () => {
    const all: Point[] = [
      ...mixture(),
      ...samples(200),
      sample('not a number', Number.NaN),
      sample('minus zero', -0),
      sample('before the epoch', 1, -5),
      { kind: 'sample', series: series('β', [['ключ', 'значение']]), value: 1, timestampMs: NOW_MS },
    ];
    const points = all.filter((point) => isCarriedBy(protocol, point));
    const body = encoder.encode(protocol, points);
    const read = decodePoints(protocol, body);
    expect(read.map(({ kind }) => kind)).toEqual(points.map(({ kind }) => kind));
    expect(read.map((point) => point.series.hash)).toEqual(points.map((point) => point.series.hash));
    expect(Buffer.compare(encoder.encode(protocol, read), body)).toBe(0);
  });
});

it('a body of 2.0 becomes the same 1.0 body as the points that it was made of', () => {
  const points = mixture().filter((point) => isCarriedBy('1.0', point));
  const read = decodePoints('2.0', encoder.encode('2.0', points));
  expect(Buffer.compare(encoder.encode('1.0', read), encoder.encode('1.0', points))).toBe(0);
});

it('what is no body is an error', () => {
  expect(() => decodePoints('1.0', Buffer.from('not a body'))).toThrow();
  expect(() => decodePoints('2.0', encoder.encode('1.0', samples(3)).subarray(0, 20))).toThrow();
});
