// What goes beyond the limits of bytes and age: the oldest, counted exactly, once, and never something else.

import { describe, expect, it } from 'vitest';
import { body, names, queueRig, SEGMENT, settle } from './rig.ts';

const SEGMENT_HEADER = 32;
/** With its frame. */
const BODY_BYTES = 80 + 20;
const padded = (i: number, samples = 10) => body(`body ${i}`.padEnd(20, '.'), samples);
const numbers = (texts: readonly string[]) => texts.map((text) => Number.parseInt(text.slice(5), 10));

describe('a body that is on its way when its segment is dropped', () => {
  /** The first is on its way, and its segment is gone. */
  async function overrun() {
    const rig = queueRig({ segmentBytes: SEGMENT_HEADER + 2 * BODY_BYTES, maxBytes: 500 }, { isOpen: false });
    for (let i = 0; i < 6; i++) await rig.queue.append(0, padded(i, 100 + i));
    expect(rig.texts()).toHaveLength(1);
    expect(rig.dropped).toEqual([{ reason: 'disk_max_bytes', samples: 101 }]);
    return rig;
  }

  it('is delivered as if nothing had happened, if it can be', async () => {
    const { queue, gate, texts, dropped } = await overrun();
    gate.open();
    await queue.drained();
    expect(numbers(texts())).toEqual([0, 2, 3, 4, 5]);
    expect(dropped).toHaveLength(1);
    expect(queue.stats()).toMatchObject({ settled: 5, lost: 0, bodies: 0, points: { samples: 0 } });
    await queue.close();
  });

  it('is counted as dropped if its sending fails', async () => {
    const { queue, gate, dropped, disk } = await overrun();
    queue.stop();
    gate.abort();
    await queue.close();
    expect(dropped).toEqual([
      { reason: 'disk_max_bytes', samples: 101 },
      { reason: 'disk_max_bytes', samples: 100 },
    ]);
    expect(queue.stats()).toMatchObject({ bodies: 4, settled: 0, dropped: { disk_max_bytes: 2 } });
    const second = queueRig({}, { disk });
    await second.queue.drained();
    expect(numbers(second.texts())).toEqual([2, 3, 4, 5]);
    expect(second.queue.stats()).toMatchObject({ replayed: 4, lost: 0 });
    await second.queue.close();
  });

  it('is counted as lost by the next process if this one is killed', async () => {
    const { disk } = await overrun();
    let next = disk.reborn('kill');
    let lost = 0;
    for (let life = 0; life < 3; life++) {
      const rig = queueRig({}, { disk: next, isOpen: false });
      await rig.queue.ready;
      await settle();
      expect(numbers(rig.texts())).toEqual([2]);
      lost += rig.queue.stats().lost;
      next = rig.disk.reborn('kill');
    }
    expect(lost).toBe(1);
  });

  it('is counted as dropped if it had still to be read', async () => {
    const options = { segmentBytes: SEGMENT_HEADER + 2 * BODY_BYTES, maxBytes: 500 };
    const first = queueRig(options, { isOpen: false });
    for (let i = 0; i < 4; i++) await first.queue.append(0, padded(i, 100 + i));
    const disk = first.disk.reborn('kill');
    // Not as a whole, but each body.
    disk.fault = (operation, _name, range) => (operation === 'read' && range !== undefined ? 'EIO' : undefined);
    const second = queueRig(options, { disk, isPatient: false });
    await second.queue.ready;
    await settle();
    for (let i = 4; i < 6; i++) await second.queue.append(0, padded(i, 100 + i));
    expect(second.dropped).toEqual([{ reason: 'disk_max_bytes', samples: 101 }]);
    await second.queue.close();
    expect(second.dropped.slice(1)).toEqual([{ reason: 'disk_max_bytes', samples: 100 }]);
    expect(second.queue.stats()).toMatchObject({ bodies: 4, dropped: { disk_max_bytes: 2, disk_damaged: 0 } });
  });
});

describe('the limit of bytes', () => {
  it.each([
    ['one body a segment', SEGMENT_HEADER + BODY_BYTES, 300],
    ['two segments', 250, 500],
    ['many segments', SEGMENT_HEADER + 2 * BODY_BYTES, 2_500],
  ])('holds at every moment, and each body is in one place: %s', async (_what, segmentBytes, maxBytes) => {
    const { queue, disk, dropped, gate, texts } = queueRig({ segmentBytes, maxBytes }, { isOpen: false, shards: 2 });
    let most = 0;
    disk.onDone = () => {
      let sum = 0;
      for (const name of names(disk, SEGMENT)) sum += disk.files.get(name)!.content.length;
      most = Math.max(most, sum);
    };
    let samples = 0;
    for (let i = 0; i < 60; i++) {
      samples += i;
      await queue.append(i % 2, padded(i, i));
      const { points, dropped: counts, bodies } = queue.stats();
      const gone = dropped.reduce((sum, one) => sum + one.samples, 0);
      expect(points.samples + gone).toBe(samples);
      expect(bodies + counts.disk_max_bytes).toBe(i + 1);
    }
    expect(most).toBeLessThanOrEqual(maxBytes);
    expect(most).toBeGreaterThan(maxBytes / 2);
    gate.open();
    await queue.drained();
    const { settled, dropped: counts } = queue.stats();
    expect(settled + counts.disk_max_bytes).toBe(60);
    expect(new Set(texts()).size).toBe(settled);
    await queue.close();
  });

  it('holds for bodies of any size: one that is larger than a segment has one of its own, or stays in memory', async () => {
    const { queue, disk, delivered, dropped } = queueRig({ segmentBytes: 200, maxBytes: 800 }, { isOpen: false });
    await queue.append(0, body('a'));
    await queue.append(0, body('b'.repeat(400)));
    expect(names(disk, SEGMENT)).toHaveLength(2);
    const appends = [queue.append(0, body('c'.repeat(700))), queue.append(0, body('d'))];
    await appends[1];
    // Only the one that can't be stored; what comes behind it can.
    expect(queue.stats()).toMatchObject({ bodies: 4, stored: 3, unstored: 1 });
    expect(queue.stats().sizeBytes).toBeLessThanOrEqual(800);
    expect(delivered.map(({ text }) => text)).toEqual(['a']);
    expect(dropped).toEqual([]);
    queue.stop();
  });

  it('counts what a disk does not let go', async () => {
    const { queue, disk } = queueRig({ segmentBytes: 250, maxBytes: 500 }, { isOpen: false });
    await queue.append(0, padded(0));
    disk.fault = (operation, name) =>
      (operation === 'sync' || operation === 'remove') && SEGMENT.test(name) ? 'EIO' : undefined;
    void queue.append(0, padded(1));
    await settle();
    const real = names(disk, SEGMENT).reduce((sum, name) => sum + disk.files.get(name)!.content.length, 0);
    expect(queue.stats()).toMatchObject({ unstored: 1, sizeBytes: real, segments: 1 });
    disk.fault = () => undefined;
    queue.stop();
  });

  it('that has become less holds from the start', async () => {
    const first = queueRig({ segmentBytes: 250, maxBytes: 2_000 }, { isOpen: false });
    for (let i = 0; i < 12; i++) await first.queue.append(0, padded(i));
    const second = queueRig({ segmentBytes: 250, maxBytes: 500 }, { disk: first.disk.reborn('kill'), isOpen: false });
    await second.queue.ready;
    const { sizeBytes, bodies, dropped } = second.queue.stats();
    expect(sizeBytes).toBeLessThanOrEqual(500);
    expect(bodies + dropped.disk_max_bytes).toBe(12);
    second.queue.stop();
  });

  it('leaves room for two segments at least', () => {
    for (const options of [{ segmentBytes: 251, maxBytes: 501 }, { segmentBytes: 2 ** 30 + 1 }, { maxBytes: 1 }]) {
      expect(() => queueRig(options)).toThrow(/diskQueue/);
    }
  });
});

describe('the limit of age', () => {
  it('counts each body once, though its segment stays and the process dies', async () => {
    const clock = { ms: 1_000_000 };
    let { queue, disk } = queueRig({ maxAgeMs: 60_000 }, { isOpen: false, clock });
    for (let i = 0; i < 4; i++) await queue.append(0, padded(i, 10 + i));
    clock.ms += 70_000;
    await queue.append(0, padded(4, 14));
    const counts = [queue.stats().dropped.disk_max_age];
    for (let life = 0; life < 3; life++) {
      const rig = queueRig({ maxAgeMs: 1e9 }, { disk: disk.reborn('kill'), isOpen: false, clock });
      ({ queue, disk } = rig);
      await queue.ready;
      await settle();
      // The one that was on its way is still to be sent, and nothing that was dropped.
      expect(numbers(rig.texts())).toEqual([0]);
      expect(queue.stats()).toMatchObject({ bodies: 2, replayed: 2, points: { samples: 24 } });
      counts.push(queue.stats().dropped.disk_max_age);
    }
    expect(counts).toEqual([3, 0, 0, 0]);
  });

  it('goes by the order of the bodies: a clock that jumps back drops nothing before its time', async () => {
    const clock = { ms: 10_000_000 };
    const { queue, dropped } = queueRig({ maxAgeMs: 60_000 }, { isOpen: false, clock });
    await queue.append(0, padded(0, 1));
    await queue.append(0, padded(1, 2));
    clock.ms = 5_000_000;
    await queue.append(0, padded(2, 3));
    clock.ms = 5_100_000;
    await queue.append(0, padded(3, 4));
    // The third looks too old, but lies behind one that doesn't.
    expect(dropped).toEqual([]);
    clock.ms = 10_061_000;
    await queue.append(0, padded(4, 5));
    expect(dropped.map(({ samples }) => samples)).toEqual([2, 3, 4]);
    queue.stop();
  });

  it('drops what was sharded otherwise in its order, and the cursor knows', async () => {
    const clock = { ms: 1_000_000 };
    const first = queueRig({ maxAgeMs: 60_000 }, { isOpen: false, clock, shards: 2 });
    for (let i = 0; i < 4; i++) await first.queue.append(i % 2, padded(i, i));
    first.queue.relayout(3);
    for (let i = 4; i < 7; i++) await first.queue.append(i % 3, padded(i, i));
    clock.ms += 61_000;
    await first.queue.append(0, padded(7, 7));
    expect(first.dropped.map(({ samples }) => samples).toSorted()).toEqual([2, 3, 4, 5, 6]);
    const second = queueRig({ maxAgeMs: 1e9 }, { disk: first.disk.reborn('kill'), clock, shards: 3 });
    await second.queue.drained();
    expect(numbers(second.texts()).toSorted()).toEqual([0, 1, 7]);
    expect(second.texts().at(-1)).toContain('body 7');
    await second.queue.close();
  });
});
