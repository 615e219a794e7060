import { describe, expect, it } from 'vitest';
import { type EndMark, type LogBatch, RECORD_HEAD_BYTES } from '../../../src/log/index.ts';
import { BatchBuilder, MAX_BATCH_BYTES } from '../../../src/log/kafka/batch-builder.ts';
import { createEnvelopeReader } from '../../../src/log/kafka/envelope.ts';
import { Follower } from '../../../src/log/kafka/follower.ts';
import type { KafkaLogStats, Skipped } from '../../../src/log/kafka/options.ts';
import { encodeBatch } from './batches.ts';

function follow(from = 0, isTenantId: (tenant: string) => boolean = () => true) {
  const batches: LogBatch[] = [];
  const marks: EndMark[] = [];
  const errors: Error[] = [];
  const skipped: Skipped[] = [];
  const events = { onBatch: (_: LogBatch) => {} };
  const stats = {
    batches: 0,
    records: 0,
    bytes: 0,
    skipped: { tombstone: 0, unknown_codec: 0 },
  } as unknown as KafkaLogStats;
  const listener = {
    batchBytes: Number.POSITIVE_INFINITY,
    onBatch: (batch: LogBatch) => {
      batches.push(batch);
      events.onBatch(batch);
    },
    onEnd: (mark: EndMark) => void marks.push(mark),
    onError: (_: number, error: Error) => void errors.push(error),
  };
  const follower = new Follower(3, from, 1_024, {
    listener,
    builder: new BatchBuilder(),
    envelopes: createEnvelopeReader({ encoding: 'otlp', isTenantId }),
    checkCrcs: true,
    stats,
    now: () => 5_000,
    onSkipped: (event) => skipped.push(event),
  });
  const fetched = (records: Buffer, lastStable: number, askedMs = 100) =>
    follower.fetched({ partition: 3, errorCode: 0, lastStable, logStart: 0, aborted: [], records }, askedMs);
  return {
    follower,
    listener,
    batches,
    marks,
    errors,
    skipped,
    events,
    stats,
    fetched,
    offsets: () => batches.flatMap(({ offsets }) => [...offsets]),
  };
}

const NONE = Buffer.alloc(0);

describe('a partition that is followed', () => {
  it('says that its end is reached, with the time at which it was asked for, after an empty answer too', async () => {
    const { fetched, marks, batches } = follow(7);
    fetched(NONE, 7, 100);
    fetched(await encodeBatch([{ value: 'a' }], { baseOffset: 7 }), 8, 200);
    fetched(NONE, 9, 300);
    expect(marks).toEqual([
      { partition: 3, end: 7, wallMs: 100 },
      { partition: 3, end: 8, wallMs: 200 },
    ]);
    expect(batches).toHaveLength(1);
  });

  it('reaches an end whose last records are for nobody', async () => {
    const { fetched, marks, skipped } = follow();
    fetched(await encodeBatch([{ value: 'a' }, { value: null }, { value: null }]), 3);
    expect(marks).toEqual([{ partition: 3, end: 3, wallMs: 100 }]);
    expect(skipped.map(({ offset }) => offset)).toEqual([1, 2]);
  });

  it('stops in the middle of a batch when it is paused there, counts nothing twice, and goes on at the next record', async () => {
    const { follower, fetched, events, offsets, stats, marks } = follow();
    const value = Buffer.alloc(MAX_BATCH_BYTES / 2 - 10, 1);
    const records = [{ value }, { value: null }, { value }, { value }, { value: null }, { value }, { value }];
    events.onBatch = () => {
      follower.isPaused = true;
    };
    fetched(await encodeBatch(records, { codec: 4 }), 7);
    expect(offsets()).toEqual([0, 2]);
    expect(follower.wantedBytes(true)).toBe(0);
    expect(follower.lag(6_000)).toEqual({ records: 4, seconds: 5 });
    follower.goOn();
    expect(offsets()).toEqual([0, 2]);
    follower.resume();
    follower.goOn();
    expect(offsets()).toEqual([0, 2, 3, 5]);
    expect(marks).toEqual([]);
    follower.resume();
    follower.goOn();
    follower.resume();
    follower.goOn();
    expect(offsets()).toEqual([0, 2, 3, 5, 6]);
    expect(stats.skipped.tombstone).toBe(2);
    expect(marks).toEqual([{ partition: 3, end: 7, wallMs: 100 }]);
    expect(follower.wantedBytes(true)).toBeGreaterThan(0);
  });

  it('gives batches that are no larger than its listener takes, which may change, and a larger record alone', async () => {
    const { fetched, events, batches, listener } = follow();
    listener.batchBytes = 3 * (10 + RECORD_HEAD_BYTES);
    events.onBatch = ({ count }) => {
      if (count === 3) listener.batchBytes = 2 * (10 + RECORD_HEAD_BYTES);
    };
    const value = 'v'.repeat(10);
    const records = [...Array(7).fill(value), 'x'.repeat(1_000), value].map((text) => ({ value: text }));
    fetched(await encodeBatch(records), 9);
    expect(batches.map(({ count }) => count)).toEqual([3, 2, 2, 1, 1]);
  });

  it('gives batches whose arrays own their memory', async () => {
    const { fetched, batches } = follow();
    fetched(
      await encodeBatch([
        { value: 'a', headers: { 'x-scope-orgid': 't' } },
        { value: 'bc' },
        { value: 'd', headers: { 'x-scope-orgid': 't' } },
      ]),
      3,
    );
    const [batch] = batches;
    expect(batch!.tenants).toEqual(['t', 'single-tenant']);
    expect([...batch!.tenantOf]).toEqual([0, 1, 0]);
    expect([...batch!.starts]).toEqual([0, 1, 3, 4]);
    for (const array of [
      batch!.bytes,
      batch!.offsets,
      batch!.timestampsMs,
      batch!.encodings,
      batch!.tenantOf,
      batch!.starts,
    ]) {
      expect(array.buffer.byteLength).toBe(array.byteLength);
    }
    const moved = structuredClone(batch!, {
      transfer: [batch!.bytes.buffer as ArrayBuffer, batch!.offsets.buffer as ArrayBuffer],
    });
    expect(Buffer.from(moved.bytes).toString()).toBe('abcd');
  });

  it('asks for more when not one whole batch fits into what it asks for', async () => {
    const { follower, fetched } = follow();
    const batch = await encodeBatch([{ value: 'x'.repeat(5_000) }]);
    const askedBytes = follower.wantedBytes(true);
    fetched(batch.subarray(0, 1_000), 1);
    expect(follower.wantedBytes(true)).toBe(2 * askedBytes);
  });

  it('keeps one answer while it is paused where there is room, and else no more than the knowledge of its end', async () => {
    const { follower, fetched, offsets, marks } = follow();
    const full = follower.wantedBytes(false);
    follower.isPaused = true;
    // Whether it has reached its end isn't known yet.
    expect([follower.wantedBytes(true), follower.wantedBytes(false)]).toEqual([full, 1]);
    fetched(NONE, 0, 100);
    expect(follower.wantedBytes(false)).toBe(1);
    fetched((await encodeBatch([{ value: 'a' }])).subarray(0, 1), 1, 200);
    expect(follower.waitingBytes).toBe(0);
    expect([follower.wantedBytes(true), follower.wantedBytes(false)]).toEqual([full, 0]);
    fetched(await encodeBatch([{ value: 'a' }]), 1, 300);
    expect(follower.waitingBytes).toBeGreaterThan(0);
    expect(follower.wantedBytes(true)).toBe(0);
    expect(offsets()).toEqual([]);
    follower.resume();
    follower.goOn();
    expect(offsets()).toEqual([0]);
    expect(marks.map(({ end }) => end)).toEqual([0, 1]);
    expect(follower.wantedBytes(false)).toBe(full);
  });

  it('fails where it would be given the same bytes for ever', async () => {
    const { follower, fetched, errors } = follow(5);
    fetched(await encodeBatch([{ value: 'a' }]), 9);
    expect(errors).toMatchObject([{ code: 'log_damaged' }]);
    expect(follower.wantedBytes(true)).toBe(0);
  });

  it('fails, alone, when whoever tells tenants apart throws', async () => {
    const { fetched, errors, offsets } = follow(0, () => {
      throw new TypeError('no list of tenants');
    });
    fetched(await encodeBatch([{ value: 'a', headers: { 'x-scope-orgid': 't' } }]), 1);
    fetched(NONE, 1);
    expect(errors).toMatchObject([{ message: 'no list of tenants' }]);
    expect(offsets()).toEqual([]);
  });

  it('fails, once, when its listener throws, and delivers nothing after that', async () => {
    const { follower, fetched, events, errors, batches } = follow();
    events.onBatch = () => {
      throw new Error('no');
    };
    fetched(await encodeBatch([{ value: 'a' }]), 1);
    fetched(await encodeBatch([{ value: 'b' }], { baseOffset: 1 }), 2);
    follower.fail(new Error('again'));
    expect(errors.map(({ message }) => message)).toEqual(['no']);
    expect(batches).toHaveLength(1);
  });
});
