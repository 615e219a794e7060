import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { SkipReason } from '../../../src/log/index.ts';
import { type Aborted, readRecords, recordSet } from '../../../src/log/kafka/record-batch.ts';
import { encodeBatch, sealed, type TestRecord } from './batches.ts';

interface Read {
  offset: number;
  timestampMs: number;
  key: string | null;
  value: string | null;
}

function read(bytes: Buffer, from = 0, aborted: Aborted[] = [], limit = Number.POSITIVE_INFINITY) {
  const records: Read[] = [];
  const skips: [SkipReason, number, number][] = [];
  const set = recordSet(bytes, aborted);
  const text = (all: Uint8Array, start: number, end: number) =>
    start < 0 ? null : Buffer.from(all.subarray(start, end)).toString();
  const next = readRecords(
    set,
    from,
    {
      record: (r) => {
        if (records.length >= limit) return false;
        records.push({
          offset: r.offset,
          timestampMs: r.timestampMs,
          key: text(r.bytes, r.keyStart, r.keyEnd),
          value: text(r.bytes, r.valueStart, r.valueEnd),
        });
        return true;
      },
      skipped: (reason, offset, count) => skips.push([reason, offset, count]),
    },
    { checkCrcs: true },
  );
  return { records, skips, next, set };
}

describe('record batches', () => {
  it('give back what another implementation wrote, in every codec, from any offset on', async () => {
    const record = fc.record({
      value: fc.option(fc.string({ maxLength: 300 }), { nil: null }),
      key: fc.string({ minLength: 1, maxLength: 20 }),
      timestampMs: fc.integer({ min: 0, max: 2 ** 45 }),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(record, { minLength: 1, maxLength: 12 }),
        fc.integer({ min: 0, max: 4 }),
        fc.integer({ min: 0, max: 2 ** 40 }),
        fc.nat(14),
        async (records, codec, base, skip) => {
          const bytes = await encodeBatch(records, { codec, baseOffset: base });
          const { records: found, next, skips } = read(bytes, base + skip);
          const expected = records
            .map((r, i) => ({ offset: base + i, timestampMs: r.timestampMs, key: r.key, value: r.value }))
            .slice(skip);
          expect(found).toEqual(expected);
          expect(skips).toEqual([]);
          expect(next).toBe(base + Math.max(skip, records.length));
        },
      ),
      { numRuns: 150 },
    );
  });

  it('stop where they are told to, and go on at that record', async () => {
    const records: TestRecord[] = ['a', 'b', 'c'].map((value) => ({ value }));
    const bytes = Buffer.concat([
      await encodeBatch(records, { codec: 1 }),
      await encodeBatch(records, { baseOffset: 3, codec: 3 }),
    ]);
    const first = read(bytes, 0, [], 4);
    expect(first.next).toBe(4);
    const rest = read(bytes, first.next);
    expect(rest.records.map(({ offset }) => offset)).toEqual([4, 5]);
    expect(rest.next).toBe(6);
  });

  it('leave a last batch that is not whole for the next fetch', async () => {
    const whole = await encodeBatch([{ value: 'a' }]);
    const second = await encodeBatch([{ value: 'b' }], { baseOffset: 1 });
    for (let cut = 0; cut < second.length; cut++) {
      const { next, records, skips } = read(Buffer.concat([whole, second.subarray(0, cut)]));
      expect([next, records.length, skips.length]).toEqual([1, 1, 0]);
    }
  });

  it('keep to offsets after compaction has taken records, and pass a batch that it emptied', async () => {
    const batch = await encodeBatch([{ value: 'a' }, { value: 'b' }], { baseOffset: 10 });
    batch.writeInt32BE(9, 23);
    const empty = (await encodeBatch([{ value: 'x' }], { baseOffset: 20 })).subarray(0, 61);
    empty.writeInt32BE(61 - 12, 8);
    empty.writeInt32BE(0, 57);
    const { records, next, skips } = read(Buffer.concat([sealed(batch), sealed(Buffer.from(empty))]), 5);
    expect(records.map(({ offset }) => offset)).toEqual([10, 11]);
    expect(next).toBe(21);
    expect(skips).toEqual([]);
  });

  it('take the append time where the topic stamps its records itself', async () => {
    const { records } = read(
      await encodeBatch(
        [
          { value: 'a', timestampMs: 5 },
          { value: 'b', timestampMs: 900 },
        ],
        { attributes: 8 },
      ),
    );
    expect(records.map(({ timestampMs }) => timestampMs)).toEqual([900, 900]);
  });

  it('pass an unknown codec, a wrong CRC, damaged contents and old formats with a reason, and read their neighbours', async () => {
    const good = (baseOffset: number) => encodeBatch([{ value: `good ${baseOffset}` }], { baseOffset });
    const unknown = await encodeBatch([{ value: 'a' }, { value: 'b' }], { baseOffset: 1, attributes: 5 });
    const wrong = await encodeBatch([{ value: 'c' }], { baseOffset: 4 });
    wrong[wrong.length - 2]! ^= 1;
    const torn = await encodeBatch([{ value: 'd'.repeat(100) }, { value: 'e' }], { baseOffset: 6, codec: 4 });
    torn.fill(0, 70, 80);
    const cutShort = await encodeBatch([{ value: 'f' }, { value: 'g' }], { baseOffset: 9 });
    cutShort[cutShort.length - 8] = 0x7e;
    const old = Buffer.alloc(40);
    old.writeBigInt64BE(12n, 0);
    old.writeInt32BE(28, 8);
    old.writeInt8(1, 16);
    const bytes = Buffer.concat([
      await good(0),
      unknown,
      await good(3),
      wrong,
      await good(5),
      sealed(torn),
      await good(8),
      sealed(cutShort),
      await good(11),
      old,
      await good(13),
    ]);
    const { records, skips, next } = read(bytes);
    expect(records.map(({ value }) => value).filter((value) => value?.startsWith('good'))).toEqual(
      [0, 3, 5, 8, 11, 13].map((n) => `good ${n}`),
    );
    expect(skips.map(([reason, offset]) => [reason, offset])).toEqual([
      ['unknown_codec', 1],
      ['bad_crc', 4],
      ['damaged', 6],
      ['damaged', 10],
      ['old_format', 12],
    ]);
    expect(skips.find(([reason]) => reason === 'unknown_codec')).toEqual(['unknown_codec', 1, 2]);
    expect(next).toBe(14);
  });

  it('lose one record, not its neighbours, when that record is damaged inside', async () => {
    const values = ['a', 'b', 'c'];
    const batch = await encodeBatch(values.map((value) => ({ value, key: 'k' })));
    // The middle record's key would be longer than the record: length, attributes, time, offset go before it.
    const recordBytes = (batch.length - 61) / 3;
    batch[61 + recordBytes + 4] = 0x7e;
    const { records, skips, next } = read(sealed(batch));
    expect(records.map(({ value }) => value)).toEqual(['a', 'c']);
    expect(skips).toEqual([['damaged', 1, 1]]);
    expect(next).toBe(3);
  });

  it('do not move the position past their own end, whatever offset a record claims', async () => {
    const batch = await encodeBatch([{ value: 'a' }, { value: 'b' }]);
    const recordBytes = (batch.length - 61) / 2;
    batch[61 + recordBytes + 3] = 0x7e;
    const { records, skips, next } = read(
      Buffer.concat([sealed(batch), await encodeBatch([{ value: 'c' }], { baseOffset: 2 })]),
    );
    expect(records.map(({ value }) => value)).toEqual(['a', 'c']);
    expect(skips).toEqual([['damaged', 1, 1]]);
    expect(next).toBe(3);
  });

  it('survive any change of their bytes', async () => {
    const whole = await encodeBatch(
      [{ value: 'one', key: 'k', headers: { a: 'b' } }, { value: 'two' }, { value: null }],
      { codec: 0 },
    );
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.integer({ min: 16, max: whole.length - 1 }), fc.nat(255)), { minLength: 1, maxLength: 6 }),
        fc.boolean(),
        (changes, seal) => {
          const bytes = Buffer.from(whole);
          for (const [position, value] of changes) bytes[position] = value;
          const { next } = read(seal ? sealed(bytes) : bytes);
          expect(Number.isInteger(next)).toBe(true);
        },
      ),
      { numRuns: 500 },
    );
  });

  it('hide aborted transactions and nothing else of their producer', async () => {
    const part = (baseOffset: number, producerId: number, attributes: number) =>
      encodeBatch([{ value: `${baseOffset}` }], { baseOffset, producerId, attributes });
    const bytes = Buffer.concat(
      await Promise.all([
        part(0, 7, 16),
        part(1, 7, 48),
        part(2, 7, 16),
        part(3, 8, 16),
        part(4, 7, 48),
        part(5, 7, 16),
        part(6, 8, 48),
      ]),
    );
    const { records, skips } = read(bytes, 0, [{ producerId: 7, firstOffset: 2 }]);
    expect(records.map(({ offset }) => offset)).toEqual([0, 3, 5]);
    expect(skips.map(([reason, offset]) => `${offset} ${reason}`)).toEqual([
      '1 control',
      '2 aborted',
      '4 control',
      '6 control',
    ]);
  });
});
