// Which record a shard has in hand, at whatever moment its worker might end.

import { expect, it } from 'vitest';
import { Shard } from '../../src/shard/shard.ts';
import { settingsWith } from '../invariants/support/settings.ts';
import { SimLog } from '../invariants/support/sim-log.ts';
import { span } from '../invariants/support/spans.ts';

const T = Date.UTC(2026, 0, 1);

it('is one only while that is folded: closes, timers and snapshots are no record', () => {
  let inHand = -1;
  const seen: { at: string; inHand: number }[] = [];
  const note = (at: string) => seen.push({ at, inHand });
  const shard = new Shard({
    boundaryMs: 15_000,
    engine: 'test',
    settingsOf: () => settingsWith({ processors: ['span-metrics'] }),
    onSnapshot: () => note('snapshot'),
    onBase: () => undefined,
    onFolded: () => undefined,
    onPoison: () => undefined,
    inHand: (partition, offset) => {
      inHand = partition < 0 ? -1 : offset;
    },
  });
  const { fold } = shard;
  const [advance, push] = [fold.advance.bind(fold), fold.push.bind(fold)];
  fold.advance = (tMs) => {
    note('timers');
    advance(tMs);
  };
  fold.push = (...record) => {
    note('record');
    push(...record);
  };
  shard.begin({ tMs: undefined, offsets: [[0, 0]], lastRecords: [], epoch: 1, claim: 1, isFinal: false });
  const log = new SimLog(1);
  const endMs = T + 20_000;
  for (const atMs of [T, T + 2_500, T + 16_000]) log.append(atMs, [span(atMs)]);
  const read = log.read(0, 0, endMs, 100)!;
  shard.offer(read.batch!);
  shard.end({ partition: 0, end: 3, wallMs: endMs });
  while (shard.run(endMs, 100));
  expect(shard.records).toBe(3);
  expect(seen.filter(({ at }) => at === 'snapshot')).toEqual([{ at: 'snapshot', inHand: -1 }]);
  expect(seen.filter(({ at }) => at === 'timers').length).toBeGreaterThan(3);
  expect(seen.filter(({ at, inHand: offset }) => (at === 'record') !== offset >= 0)).toEqual([]);
});
