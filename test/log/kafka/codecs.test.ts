import fc from 'fast-check';
import { compressFrameSync } from 'lz4-napi';
import { snappyCompress } from 'remote-write-ts';
import { describe, expect, it } from 'vitest';
import { decompress } from '../../../src/log/kafka/codecs.ts';
import { lz4Uncompress } from '../../../src/log/kafka/lz4.ts';
import { xerialCompress, xerialUncompress } from '../../../src/log/kafka/xerial.ts';

const hex = (text: string) => Buffer.from(text.replace(/\s/g, ''), 'hex');

describe('snappy as Kafka clients write it', () => {
  it('is read raw and as a stream of blocks', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 2_000 }), fc.integer({ min: 1, max: 60 }), (piece, times) => {
        const bytes = Buffer.concat(Array(times).fill(piece));
        expect(Buffer.from(xerialUncompress(snappyCompress(bytes), 1 << 20)).equals(bytes)).toBe(true);
        expect(Buffer.from(decompress(2, xerialCompress(bytes))).equals(bytes)).toBe(true);
      }),
      { numRuns: 60 },
    );
  });

  it('is read by its layout, in one block and in two', () => {
    const head = '82534e4150505900 00000001 00000001';
    expect(Buffer.from(xerialUncompress(hex(`${head} 00000007 05106b61666b61`), 100)).toString()).toBe('kafka');
    expect(
      Buffer.from(xerialUncompress(hex(`${head} 00000007 05106b61666b61 00000004 0204 6f6b`), 100)).toString(),
    ).toBe('kafkaok');
  });

  it('is refused when a block runs past the end or there would be too much of it', () => {
    const stream = xerialCompress(Buffer.alloc(100_000));
    for (const cut of [1, 3, 17, 100])
      expect(() => xerialUncompress(stream.subarray(0, stream.length - cut), 1 << 20)).toThrow();
    expect(() => xerialUncompress(stream, 99_999)).toThrow();
    expect(xerialUncompress(stream, 100_000)).toHaveLength(100_000);
  });
});

describe('LZ4 frames', () => {
  it('are read as other implementations cut them, one after another too', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 2_000 }), fc.integer({ min: 1, max: 200 }), (piece, times) => {
        const bytes = Buffer.concat(Array(times).fill(piece));
        expect(Buffer.from(lz4Uncompress(compressFrameSync(bytes), bytes.length + (4 << 20))).equals(bytes)).toBe(true);
      }),
      { numRuns: 60 },
    );
    const checked = compressFrameSync(Buffer.from('kafka'), { contentChecksum: true, blockChecksums: true });
    expect(Buffer.from(lz4Uncompress(checked, 0)).toString()).toBe('kafka');
  });

  it('are refused before they are unpacked when they may become too much, or end too early', () => {
    const frame = compressFrameSync(Buffer.alloc(8 << 20));
    expect(frame.length).toBeLessThan(1 << 20);
    expect(lz4Uncompress(frame, 8 << 20)).toHaveLength(8 << 20);
    expect(() => lz4Uncompress(frame, 3 << 20)).toThrow(/may become more/);
    for (const cut of [1, 5, 100])
      expect(() => lz4Uncompress(frame.subarray(0, frame.length - cut), 8 << 20)).toThrow();
    expect(() => lz4Uncompress(Buffer.from('not a frame at all'), 100)).toThrow(/not an LZ4 frame/);
  });
});
