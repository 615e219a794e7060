// The disk queue on a simulated disk, one rule at a time. Long, as it is a list of rules over one rig; faults and crashes are in files of their own.

import { describe, expect, it } from 'vitest';
import { DiskQueueError, SenderError } from '../../src/index.ts';
import { body, queueRig, settle } from './rig.ts';

const range = (count: number, from = 0) => Array.from({ length: count }, (_, i) => `body ${from + i}`);

/** With its frame. */
const BODY_BYTES = 80 + 20;
const padded = (i: number) => body(`body ${i}`.padEnd(20, '.'), 10);

describe('a disk queue', () => {
  it('delivers what it is given, each shard in its order, and forgets it', async () => {
    const { queue, delivered } = queueRig({}, { shards: 3 });
    await Promise.all(range(30).map((text, i) => queue.append(i % 3, body(text))));
    await queue.drained();
    for (const shard of [0, 1, 2]) {
      const own = delivered.filter(({ text }) => Number(text.slice(5)) % 3 === shard).map(({ text }) => text);
      expect(own).toEqual(range(30).filter((_, i) => i % 3 === shard));
    }
    expect(delivered.every(({ isRepeat, isStored }) => !isRepeat && isStored)).toBe(true);
    expect(queue.stats()).toMatchObject({ bodies: 0, stored: 30, settled: 30, unstored: 0, points: { samples: 0 } });
    await queue.close();
  });

  it('accepts while nothing is delivered, and has one body of each shard on its way', async () => {
    const { queue, delivered, gate } = queueRig({}, { isOpen: false, shards: 2 });
    for (const [i, text] of range(20).entries()) await queue.append(i % 2, body(text));
    expect(delivered.map(({ text }) => text)).toEqual(['body 0', 'body 1']);
    expect(queue.stats()).toMatchObject({ bodies: 20, points: { samples: 20 }, oldestMs: 1_000_000 });
    gate.open();
    await queue.drained();
    expect(delivered).toHaveLength(20);
    await queue.close();
  });

  it('has written and synced a body before it is sent', async () => {
    const { queue, disk, delivered, gate } = queueRig({}, { isOpen: false });
    disk.fault = (operation) => {
      if (operation === 'sync') expect(delivered).toEqual([]);
      return undefined;
    };
    await queue.append(0, body('first'));
    disk.fault = () => undefined;
    const stored = [...disk.files].find(([name]) => name.endsWith('.segment'))![1];
    expect(stored.durable.includes('first')).toBe(true);
    gate.open();
    await queue.close();
  });

  it('goes on where the process before has ended, and says which body may be a repeat', async () => {
    const first = queueRig({}, { isOpen: false, shards: 2 });
    for (const [i, text] of range(6).entries()) await first.queue.append(i % 2, body(text));
    const second = queueRig({}, { disk: first.disk.reborn('kill'), shards: 2 });
    await second.queue.append(0, body('new'));
    await second.queue.drained();
    const repeats = second.delivered.filter(({ isRepeat }) => isRepeat).map(({ text }) => text);
    expect(repeats.toSorted()).toEqual(['body 0', 'body 1']);
    expect(second.texts().toSorted()).toEqual([...range(6), 'new']);
    expect(second.texts().indexOf('new')).toBeGreaterThan(second.texts().indexOf('body 4'));
    expect(second.queue.stats()).toMatchObject({ replayed: 6, lost: 0, tornBytes: 0 });
    await second.queue.close();
  });

  it('leaves what it has no time for to the next process when it is closed', async () => {
    const first = queueRig({}, { isOpen: false });
    for (const text of range(3)) await first.queue.append(0, body(text));
    first.queue.stop();
    first.gate.abort();
    await first.queue.append(0, body('while it stops'));
    await first.queue.close();
    const second = queueRig({}, { disk: first.disk });
    await second.queue.drained();
    expect(second.texts()).toEqual([...range(3), 'while it stops']);
    await second.queue.close();
  });

  it('that is closed stores what is being appended, and takes nothing after that', async () => {
    const first = queueRig({}, { isOpen: false });
    const appends = range(3).map((text) => first.queue.append(0, body(text)));
    first.gate.abort();
    const closed = first.queue.close();
    await expect(first.queue.append(0, body('late'))).rejects.toMatchObject({ code: 'closed' });
    await Promise.all([...appends, closed]);
    const second = queueRig({}, { disk: first.disk });
    await second.queue.drained();
    expect(second.texts()).toEqual(range(3));
    await second.queue.close();
  });

  it('remembers what was settled in a segment that it keeps for other bodies', async () => {
    // Shard 1 never gets on, so nothing can be removed; shard 0 must not be sent again, however often it is opened.
    let { queue, disk, delivered } = queueRig({}, { shards: 2, isOpen: false });
    await queue.append(1, body('stuck'));
    await queue.append(0, body('zero'));
    for (let life = 0; life < 4; life++) {
      const next = queueRig({}, { disk: disk.reborn('kill'), shards: 2, isOpen: false });
      ({ queue, disk, delivered } = next);
      await queue.ready;
      await settle();
      expect(delivered.map(({ text }) => text).toSorted()).toEqual(life === 0 ? ['stuck', 'zero'] : ['stuck']);
      if (life === 0) next.gate.answer('zero');
      await settle();
    }
    await queue.append(0, body('later'));
    expect(queue.stats()).toMatchObject({ bodies: 2, replayed: 1 });
  });

  it('serves bodies that were sharded otherwise only when all before them have their final fate', async () => {
    const first = queueRig({}, { isOpen: false, shards: 3 });
    for (const shard of [0, 1, 2]) await first.queue.append(shard, body(`old ${shard}`));
    first.queue.relayout(1);
    await first.queue.append(0, body('new'));
    await settle();
    expect(first.texts()).toEqual(['old 0', 'old 1', 'old 2']);
    const second = queueRig({}, { disk: first.disk.reborn('kill'), shards: 2, isOpen: false });
    await second.queue.append(1, body('newest'));
    await settle();
    expect(second.texts().toSorted()).toEqual(['old 0', 'old 1', 'old 2']);
    second.gate.open();
    await second.queue.drained();
    expect(second.texts().slice(3)).toEqual(['new', 'newest']);
    await second.queue.close();
  });
});

describe('limits', () => {
  it('of bytes drop the oldest segment, counted by bodies and points, and nothing newer', async () => {
    const { queue, delivered, dropped, gate } = queueRig(
      { segmentBytes: 3 * BODY_BYTES + 32, maxBytes: 10 * BODY_BYTES },
      { isOpen: false },
    );
    for (let i = 0; i < 20; i++) {
      await queue.append(0, padded(i));
      expect(queue.stats().sizeBytes).toBeLessThanOrEqual(10 * BODY_BYTES);
    }
    const { bodies, dropped: counts } = queue.stats();
    expect(counts.disk_max_bytes).toBeGreaterThan(5);
    expect(bodies + counts.disk_max_bytes).toBe(20);
    expect(dropped).toHaveLength(counts.disk_max_bytes);
    expect(new Set(dropped.map(({ reason, samples }) => `${reason} ${samples}`))).toEqual(
      new Set(['disk_max_bytes 10']),
    );
    gate.open();
    await queue.drained();
    const arrived = delivered.map(({ text }) => Number.parseInt(text.slice(5), 10));
    // The one that was on its way, and the newest.
    expect(arrived).toEqual([0, ...Array.from({ length: bodies - 1 }, (_, i) => 20 - bodies + 1 + i)]);
    await queue.close();
  });

  it('of age drop what waits longer, counted, also after a restart', async () => {
    const first = queueRig({ maxAgeMs: 60_000 }, { isOpen: false });
    await first.queue.append(0, body('on its way'));
    await first.queue.append(0, body('old'));
    first.clock.ms += 50_000;
    await first.queue.append(0, body('older by then'));
    first.clock.ms += 20_000;
    await first.queue.append(0, body('young'));
    expect(first.dropped).toEqual([{ reason: 'disk_max_age', samples: 1 }]);
    const second = queueRig({ maxAgeMs: 15_000 }, { disk: first.disk.reborn('kill') });
    second.clock.ms = first.clock.ms;
    await second.queue.ready;
    await second.queue.drained();
    expect(second.texts()).toEqual(['young']);
    // The one that the process before has counted is counted no more.
    expect(second.queue.stats()).toMatchObject({ replayed: 3, dropped: { disk_max_age: 2 } });
    await second.queue.close();
  });

  it('refuses options that cannot work', () => {
    for (const options of [
      { dir: '' },
      { segmentBytes: 0 },
      { segmentBytes: 100, maxBytes: 199 },
      { maxAgeMs: 0 },
      { fsync: 'always' as never },
    ]) {
      expect(() => queueRig(options)).toThrow(SenderError);
    }
  });
});

describe('a disk that fails', () => {
  it('does not stop delivery: what it refuses is sent from memory, and accepted when it has arrived', async () => {
    const { queue, disk, delivered, gate, warnings, clock } = queueRig({}, { isOpen: false });
    await queue.append(0, body('stored'));
    disk.fault = (operation) => (operation === 'write' ? 'ENOSPC' : undefined);
    let isAccepted = false;
    const appended = queue.append(0, body('refused')).then(() => {
      isAccepted = true;
    });
    await settle();
    expect(isAccepted).toBe(false);
    expect(queue.stats()).toMatchObject({ stored: 1, unstored: 1, errors: { write: 2 } });
    expect(queue.stats().lastError).toContain('ENOSPC');
    gate.open();
    await appended;
    expect(delivered.map(({ text, isStored }) => [text, isStored])).toEqual([
      ['stored', true],
      ['refused', false],
    ]);
    disk.fault = () => undefined;
    await queue.append(0, body('while it is left alone'));
    clock.ms += 1_000;
    await queue.append(0, body('again'));
    expect(delivered.at(-1)).toMatchObject({ text: 'again', isStored: true });
    expect(queue.stats()).toMatchObject({ stored: 2, unstored: 2 });
    expect(warnings).toEqual([expect.stringContaining('takes no data'), expect.stringContaining('takes data again')]);
    await queue.close();
  });

  it('is not believed after a sync that failed: the body is written again, to a new segment', async () => {
    const { queue, disk, gate } = queueRig({}, { isOpen: false });
    await queue.append(0, body('first'));
    let syncs = 0;
    disk.fault = (operation, name) =>
      operation === 'sync' && name.endsWith('.segment') && syncs++ === 0 ? 'EIO' : undefined;
    await queue.append(0, body('second'));
    expect(queue.stats()).toMatchObject({ stored: 2, unstored: 0, segments: 2, errors: { sync: 1 } });
    const afterPower = queueRig({}, { disk: disk.reborn('power') });
    await afterPower.queue.ready;
    await afterPower.queue.drained();
    expect(afterPower.texts()).toEqual(['first', 'second']);
    gate.open();
    await afterPower.queue.close();
  });

  it('holds nobody up when the queue is closed: what is only in memory is given to the abort', async () => {
    const { queue, disk, delivered, gate } = queueRig({}, { isOpen: false });
    disk.fault = (operation) => (operation === 'write' ? 'ENOSPC' : undefined);
    const appends = ['a', 'b', 'c'].map((text) => queue.append(0, body(text)));
    await settle();
    queue.stop();
    gate.abort();
    await Promise.all(appends);
    expect(delivered.map(({ text, isStored }) => [text, isStored])).toEqual([
      ['a', false],
      ['b', false],
      ['c', false],
    ]);
    await queue.close();
  });

  it('reads again what it could not read, and gives it up as damaged only after a while', async () => {
    const { queue, disk, gate, dropped, sleeps, texts } = queueRig({}, { isOpen: false });
    for (const text of range(5)) await queue.append(0, body(text));
    let failures = 0;
    disk.fault = (operation) => (operation === 'read' && failures++ < 3 ? 'EIO' : undefined);
    gate.open();
    await queue.drained();
    expect(texts()).toEqual(range(5));
    expect(sleeps).toEqual([1000, 1000, 1000]);
    gate.isOpen = false;
    for (const text of range(4, 5)) await queue.append(0, body(text));
    await settle();
    failures = Number.NEGATIVE_INFINITY;
    gate.open();
    await queue.drained();
    expect(dropped.map(({ reason }) => reason)).toEqual(['disk_damaged', 'disk_damaged']);
    expect(queue.stats().errors.read).toBe(3 + 20);
    await queue.close();
  });

  it('whose cursor cannot be written goes on, and costs repeats', async () => {
    const first = queueRig();
    first.disk.fault = (operation, name) => (operation !== 'read' && name.startsWith('cursor') ? 'EIO' : undefined);
    for (const text of range(3)) await first.queue.append(0, body(text));
    await first.queue.drained();
    expect(first.queue.stats().errors.cursor).toBeGreaterThan(0);
    const second = queueRig({}, { disk: first.disk.reborn('kill') });
    await second.queue.drained();
    expect(second.delivered).toEqual(range(3).map((text) => ({ text, isRepeat: true, isStored: true })));
    await second.queue.close();
  });
});

describe('damage', () => {
  /** A closed queue with segments of two bodies each. */
  async function stored(count: number) {
    const rig = queueRig({ segmentBytes: 2 * BODY_BYTES + 32, maxBytes: 1e6 }, { isOpen: false });
    for (let i = 0; i < count; i++) await rig.queue.append(0, padded(i));
    const disk = rig.disk.reborn('kill');
    const segments = [...disk.files].filter(([name]) => name.endsWith('.segment')).toSorted();
    return { disk, contents: segments.map(([, { content }]) => content) };
  }
  async function replay(disk: ReturnType<typeof queueRig>['disk']) {
    const rig = queueRig({}, { disk });
    await rig.queue.ready;
    await rig.queue.drained();
    await rig.queue.close();
    return { ...rig, numbers: rig.texts().map((text) => Number.parseInt(text.slice(5), 10)) };
  }

  it("in the middle costs the body that it hit, by its points if the frame's header is sound", async () => {
    const { disk, contents } = await stored(6);
    contents[1]![32 + 80 + 3]! ^= 1;
    const { numbers, queue, dropped } = await replay(disk);
    expect(numbers).toEqual([0, 1, 3, 4, 5]);
    expect(dropped).toEqual([{ reason: 'disk_damaged', samples: 10 }]);
    expect(queue.stats()).toMatchObject({ lost: 0, dropped: { disk_damaged: 1 } });
  });

  it("of a frame's header is counted as a body lost", async () => {
    const { disk, contents } = await stored(6);
    contents[1]![32 + 10]! ^= 1;
    const { numbers, queue, dropped, warnings } = await replay(disk);
    expect(numbers).toEqual([0, 1, 3, 4, 5]);
    expect(dropped).toEqual([]);
    expect(queue.stats()).toMatchObject({ lost: 1 });
    expect(warnings).toEqual(["disk queue: 0 bodies are damaged, and 1 can't be found"]);
  });

  it('is counted once, when it is its turn, however often the queue is opened before', async () => {
    let { disk, contents } = await stored(8);
    contents[1]![32 + 10]! ^= 1;
    contents[2]![32 + 80 + 3]! ^= 1;
    const sums = { lost: 0, dropped: 0 };
    for (let life = 0; life < 5; life++) {
      const rig = queueRig({}, { disk, isOpen: life >= 3 });
      await rig.queue.ready;
      if (life >= 3) await rig.queue.drained();
      await settle();
      const { lost, dropped, replayed } = rig.queue.stats();
      sums.lost += lost;
      sums.dropped += dropped.disk_damaged;
      expect(rig.dropped).toEqual(life === 3 ? [{ reason: 'disk_damaged', samples: 10 }] : []);
      if (life < 3) expect({ ...sums, replayed }).toEqual({ lost: 0, dropped: 0, replayed: 7 });
      disk = rig.disk.reborn('kill');
    }
    expect(sums).toEqual({ lost: 1, dropped: 1 });
  });

  it('of the last body is no torn end, if the cursor knows of it', async () => {
    const first = queueRig({}, { isOpen: false, shards: 2 });
    for (let i = 0; i < 3; i++) await first.queue.append(i % 2, padded(i));
    first.queue.stop();
    first.gate.abort();
    await first.queue.close();
    const disk = first.disk.reborn('kill');
    const { content } = [...disk.files].find(([name]) => name.endsWith('.segment'))![1];
    content[content.length - 1]! ^= 1;
    const { numbers, queue, dropped } = await replay(disk);
    expect(numbers.toSorted()).toEqual([0, 1]);
    expect(dropped).toEqual([{ reason: 'disk_damaged', samples: 10 }]);
    expect(queue.stats()).toMatchObject({ tornBytes: 0, lost: 0 });
  });

  it("of a segment's header costs that segment, and those behind it go on", async () => {
    const { disk, contents } = await stored(6);
    contents[1]![3]! ^= 1;
    const { numbers, queue } = await replay(disk);
    expect(numbers).toEqual([0, 1, 4, 5]);
    expect(queue.stats()).toMatchObject({ lost: 2, segments: 0 });
  });

  it('that left an empty segment which cannot be removed does not end one that is written later', async () => {
    const { disk } = await stored(1);
    await disk.open('0000000000000003-00000009.segment', 'create');
    disk.fault = (operation) => (operation === 'remove' ? 'EIO' : undefined);
    const second = queueRig({}, { disk, isOpen: false });
    for (let i = 1; i < 5; i++) await second.queue.append(0, padded(i));
    const { numbers, queue } = await replay(disk.reborn('kill'));
    expect(numbers).toEqual([0, 1, 2, 3, 4]);
    expect(queue.stats().lost).toBe(0);
  });

  it('at the end is what was being written: it is cut off, once, and is no loss', async () => {
    const { disk, contents } = await stored(5);
    const name = [...disk.files].toSorted().findLast(([file]) => file.endsWith('.segment'))![0];
    const torn = Buffer.concat([contents[2]!, contents[2]!.subarray(32, 70)]);
    const file = await disk.open(name, 'existing');
    await file.write(torn, 0);
    const { numbers, queue } = await replay(disk);
    expect(numbers).toEqual([0, 1, 2, 3, 4]);
    expect(queue.stats()).toMatchObject({ lost: 0, tornBytes: 38 });
  });

  it('while it runs is found before a body is sent', async () => {
    const { queue, disk, gate, texts, dropped } = queueRig({}, { isOpen: false });
    for (let i = 0; i < 5; i++) await queue.append(0, padded(i));
    const { content } = [...disk.files].find(([name]) => name.endsWith('.segment'))![1];
    content[content.indexOf('body 3')]! ^= 1;
    gate.open();
    await queue.drained();
    expect(texts().map((text) => Number.parseInt(text.slice(5), 10))).toEqual([0, 1, 2, 4]);
    expect(dropped).toEqual([{ reason: 'disk_damaged', samples: 10 }]);
    await queue.close();
  });

  it('of every cursor means repeats, not losses', async () => {
    const first = queueRig({}, { isOpen: false });
    for (const text of range(3)) await first.queue.append(0, body(text));
    first.gate.open();
    await first.queue.drained();
    const disk = first.disk.reborn('kill');
    for (const [name, { content }] of disk.files) if (name.startsWith('cursor')) content.fill(0);
    const second = queueRig({}, { disk });
    await second.queue.ready;
    await second.queue.drained();
    expect(second.delivered).toEqual(range(3).map((text) => ({ text, isRepeat: true, isStored: true })));
    await second.queue.close();
  });

  it('of a directory that cannot be read at all is said, and nothing is accepted', async () => {
    const first = queueRig();
    await first.queue.append(0, body('a'));
    const disk = first.disk.reborn('kill');
    disk.fault = (operation) => (operation === 'read' ? 'EACCES' : undefined);
    const { queue, warnings } = queueRig({}, { disk });
    await expect(queue.append(0, body('b'))).rejects.toThrow(DiskQueueError);
    await expect(queue.drained()).rejects.toMatchObject({ code: 'unreadable' });
    expect(warnings).toEqual([expect.stringContaining('EACCES')]);
    await queue.close();
  });
});
