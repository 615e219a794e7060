// What a sampled span stands for (W3C trace context; OpenTelemetry's tracestate entry with th and rv).

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Fold } from '../../src/fold/index.ts';
import { tracestateWeight } from '../../src/processors/span-weight.ts';
import { imageOf, seriesOfImage } from '../fold/series.ts';
import { settingsWith } from '../fold/settings.ts';
import { type Attributes, plainSpan, requestBytes } from '../fold/spans.ts';

describe('the weight that a tracestate asks for', () => {
  test.each([
    ['ot=th:8', 2],
    ['ot=th:c', 4],
    ['ot=th:0', 1],
    ['ot=th:00', 1],
    ['ot=th:fffff', 1_048_576],
    ['ot=th:ffffffffffffff', 2 ** 56],
    [' ot=th:8 ', 2],
    ['vendor=1, ot=th:8 ,other=2', 2],
    ['ot=th:8;x:y', 2],
    ['ot=rv:0123456789abcd;th:8', 2],
    ['ot=th:8,ot=th:c', 2],
    // 1 / (1 - 0.75 / 2) = 1.6: a third and a bit of the random values give 2, the others 1.
    ['ot=th:6;rv:00000000000000', 2],
    ['ot=th:6;rv:ffffffffffffff', 1],
    ['ot=th:6', 1.6],
    // Nothing, or nothing valid:
    ['', 0],
    ['vendor=th:8', 0],
    ['ot=', 0],
    ['ot=th:', 0],
    ['ot=th:8;', 0],
    ['ot=;th:8', 0],
    ['ot=th:g', 0],
    ['ot=th:8;rv:123', 0],
    ['ot=th:8A', 0],
    ['ot=TH:8', 0],
    ['ot=th:0123456789abcde', 0],
    ['ot=rv:0123456789abcd', 0],
    ['ot=th:8;x: y', 0],
    [`ot=th:8;x:${'y'.repeat(250)}`, 0],
    ['OT=th:8', 0],
  ])('"%s" is %d', (state, weight) => {
    expect(tracestateWeight(state)).toBeCloseTo(weight, 9);
  });

  test('is 2^56 / (2^56 - threshold), whatever the digits', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 14 }), fc.bigInt(0n, 2n ** 56n - 1n), (digits, value) => {
        const hex = value.toString(16).padStart(14, '0').slice(0, digits);
        const range = 16n ** BigInt(digits);
        const expected = Number(range) / Number(range - BigInt(`0x${hex}`));
        const weight = tracestateWeight(`ot=th:${hex}`);
        expect(Math.abs(weight / expected - 1)).toBeLessThan(1e-12);
        expect(weight).toBeGreaterThanOrEqual(1);
      }),
    );
  });
});

describe('the weight of a span', () => {
  const T = Date.UTC(2026, 0, 1);
  const NS = BigInt(T) * 1_000_000n;

  function calls(span: Attributes, resource: Attributes, state = ''): number {
    const settings = settingsWith({
      processors: ['span-metrics-count'],
      spanMetrics: { spanMultiplierKey: 'ratio', enableTracestateSpanMultiplier: true },
    });
    const fold = new Fold({ settingsOf: () => settings, originMs: T });
    fold.push(
      't',
      T,
      T,
      requestBytes([{ resource, spans: [plainSpan({ startNs: NS, endNs: NS, state, attributes: span })] }]),
      false,
    );
    return [...seriesOfImage(imageOf(fold.collect(T))).values()][0]!;
  }

  test.each<[string, number, Attributes, Attributes, string]>([
    ['1 where nothing says anything', 1, [], [], ''],
    ['1 / ratio of the span', 4, [['ratio', 0.25]], [['ratio', 0.5]], ''],
    ['1 / ratio of the resource where the span has none', 2, [], [['ratio', 0.5]], ''],
    ['below 1 for a ratio above 1', 0.5, [['ratio', 2]], [], ''],
    [
      'that of the first attribute that is a double above 0',
      8,
      [
        ['ratio', '0.5'],
        ['ratio', 0],
        ['ratio', -1],
        ['ratio', 0.125],
        ['ratio', 0.5],
      ],
      [],
      '',
    ],
    [
      'that of the resource where all of the span are of no use',
      2,
      [
        ['ratio', 1n],
        ['ratio', 'x'],
      ],
      [
        ['ratio', 0],
        ['ratio', 0.5],
      ],
      '',
    ],
    ['1 where an int is given', 1, [['ratio', 2n]], [], ''],
    ['that of the tracestate first', 2, [['ratio', 0.1]], [], 'ot=th:8'],
    ['that of the attribute where the tracestate says nothing', 10, [['ratio', 0.1]], [], 'ot=x:8'],
  ])('is %s', (_, weight, span, resource, state) => {
    expect(calls(span, resource, state)).toBeCloseTo(weight, 9);
  });
});
