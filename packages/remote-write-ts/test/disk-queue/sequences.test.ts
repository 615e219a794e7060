// No sequence is given twice: or a cursor that turns up late would take a body that was never sent for one that was.

import { describe, expect, it } from 'vitest';
import { encodeCursor, NO_CURSOR } from '../../src/disk-queue/cursor.ts';
import { both, cursors } from './faults.ts';
import { body, content, names, queueRig, SEGMENT, settle } from './rig.ts';
import type { Operation, SimulatedDisk } from './simulated-disk.ts';

/** A disk on which so many bodies were delivered, and nothing is left but the cursors. */
async function emptied(count: number): Promise<SimulatedDisk> {
  const first = queueRig();
  for (let i = 0; i < count; i++) await first.queue.append(0, body(`old ${i}`));
  await first.queue.drained();
  await first.queue.close();
  const second = queueRig({}, { disk: first.disk });
  await second.queue.ready;
  await second.queue.close();
  expect(names(second.disk, SEGMENT)).toEqual([]);
  return second.disk;
}

const failing = (...operations: Operation[]): SimulatedDisk['fault'] => {
  return (operation, name) => (operations.includes(operation) && name.startsWith('cursor') ? 'EIO' : undefined);
};

describe('cursors that cannot be read for a while', () => {
  it('are removed, and never settle what is stored meanwhile', async () => {
    const disk = await emptied(5);
    disk.fault = failing('read');
    const second = queueRig({}, { disk, isOpen: false });
    for (let i = 0; i < 3; i++) await second.queue.append(0, body(`new ${i}`));
    const third = queueRig({}, { disk: second.disk.reborn('kill') });
    await third.queue.append(0, body('newer'));
    await third.queue.drained();
    expect(third.texts()).toEqual(['new 0', 'new 1', 'new 2', 'newer']);
    expect(third.queue.stats()).toMatchObject({ lost: 0 });
    await third.queue.close();
  });

  it.each([
    ['nor be removed', 'EIO', failing('read', 'remove')],
    [
      'nor be removed for good',
      'EIO',
      both(failing('read'), (operation) => (operation === 'syncDirectory' ? 'EIO' : undefined)),
    ],
  ])('%s leave the queue closed: they could turn up again', async (_what, code, fault) => {
    const disk = await emptied(5);
    disk.fault = fault;
    const second = queueRig({}, { disk });
    await expect(second.queue.append(0, body('new'))).rejects.toMatchObject({ code: 'unreadable' });
    expect(second.warnings).toEqual([expect.stringContaining(code)]);
    await second.queue.close();
    disk.fault = () => undefined;
    const third = queueRig({}, { disk });
    await third.queue.append(0, body('new'));
    await third.queue.drained();
    expect(third.texts()).toEqual(['new']);
    await third.queue.close();
  });

  it('are waited for, and cost nothing if they come back', async () => {
    const first = queueRig({}, { isOpen: false });
    for (let i = 0; i < 3; i++) await first.queue.append(0, body(`body ${i}`));
    first.gate.answer('body 0');
    await settle();
    const disk = first.disk.reborn('kill');
    let failures = 4;
    disk.fault = (operation, name) =>
      operation === 'read' && name.startsWith('cursor') && failures-- > 0 ? 'EIO' : undefined;
    const second = queueRig({}, { disk });
    await second.queue.drained();
    expect(second.texts()).toEqual(['body 1', 'body 2']);
    expect(second.sleeps).toHaveLength(4);
    await second.queue.close();
  });
});

describe('sequences', () => {
  it('are used up one day: then bodies go from memory, and none of those that are stored is lost', async () => {
    const disk = await emptied(1);
    const sequence = 2 ** 52 - 2;
    const generation = Math.max(...cursors(disk).map((cursor) => cursor.generation));
    const file = await disk.open('cursor-0', 'create');
    await file.write(encodeCursor({ ...NO_CURSOR, generation: generation + 1, floor: sequence, end: sequence }), 0);
    const second = queueRig({}, { disk, isOpen: false });
    for (let i = 0; i < 3; i++) await second.queue.append(0, body(`stored ${i}`));
    void second.queue.append(0, body('in memory'));
    await settle();
    expect(second.queue.stats()).toMatchObject({ stored: 3, unstored: 1 });
    expect(second.queue.stats().lastError).toContain('used up');
    const third = queueRig({}, { disk: second.disk.reborn('kill') });
    await third.queue.append(0, body('new'));
    await third.queue.drained();
    expect(third.texts()).toEqual(['stored 0', 'stored 1', 'stored 2', 'new']);
    expect(third.queue.stats()).toMatchObject({ lost: 0, unstored: 1 });
    await third.queue.close();
  });

  it('of a cursor that is ahead of all bodies are not given again', async () => {
    const disk = await emptied(1);
    const file = await disk.open('cursor-1', 'create');
    const ahead = { ...NO_CURSOR, generation: 1_000, floor: 500, end: 500, shards: [500, 700] };
    await file.write(encodeCursor(ahead), 0);
    const second = queueRig({}, { disk, shards: 2, isOpen: false });
    await second.queue.append(1, body('new'));
    const third = queueRig({}, { disk: second.disk.reborn('kill'), shards: 2 });
    await third.queue.drained();
    expect(third.texts()).toEqual(['new']);
    await third.queue.close();
  });
});

describe('a file that is already there', () => {
  it('is never written to: a new segment is one that nobody else has made', async () => {
    const { queue, disk } = queueRig({}, { isOpen: false });
    await queue.ready;
    // As another process would that has been given the lock by mistake.
    const file = await disk.open('0000000000000001-00000001.segment', 'new');
    await file.write(Buffer.from('of somebody else'), 0);
    await queue.append(0, body('own'));
    expect(content(disk, '0000000000000001-00000001.segment').toString()).toBe('of somebody else');
    expect(content(disk, '0000000000000001-00000002.segment').includes('own')).toBe(true);
    queue.stop();
  });
});
