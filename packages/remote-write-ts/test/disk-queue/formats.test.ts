import { describe, expect, it } from 'vitest';
import { decodeCursor, encodeCursor, isSettled } from '../../src/disk-queue/cursor.ts';
import { DiskQueueError } from '../../src/disk-queue/errors.ts';
import { decodeFrameHeader, encodeFrameHeader, FRAME_HEADER_BYTES } from '../../src/disk-queue/frame.ts';
import {
  decodeSegmentHeader,
  encodeSegmentHeader,
  parseSegmentName,
  SEGMENT_HEADER_BYTES,
  scanSegment,
  segmentName,
} from '../../src/disk-queue/segment.ts';
import { givenUpTo, startAt } from '../../src/disk-queue/sequence.ts';
import type { RequestBody } from '../../src/index.ts';
import { seeded } from './random.ts';

const HEADER = { shards: 4, firstSequence: 10, salt: 0xdeadbeef };

function body(text: string, protocol: '1.0' | '2.0' = '1.0'): RequestBody {
  const counts = { samples: 3, histograms: 2, exemplars: 1, metadata: 4 };
  return { protocol, bytes: Buffer.from(text), counts, minTimestampMs: -5, maxTimestampMs: 2 ** 42 };
}

function frame(sequence: number, of: RequestBody, salt = HEADER.salt): Buffer {
  const header = encodeFrameHeader(of, { sequence, shard: sequence % 4, storedMs: 1234.5 }, salt);
  return Buffer.concat([header, of.bytes]);
}

function segment(...bodies: string[]): { bytes: Buffer; startOf: number[] } {
  const parts: Buffer[] = [encodeSegmentHeader(HEADER)];
  const startOf: number[] = [];
  let at = SEGMENT_HEADER_BYTES;
  for (const [i, text] of bodies.entries()) {
    const part = frame(HEADER.firstSequence + i, body(text));
    startOf.push(at);
    at += part.length;
    parts.push(part);
  }
  return { bytes: Buffer.concat(parts), startOf };
}

const found = (bytes: Buffer) =>
  scanSegment(bytes, HEADER).frames.map(({ header, bodyAt, isSound }) =>
    isSound ? bytes.subarray(bodyAt, bodyAt + header.bodyBytes).toString() : `${header.sequence} damaged`,
  );

describe('a frame', () => {
  it('keeps all that is known of a body', () => {
    const whole = { ...body('abc', '2.0'), isSuspected: true };
    const header = encodeFrameHeader(whole, { sequence: 2 ** 40, shard: 7, storedMs: 99.25 }, 5);
    const { bytes, ...rest } = whole;
    expect(decodeFrameHeader(header, 0, 5)).toMatchObject({
      ...rest,
      sequence: 2 ** 40,
      shard: 7,
      storedMs: 99.25,
      bodyBytes: bytes.length,
    });
  });

  it('with any bit of its header changed is none', () => {
    const header = encodeFrameHeader(body('abc'), { sequence: 1, shard: 0, storedMs: 0 }, 5);
    for (let bit = 0; bit < FRAME_HEADER_BYTES * 8; bit++) {
      const damaged = Buffer.from(header);
      damaged[bit >>> 3]! ^= 1 << (bit & 7);
      expect(decodeFrameHeader(damaged, 0, 5), `bit ${bit}`).toBeUndefined();
    }
  });
});

describe('a sequence', () => {
  it('beyond what can be counted makes a frame none', () => {
    const at = (sequence: number) => encodeFrameHeader(body('abc'), { sequence, shard: 0, storedMs: 0 }, 5);
    expect(decodeFrameHeader(at(2 ** 53 - 1), 0, 5)).toMatchObject({ sequence: 2 ** 53 - 1 });
    expect(decodeFrameHeader(at(2 ** 53), 0, 5)).toBeUndefined();
  });

  it('is never given twice, and where some are jumped over the jump can be told', () => {
    const known = { sequence: 10, jumped: 3 };
    expect(startAt(known, 0)).toEqual(known);
    expect(startAt(known, 10)).toEqual(known);
    expect(startAt(known, 10 + 2 ** 40)).toEqual({ sequence: 10 + 2 ** 40, jumped: 3 + 2 ** 40 });
    expect(startAt(known, 2 ** 53).sequence).toBe(2 ** 53 - 1);
    expect(givenUpTo(known, startAt(known, 99))).toBe(10);
    expect(givenUpTo(known, { sequence: 15, jumped: 3 })).toBe(15);
    expect(givenUpTo(known, { sequence: 15, jumped: 0 })).toBe(15);
  });
});

describe('the search through a segment', () => {
  it('finds the frames in their order', () => {
    const { bytes } = segment('one', '', 'three');
    expect(found(bytes)).toEqual(['one', '', 'three']);
    expect(scanSegment(bytes, HEADER).endAt).toBe(bytes.length);
  });

  it('goes on behind a frame whose header is damaged', () => {
    const { bytes, startOf } = segment('one', 'two', 'three');
    bytes[startOf[1]! + 20]! ^= 1;
    expect(found(bytes)).toEqual(['one', 'three']);
  });

  it('says of a body that it is damaged when its frame still says whose it was', () => {
    const { bytes, startOf } = segment('one', 'two', 'three');
    bytes[startOf[1]! + FRAME_HEADER_BYTES]! ^= 1;
    expect(found(bytes)).toEqual(['one', '11 damaged', 'three']);
  });

  it('ends at the last sound frame, wherever the file is cut', () => {
    const { bytes, startOf } = segment('one', 'two', 'three');
    for (let end = SEGMENT_HEADER_BYTES; end < bytes.length; end++) {
      const whole = startOf.filter((_, i) => (startOf[i + 1] ?? bytes.length) <= end).length;
      const cut = bytes.subarray(0, end);
      expect(found(cut)).toEqual(['one', 'two', 'three'].slice(0, whole));
      expect(scanSegment(cut, HEADER).endAt).toBe(startOf[whole]);
    }
  });

  it('takes nothing inside a body for a frame, even if it is one of another segment', () => {
    const inner = frame(12, body('forged'), HEADER.salt + 1).toString('latin1');
    const parts = [encodeSegmentHeader(HEADER), frame(10, { ...body(''), bytes: Buffer.from(inner, 'latin1') })];
    const bytes = Buffer.concat([...parts, frame(11, body('next'))]);
    bytes[SEGMENT_HEADER_BYTES + 9]! ^= 1; // the outer frame is lost, and its body is searched
    expect(found(bytes)).toEqual(['next']);
  });

  it('finds every frame that is untouched, whatever else is overwritten', () => {
    for (let seed = 1; seed <= 300; seed++) {
      const random = seeded(seed);
      const texts = Array.from({ length: 1 + random.below(8) }, (_, i) => `${i}${'x'.repeat(random.below(60))}`);
      const { bytes, startOf } = segment(...texts);
      const from = SEGMENT_HEADER_BYTES + random.below(bytes.length - SEGMENT_HEADER_BYTES);
      const to = Math.min(bytes.length, from + 1 + random.below(120));
      for (let i = from; i < to; i++) bytes[i]! ^= 1 + random.below(255);
      const untouched = texts.filter((_, i) => startOf[i]! >= to || (startOf[i + 1] ?? bytes.length) <= from);
      const sound = found(bytes).filter((text) => !text.endsWith('damaged'));
      expect(sound, `seed ${seed}`).toEqual(untouched);
    }
  });
});

describe("a segment's header", () => {
  it('is read as it was written, and not if a bit of it has changed', () => {
    const bytes = encodeSegmentHeader(HEADER);
    expect(decodeSegmentHeader(bytes)).toEqual(HEADER);
    for (let bit = 0; bit < SEGMENT_HEADER_BYTES * 8; bit++) {
      const damaged = Buffer.from(bytes);
      damaged[bit >>> 3]! ^= 1 << (bit & 7);
      expect(decodeSegmentHeader(damaged), `bit ${bit}`).toBeUndefined();
    }
    expect(decodeSegmentHeader(bytes.subarray(0, SEGMENT_HEADER_BYTES - 1))).toBeUndefined();
  });

  it('with numbers beyond what can be counted is none', () => {
    expect(decodeSegmentHeader(encodeSegmentHeader({ ...HEADER, firstSequence: 2 ** 53 }))).toBeUndefined();
  });

  it('of a later version is an error, not damage: its bodies must not be thrown away', async () => {
    const { crc32 } = await import('node:zlib');
    const bytes = encodeSegmentHeader(HEADER);
    bytes.writeUInt16LE(2, 8);
    bytes.writeUInt32LE(crc32(bytes.subarray(0, 28)), 28);
    expect(() => decodeSegmentHeader(bytes)).toThrow(DiskQueueError);
  });

  it('has a name that sorts by sequence, and other names are none', () => {
    const names = [9, 10, 0xffff, 2 ** 40].map((firstSequence) => segmentName({ firstSequence, number: 3, jumped: 0 }));
    expect([...names].sort()).toEqual(names);
    expect(parseSegmentName(names[3]!)).toEqual({ firstSequence: 2 ** 40, number: 3, jumped: 0 });
    const jumped = { firstSequence: 2 ** 40, number: 3, jumped: 2 ** 39 };
    expect(parseSegmentName(segmentName(jumped))).toEqual(jumped);
    for (const name of ['lock', 'cursor-0', `${names[0]}.bak`, 'x.segment']) {
      expect(parseSegmentName(name)).toBeUndefined();
    }
  });
});

const CURSOR = { generation: 1, floor: 2, floorJumped: 0, end: 9, endJumped: 1, shards: [3, 4], stragglers: [] };

describe('a cursor', () => {
  it('is read as it was written, also where the rest of a longer one stands behind it', () => {
    const long = encodeCursor({ ...CURSOR, shards: [3, 4, 5], stragglers: [1, 2] });
    const next = {
      generation: 2,
      floor: 7,
      floorJumped: 1,
      end: 2 ** 41,
      endJumped: 3,
      shards: [2 ** 40],
      stragglers: [6],
    };
    encodeCursor(next).copy(long);
    expect(decodeCursor(long)).toEqual(next);
  });

  it('that is torn or changed is none', () => {
    const bytes = encodeCursor({ ...CURSOR, stragglers: [1] });
    for (let end = 0; end < bytes.length; end++) expect(decodeCursor(bytes.subarray(0, end))).toBeUndefined();
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const damaged = Buffer.from(bytes);
      damaged[bit >>> 3]! ^= 1 << (bit & 7);
      expect(decodeCursor(damaged), `bit ${bit}`).toBeUndefined();
    }
  });

  it('whose numbers are beyond what can be counted is none', () => {
    for (const key of ['generation', 'floor', 'floorJumped', 'end', 'endJumped'] as const) {
      expect(decodeCursor(encodeCursor({ ...CURSOR, [key]: 2 ** 53 - 1 }))).toMatchObject({ [key]: 2 ** 53 - 1 });
      expect(decodeCursor(encodeCursor({ ...CURSOR, [key]: 2 ** 53 }))).toBeUndefined();
    }
    expect(decodeCursor(encodeCursor({ ...CURSOR, shards: [2 ** 60] }))).toBeUndefined();
    expect(decodeCursor(encodeCursor({ ...CURSOR, stragglers: [2 ** 60] }))).toBeUndefined();
  });

  it('says of each shard what is settled, and what is not', () => {
    const cursor = { floor: 5, shards: [5, 9], stragglers: [3, 7] };
    expect([4, 5, 8, 9].map((sequence) => isSettled(cursor, sequence, 1))).toEqual([true, true, true, false]);
    expect([4, 5].map((sequence) => isSettled(cursor, sequence, 0))).toEqual([true, false]);
    expect([4, 5].map((sequence) => isSettled(cursor, sequence, 6))).toEqual([true, false]);
    expect([3, 7].map((sequence) => isSettled(cursor, sequence, 1))).toEqual([false, false]);
  });
});
