import { describe, expect, it } from 'vitest';
import { exposition } from '../../src/shard/exposition.ts';
import { Life, T } from './life.ts';

const LATENCY = 'traces_spanmetrics_latency';
const LABELS = 'service="web",span_kind="SPAN_KIND_SERVER",span_name="GET",status_code="STATUS_CODE_UNSET"';

function textOf(mode: 'native' | 'both', openMetrics: boolean): string[] {
  const life = new Life({ histogramMode: mode }).push([0, 1_000, 1_500]).at(15_000);
  life.boundary();
  return exposition(life.image, {}, T + 15_000, openMetrics).split('\n');
}

describe('native histograms as text', () => {
  it.each([false, true])('are the bucket of all, sum and count (OpenMetrics: %s)', (openMetrics) => {
    expect(textOf('native', openMetrics)).toEqual([
      `# TYPE ${LATENCY} histogram`,
      `${LATENCY}_bucket{le="+Inf",${LABELS}} 3`,
      `${LATENCY}_sum{${LABELS}} 2.5`,
      `${LATENCY}_count{${LABELS}} 3`,
      ...(openMetrics ? ['# EOF'] : []),
      '',
    ]);
  });

  it('add nothing to the classic ones where there are both', () => {
    const lines = textOf('both', false).filter((line) => line !== '');
    expect(lines).toHaveLength(18);
    expect(lines.filter((line) => /_(bucket|sum|count)\{/.test(line))).toHaveLength(17);
    expect(lines).toContain(`${LATENCY}_bucket{le="1.024",${LABELS}} 2`);
    expect(lines).toContain(`${LATENCY}_count{${LABELS}} 3`);
  });
});
