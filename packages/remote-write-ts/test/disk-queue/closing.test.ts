// The end of a queue: what was appended is stored or has its fate, nothing goes on behind it, and the directory is free.

import { afterEach, describe, expect, it, vi } from 'vitest';
import { body, queueRig, settle } from './rig.ts';

afterEach(() => {
  vi.useRealTimers();
});

describe('closing', () => {
  it('a queue that is just being opened waits for that, stores what was appended, and leaves no timer', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    const { queue, disk, gate } = queueRig({ fsync: 'interval' }, { isOpen: false });
    gate.abort();
    const appended = Promise.all(['a', 'b', 'c'].map((text) => queue.append(0, body(text))));
    await queue.close();
    await appended;
    expect(vi.getTimerCount()).toBe(0);
    const second = queueRig({}, { disk });
    await second.queue.drained();
    expect(second.texts()).toEqual(['a', 'b', 'c']);
    await second.queue.close();
  });

  it('touches the disk no more once it is done', async () => {
    for (const fsync of ['batch', 'interval', 'never'] as const) {
      const { queue, disk, gate } = queueRig(
        { fsync, segmentBytes: 150, maxBytes: 1_000 },
        { isOpen: false, shards: 3 },
      );
      const appends = Array.from({ length: 20 }, (_, i) => queue.append(i % 3, body(`body ${i}`)));
      await appends[5];
      gate.abort();
      await queue.close();
      const { operations } = disk;
      await settle();
      expect(disk.operations).toBe(operations);
      await Promise.allSettled(appends);
      // Free: it would throw.
      disk.lock('queue').release();
    }
  });

  it('waits until what is only in memory has been given to the abort, whoever began with it', async () => {
    const { queue, disk, delivered, gate } = queueRig({}, { isOpen: false });
    disk.fault = (operation) => (operation === 'write' ? 'ENOSPC' : undefined);
    const accepted: string[] = [];
    const appends = ['a', 'b', 'c', 'd'].map((text) => queue.append(0, body(text)).then(() => accepted.push(text)));
    await settle();
    queue.stop();
    gate.abort();
    await queue.close();
    expect(delivered.map(({ text }) => text)).toEqual(['a', 'b', 'c', 'd']);
    await Promise.all(appends);
    expect(accepted).toEqual(['a', 'b', 'c', 'd']);
    expect(queue.stats()).toMatchObject({ bodies: 0, unstored: 4, lost: 0 });
  });

  it('is not held up by a segment that cannot be read, and leaves it for the next process', async () => {
    const first = queueRig({}, { isOpen: false });
    await first.queue.append(0, body('a'));
    const disk = first.disk.reborn('kill');
    const isSegment = (name: string) => name.endsWith('.segment');
    disk.fault = (operation, name) => (operation === 'read' && isSegment(name) ? 'EIO' : undefined);
    const second = queueRig({}, { disk, isPatient: false });
    await second.queue.append(0, body('b'));
    await second.queue.close();
    expect(second.texts()).toEqual([]);
    disk.fault = () => undefined;
    const third = queueRig({}, { disk });
    await third.queue.drained();
    expect(third.texts()).toEqual(['a', 'b']);
    expect(third.queue.stats()).toMatchObject({ lost: 0, unreadable: 0 });
    await third.queue.close();
  });
});
