import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeWriteRequest, encodeLabels, METRIC_TYPES, WireError, WriteRequestBuilder } from '../../src/index.ts';
import { encodeProtoRequest } from './proto.ts';

const label = fc.record({ name: fc.string({ unit: 'binary' }), value: fc.string({ unit: 'binary' }) });
const point = { value: fc.double({ noNaN: true }), timestamp: fc.maxSafeInteger() };
const request = fc.record({
  timeseries: fc.array(
    fc.record({
      labels: fc.array(label, { maxLength: 4 }),
      samples: fc.array(fc.record(point), { maxLength: 3 }),
      exemplars: fc.array(fc.record({ labels: fc.array(label, { maxLength: 2 }), ...point }), { maxLength: 2 }),
    }),
    { maxLength: 5 },
  ),
  metadata: fc.array(fc.record({ type: fc.nat(7), metric_family_name: fc.string(), help: fc.string() }), {
    maxLength: 2,
  }),
});

describe('decoding a request', () => {
  it('reads what an independent encoder wrote', () => {
    fc.assert(
      fc.property(request, (message) => {
        const { timeseries, metadata } = decodeWriteRequest(encodeProtoRequest(message));
        expect(metadata).toEqual(
          message.metadata.map(({ type, metric_family_name, help }) => {
            return { type: METRIC_TYPES[type], family: metric_family_name, help, unit: '' };
          }),
        );
        const plain = timeseries.map((series) => ({
          labels: series.labels.map(([name, value]) => ({ name, value })),
          samples: series.samples.map((s) => ({ value: s.value, timestamp: s.timestampMs })),
          exemplars: series.exemplars.map((e) => ({
            labels: e.labels.map(([name, value]) => ({ name, value })),
            value: e.value,
            timestamp: e.timestampMs,
          })),
        }));
        // A proto3 encoder leaves zeros out, and -0 with them.
        expect(JSON.stringify(plain)).toBe(JSON.stringify(message.timeseries));
      }),
    );
  });

  it('either reads damaged bytes or says that they are damaged', () => {
    const builder = new WriteRequestBuilder();
    for (let i = 0; i < 3; i++) builder.addSample(encodeLabels([['__name__', `m${i}`]]), i, 1_700_000_000_000);
    const valid = builder.uncompressed();
    fc.assert(
      fc.property(fc.nat(valid.length - 1), fc.nat(255), fc.nat(valid.length), (at, byte, end) => {
        const damaged = Uint8Array.from(valid);
        damaged[at] = byte;
        try {
          decodeWriteRequest(damaged.subarray(0, end));
        } catch (error) {
          expect(error).toBeInstanceOf(WireError);
        }
      }),
      { numRuns: 3000 },
    );
  });

  it('names what is wrong', () => {
    const codeOf = (hex: string) => {
      try {
        decodeWriteRequest(Buffer.from(hex, 'hex'));
        return undefined;
      } catch (error) {
        return (error as WireError).code;
      }
    };
    expect(codeOf('')).toBeUndefined();
    expect(codeOf('0a')).toBe('truncated');
    expect(codeOf('0a05')).toBe('truncated');
    expect(codeOf('0affffffffffffffffff01')).toBe('truncated');
    expect(codeOf('0affffffffffffffffffff01')).toBe('bad_varint');
    expect(codeOf('00')).toBe('bad_tag');
    expect(codeOf('0b')).toBe('bad_tag');
    expect(codeOf('0a050a030a01ff')).toBe('bad_utf8');
  });

  it('reads a view that begins inside its buffer', () => {
    const builder = new WriteRequestBuilder();
    builder.addSample(encodeLabels([['__name__', 'x']]), 7, -1);
    const shifted = new Uint8Array(builder.sizeBytes + 3);
    shifted.set(builder.uncompressed(), 3);
    expect(decodeWriteRequest(shifted.subarray(3)).timeseries).toEqual([
      {
        labels: [['__name__', 'x']],
        samples: [{ value: 7, bits: 0x401c000000000000n, timestampMs: -1 }],
        exemplars: [],
        histograms: [],
      },
    ]);
  });
});
