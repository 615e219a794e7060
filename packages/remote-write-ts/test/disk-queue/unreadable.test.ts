// Segments that can't be read, or not understood: nothing in them is given up before it must be, and then it is counted.

import { describe, expect, it } from 'vitest';
import { body, content, names, queueRig, SEGMENT, settle } from './rig.ts';
import type { SimulatedDisk } from './simulated-disk.ts';

const ASIDE = /\.unreadable-\d+$/;
const range = (count: number, from = 0) => Array.from({ length: count }, (_, i) => `body ${from + i}`);

/** A disk with so many bodies that were never delivered, two in a segment. */
async function stored(count: number, options = {}): Promise<SimulatedDisk> {
  const rig = queueRig({ segmentBytes: 32 + 2 * (80 + 6), maxBytes: 1e6, ...options }, { isOpen: false });
  for (const text of range(count)) await rig.queue.append(0, body(text, 10));
  return rig.disk.reborn('kill');
}

/** So many times. */
function failing(name: string | undefined, times = Number.POSITIVE_INFINITY): SimulatedDisk['fault'] {
  let left = times;
  return (operation, of) => (operation === 'read' && of === name && left-- > 0 ? 'EIO' : undefined);
}

describe('a segment that cannot be read when the queue is opened', () => {
  it.each([
    ['the first', 0],
    ['in the middle', 1],
    ['the last', 2],
  ])('is read again when it is its turn, and everything arrives in order (%s)', async (_where, index) => {
    const disk = await stored(6);
    disk.fault = failing(names(disk, SEGMENT)[index], 4);
    const { queue, texts, sleeps } = queueRig({}, { disk });
    await queue.append(0, body('new'));
    await queue.drained();
    expect(texts()).toEqual([...range(6), 'new']);
    expect(sleeps).toEqual([1000, 1000, 1000]);
    expect(queue.stats()).toMatchObject({ replayed: 6, lost: 0, unreadable: 0, errors: { read: 4 } });
    await queue.close();
    expect(names(disk, ASIDE)).toEqual([]);
  });

  it('holds up what lies behind it, but not what is appended; the next process delivers all of it in order', async () => {
    const first = await stored(6);
    first.fault = failing(names(first, SEGMENT)[2]);
    const second = queueRig({}, { disk: first, isPatient: false });
    await second.queue.append(0, body('new'));
    await settle();
    expect(second.texts()).toEqual(range(4));
    expect(second.queue.stats()).toMatchObject({ bodies: 1, lost: 0, unreadable: 0 });
    expect(second.warnings).toEqual([expect.stringContaining("1 segments can't be read")]);
    const third = queueRig({}, { disk: second.disk.reborn('kill') });
    await third.queue.drained();
    expect(third.texts()).toEqual(['body 4', 'body 5', 'new']);
    expect(third.queue.stats()).toMatchObject({ lost: 0, unreadable: 0, dropped: { disk_damaged: 0 } });
    await third.queue.close();
  });

  it('that never can is put aside, counted, and what follows goes on with sequences of its own', async () => {
    const disk = await stored(6);
    const name = names(disk, SEGMENT)[2]!;
    const before = Buffer.from(content(disk, name));
    disk.fault = failing(name);
    const second = queueRig({}, { disk });
    await second.queue.append(0, body('new'));
    await second.queue.drained();
    await second.queue.close();
    expect(second.texts()).toEqual([...range(4), 'new']);
    // How many bodies it held, nobody knows: none of them was sent before, so no cursor has seen them.
    expect(second.queue.stats()).toMatchObject({
      unreadable: 1,
      lost: 0,
      aside: { files: 1, sizeBytes: before.length },
    });
    expect(second.warnings).toContainEqual(expect.stringContaining(name));
    const [aside] = names(disk, ASIDE);
    expect(aside).toBe(`${name}.unreadable-1000000`);
    expect(content(disk, aside!)).toEqual(before);
    // It is not counted again, nor read, though it could be.
    const third = queueRig({}, { disk: disk.reborn('kill') });
    await third.queue.append(0, body('newer'));
    await third.queue.drained();
    expect(third.texts()).toEqual(['newer']);
    expect(third.queue.stats()).toMatchObject({ unreadable: 0, lost: 0, aside: { files: 1 } });
    const sequences = names(disk, SEGMENT).map((segment) => Number.parseInt(segment.slice(0, 16), 16));
    expect(Math.min(...sequences)).toBeGreaterThan(5 + 2 ** 23);
    await third.queue.close();
  });

  it('costs the bodies that its numbers tell of, once, though the process dies again and again', async () => {
    let disk = await stored(6);
    const [, middle] = names(disk, SEGMENT);
    let lost = 0;
    for (let life = 0; life < 4; life++) {
      disk.fault = failing(middle);
      const rig = queueRig({}, { disk, isOpen: life === 3 });
      await rig.queue.ready;
      await settle();
      if (life === 3) await rig.queue.drained();
      lost += rig.queue.stats().lost;
      expect(lost).toBe(life === 3 ? 2 : 0);
      disk = rig.disk.reborn('kill');
    }
    expect(names(disk, ASIDE)).toHaveLength(1);
  });

  it('is put aside where the name of it cannot be changed at first, before anything behind it is sent', async () => {
    const disk = await stored(4);
    const [first] = names(disk, SEGMENT);
    let refusals = 3;
    disk.fault = (operation, name) => {
      if (operation === 'read' && name === first) return 'EIO';
      if (operation === 'rename' || (operation === 'write' && name.startsWith('cursor'))) {
        return refusals-- > 0 ? 'ENOSPC' : undefined;
      }
      return undefined;
    };
    const { queue, texts } = queueRig({}, { disk });
    await queue.drained();
    expect(texts()).toEqual(range(2, 2));
    await queue.close();
    expect(names(disk, ASIDE)).toHaveLength(1);
  });

  it('only in parts costs what stands there: the rest of it arrives, and then it is put aside', async () => {
    const rig = queueRig({ maxBytes: 1e9 }, { isOpen: false });
    const texts = Array.from({ length: 40 }, (_, i) => `${String(i).padStart(3, '0')}${'x'.repeat(9_917)}`);
    for (const text of texts) await rig.queue.append(0, body(text));
    await rig.queue.append(0, body('last'));
    const disk = rig.disk.reborn('kill');
    const [name] = names(disk, SEGMENT);
    const bad: [from: number, to: number] = [150_000, 154_000];
    disk.fault = (operation, of, [from, to] = [0, 1e9]) =>
      operation === 'read' && of === name && from < bad[1] && to > bad[0] ? 'EIO' : undefined;
    const second = queueRig({}, { disk });
    await second.queue.drained();
    // Ten thousand bytes each: the bad ones are in the 15th, and in the piece of the disk that the 15th and 16th share.
    const arrived = new Set(second.texts().map((text) => text.slice(0, 3)));
    const missing = texts.map((text) => text.slice(0, 3)).filter((number) => !arrived.has(number));
    expect(missing).toEqual(['014', '015']);
    expect(second.queue.stats()).toMatchObject({ unreadable: 1, replayed: 40, lost: 1, dropped: { disk_damaged: 1 } });
    await second.queue.close();
    expect(names(disk, ASIDE)).toHaveLength(1);
    expect(names(disk, SEGMENT)).toHaveLength(0);
  });

  it('that is dropped for its room lets nothing behind it be sent before the cursor knows', async () => {
    const disk = await stored(4);
    disk.fault = failing(names(disk, SEGMENT)[0]);
    const options = { segmentBytes: 32 + 2 * (80 + 6), maxBytes: 2 * (32 + 2 * (80 + 6)) };
    const rig = queueRig(options, { disk, isPatient: false });
    await rig.queue.ready;
    await settle();
    // The write of a cursor takes its time.
    let write = () => {};
    const written = new Promise<void>((resolve) => {
      write = resolve;
    });
    const { open } = disk;
    disk.open = async (path, mode) => {
      if (path.includes('cursor')) await written;
      return open(path, mode);
    };
    const appended = rig.queue.append(0, body('body 4'));
    await settle();
    rig.wake();
    await settle();
    expect(rig.texts()).toEqual([]);
    write();
    await appended;
    await rig.queue.drained();
    expect(rig.texts()).toEqual(['body 2', 'body 3', 'body 4']);
    expect(rig.queue.stats()).toMatchObject({ unreadable: 1, lost: 2, aside: { files: 0 } });
    await rig.queue.close();
  });

  it('keeps what lies behind it from growing too old', async () => {
    const first = await stored(6);
    const clock = { ms: 1_000_000 };
    first.fault = failing(names(first, SEGMENT)[1]);
    const second = queueRig({ maxAgeMs: 60_000 }, { disk: first, isOpen: false, clock });
    await second.queue.ready;
    await settle();
    clock.ms += 61_000;
    await second.queue.append(0, body('new'));
    // The first is on its way.
    expect(second.dropped).toEqual([{ reason: 'disk_max_age', samples: 10 }]);
    const third = queueRig({}, { disk: second.disk.reborn('kill'), clock });
    await third.queue.drained();
    expect(third.texts()).toEqual(['body 0', ...range(4, 2), 'new']);
    await third.queue.close();
  });
});

describe('a segment that is not understood', () => {
  it('because its header is damaged is put aside, and counted', async () => {
    const disk = await stored(5);
    const name = names(disk, SEGMENT)[2]!;
    content(disk, name)[3]! ^= 1;
    const before = Buffer.from(content(disk, name));
    const { queue, texts } = queueRig({}, { disk });
    await queue.append(0, body('new'));
    await queue.drained();
    await queue.close();
    expect(texts()).toEqual([...range(4), 'new']);
    expect(queue.stats()).toMatchObject({ unreadable: 1, tornBytes: 0, aside: { files: 1 } });
    expect(content(disk, names(disk, ASIDE)[0]!)).toEqual(before);
  });

  it('because its name says something else is put aside', async () => {
    const disk = await stored(2);
    const [name] = names(disk, SEGMENT);
    await disk.rename(name!, name!.replace('01-', '09-'));
    const { queue, texts } = queueRig({}, { disk });
    await queue.append(0, body('new'));
    await queue.drained();
    await queue.close();
    expect(texts()).toEqual(['new']);
    expect(queue.stats()).toMatchObject({ unreadable: 1, aside: { files: 1 } });
  });

  it.each([
    'ffffffffffffffff-00000001.segment',
    '0020000000000000-00000001.segment',
    '0000000000000001-ffffffff.segment',
    '0000000000000001-00000001-0000000000000002.segment',
  ])(
    'because it has a name that no queue gives is put aside, and no sequence is wasted on it (%s)',
    async (strange) => {
      const disk = await stored(2);
      const file = await disk.open(strange, 'new');
      await file.write(Buffer.from('whatever it is'.repeat(10)), 0);
      const { queue, texts } = queueRig({}, { disk });
      await queue.append(0, body('new'));
      await queue.drained();
      expect(texts()).toEqual([...range(2), 'new']);
      expect(queue.stats()).toMatchObject({ stored: 1, unreadable: 1, aside: { files: 1, sizeBytes: 140 } });
      await queue.close();
      expect(names(disk, SEGMENT).map((name) => name.slice(0, 16))).toEqual(['0000000000000003']);
    },
  );

  it('that was cut to nothing costs the bodies that a cursor knows of, and no others', async () => {
    const first = queueRig({ segmentBytes: 1e4, maxBytes: 1e6 }, { isOpen: false });
    for (const text of range(5)) await first.queue.append(0, body(text));
    first.gate.answer('body 0');
    await settle();
    await first.queue.append(0, body('unknown'));
    const disk = first.disk.reborn('kill');
    const [name] = names(disk, SEGMENT);
    const file = await disk.open(name!, 'existing');
    await file.truncate(0);
    let lost = 0;
    let again = disk;
    for (let life = 0; life < 3; life++) {
      const rig = queueRig({}, { disk: again });
      await rig.queue.append(0, body(`new ${life}`));
      await rig.queue.drained();
      expect(rig.texts()).toEqual([`new ${life}`]);
      await settle();
      lost += rig.queue.stats().lost;
      again = rig.disk.reborn('kill');
    }
    expect(lost).toBe(4);
  });
});

describe('what is put aside', () => {
  async function withAside(): Promise<SimulatedDisk> {
    const disk = await stored(2);
    disk.fault = failing(names(disk, SEGMENT)[0]);
    const { queue } = queueRig({}, { disk });
    await queue.drained();
    await queue.close();
    expect(names(disk, ASIDE)).toHaveLength(1);
    return disk.reborn('kill');
  }

  it('goes when it is too old, also after a restart', async () => {
    const clock = { ms: 1_050_000 };
    const { queue, disk } = queueRig({ maxAgeMs: 60_000 }, { disk: await withAside(), clock });
    await queue.append(0, body('a'));
    expect(queue.stats().aside.files).toBe(1);
    clock.ms += 20_000;
    await queue.append(0, body('b'));
    expect(queue.stats()).toMatchObject({ aside: { files: 0, sizeBytes: 0 }, dropped: { disk_max_age: 0 } });
    expect(names(disk, ASIDE)).toEqual([]);
    await queue.close();
  });

  it('takes of the room that there is, and goes before anything that can be sent', async () => {
    const { queue, disk } = queueRig({ segmentBytes: 250, maxBytes: 600 }, { disk: await withAside(), isOpen: false });
    await queue.append(0, body('a'.repeat(100)));
    expect(queue.stats()).toMatchObject({ sizeBytes: 32 + 2 * 86 + 32 + 180, aside: { files: 1 } });
    await queue.append(0, body('b'.repeat(100)));
    expect(queue.stats()).toMatchObject({ sizeBytes: 2 * (32 + 180), aside: { files: 0 } });
    expect(queue.stats()).toMatchObject({ bodies: 2, dropped: { disk_max_bytes: 0 } });
    expect(names(disk, ASIDE)).toEqual([]);
    queue.stop();
  });

  it('does not come between sequences: without a cursor, new ones come behind all that it may hold', async () => {
    const disk = await withAside();
    for (const name of names(disk, /^cursor/)) await disk.remove(name);
    const { queue } = queueRig({}, { disk, isOpen: false });
    await queue.append(0, body('new'));
    const [name] = names(disk, SEGMENT);
    expect(Number.parseInt(name!.slice(0, 16), 16)).toBeGreaterThan(2 ** 23);
    queue.stop();
  });
});
