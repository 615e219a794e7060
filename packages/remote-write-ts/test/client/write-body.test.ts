import { afterEach, describe, expect, it } from 'vitest';
import { createWriter, type Writer, type WriterOptions } from '../../src/index.ts';
import { closeMocks, type Judge, oldReceiver, startMock } from './mock.ts';
import { mixture, NOW_MS, samples } from './points.ts';

const writers: Writer[] = [];

afterEach(async () => {
  for (const writer of writers.splice(0)) await writer.close();
  await closeMocks();
});

async function rig(judge?: Judge, options: Partial<WriterOptions> = {}) {
  const mock = await startMock(judge);
  const writer = createWriter({ url: mock.url, userAgent: 'test/1.0', now: () => NOW_MS, ...options });
  writers.push(writer);
  return { mock, writer };
}

describe('a body that was made before', () => {
  it('goes as it is, byte for byte', async () => {
    const { mock, writer } = await rig();
    const { bodies, dropped } = writer.encode(mixture());
    expect(bodies).toHaveLength(1);
    expect(bodies[0]).toMatchObject({
      protocol: '2.0',
      counts: { samples: 2, histograms: 3, exemplars: 2, metadata: 5 },
      minTimestampMs: NOW_MS,
      maxTimestampMs: NOW_MS,
    });
    expect(dropped.custom_buckets.histograms).toBe(0);
    const outcome = await writer.writeBody(bodies[0]!);
    expect(outcome).toMatchObject({ kind: 'settled', sent: { samples: 2, histograms: 3, exemplars: 2 } });
    expect(Buffer.compare(mock.requests[0]!.body, bodies[0]!.bytes)).toBe(0);
  });

  it('is made in the protocol that the endpoint is known to speak, without what that has no words for', async () => {
    const { writer } = await rig(oldReceiver);
    await writer.write(samples(1));
    const { bodies, dropped } = writer.encode(mixture());
    expect(bodies).toMatchObject([{ protocol: '1.0', counts: { samples: 2, histograms: 2, metadata: 0 } }]);
    expect(dropped.custom_buckets.histograms).toBe(1);
    expect(writer.encode(mixture().slice(4)).bodies).toEqual([]);
  });

  it('is searched like any batch when a 1.0 receiver refuses it, and not if it is a repeat', async () => {
    const { mock, writer } = await rig(
      ({ series }) => (series.some(({ labels }) => labels['__name__'] === 's5') ? { status: 400 } : undefined),
      { protocol: '1.0' },
    );
    const [body] = writer.encode(samples(16)).bodies;
    expect(await writer.writeBody(body!, { isRepeat: true })).toMatchObject({ requests: 1, failed: { samples: 16 } });
    expect(await writer.writeBody(body!)).toMatchObject({ sent: { samples: 15 }, failed: { samples: 1 } });
    // Another one made before the series was found has it still: it is found at once.
    const before = mock.requests.length;
    expect(await writer.writeBody(body!)).toMatchObject({ sent: { samples: 15 }, failed: { samples: 1 } });
    expect(mock.requests.length - before).toBe(3);
    const { bodies } = writer.encode(samples(16));
    expect(bodies.map(({ counts, isSuspected = false }) => [counts.samples, isSuspected])).toEqual([
      [15, false],
      [1, true],
    ]);
  });

  it('whose series is taken again makes it a suspect no more', async () => {
    let isStrict = true;
    const { writer } = await rig(
      ({ series }) =>
        isStrict && series.some(({ labels }) => labels['__name__'] === 's5') ? { status: 400 } : undefined,
      { protocol: '1.0' },
    );
    await writer.write(samples(16));
    isStrict = false;
    for (const body of writer.encode(samples(16)).bodies) await writer.writeBody(body);
    expect(writer.encode(samples(16)).bodies).toHaveLength(1);
  });

  it('that is none is an error only if it has to be read', async () => {
    const { writer } = await rig(undefined, { protocol: '2.0' });
    const counts = { samples: 1, histograms: 0, exemplars: 0, metadata: 0 };
    const broken = { protocol: '1.0', bytes: Buffer.from('?'), counts, minTimestampMs: 1, maxTimestampMs: 1 } as const;
    await expect(writer.writeBody(broken)).rejects.toThrow();
  });
});
