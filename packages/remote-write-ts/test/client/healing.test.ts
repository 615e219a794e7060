// What a writer has learnt of an endpoint must not outlive its truth: a search that was given up, a protocol that was agreed on.

import { afterEach, describe, expect, it } from 'vitest';
import { type Judge, type MockRequest, oldReceiver } from './mock.ts';
import { samples } from './points.ts';
import { closeRigs, protocols, rig } from './writer-rig.ts';

afterEach(closeRigs);

const holds = (request: MockRequest, name: string) => request.series.some(({ labels }) => labels['__name__'] === name);
const poisoned: Judge = (request) => (holds(request, 's3') ? { status: 400, body: 'poison' } : undefined);

describe('after an endpoint refused everything for a while', () => {
  it('the series at fault is found, though it is in every batch', async () => {
    const { mock, writer } = await rig(() => ({ status: 400, body: 'all' }), { protocol: '1.0' });
    await writer.write(samples(64));
    mock.judge = poisoned;
    for (let n = 0; n < 7; n++) {
      expect(await writer.write(samples(64))).toMatchObject({ requests: 1, failed: { samples: 64 } });
    }
    expect(await writer.write(samples(64))).toMatchObject({ sent: { samples: 63 }, failed: { samples: 1 } });
    expect(await writer.write(samples(64))).toMatchObject({ requests: 2, sent: { samples: 63 } });
  });

  it('what it costs to search again gets less and less', async () => {
    const { mock, writer } = await rig(() => ({ status: 400, body: 'all' }), { protocol: '1.0' });
    const searched: number[] = [];
    for (let n = 0; n < 60; n++) if ((await writer.write(samples(64))).requests > 1) searched.push(n);
    expect(searched).toEqual([0, 8, 29, 50]);
    expect(mock.requests.length).toBe(60 + 4 * 14);
  });
});

describe('an endpoint that speaks 1.0', () => {
  it.each([500, 503, 404, 406, 403, 400])('loses nothing when it says %i to a try of 2.0', async (status) => {
    const { mock, writer, clock } = await rig(oldReceiver, { reprobeMs: 60_000 });
    await writer.write(samples(2));
    mock.judge = ({ protocol }) => (protocol === '2.0' ? { status } : undefined);
    clock.ms += 60_000;
    expect(await writer.write(samples(2))).toMatchObject({ protocol: '1.0', sent: { samples: 2 } });
    expect(await writer.write(samples(2))).toMatchObject({ protocol: '1.0', requests: 1, sent: { samples: 2 } });
    expect(protocols(mock)).toEqual(['2.0', '1.0', '2.0', '1.0', '1.0']);
  });

  it('and says so by 400 loses only the series at fault', async () => {
    const judge: Judge = (request) => {
      if (request.protocol === '2.0') return { status: 400, body: 'proto: cannot parse' };
      return holds(request, 's3') ? { status: 400, body: 'out of order' } : { status: 204 };
    };
    const { writer } = await rig(judge);
    expect(await writer.write(samples(64))).toMatchObject({ sent: { samples: 63 }, failed: { samples: 1 } });
    expect(writer.protocol).toBe('1.0');
  });
});

it('a receiver of 2.0 that was replaced by one that says 400 to it is found out', async () => {
  const { mock, writer } = await rig(() => undefined);
  await writer.write(samples(2));
  mock.judge = ({ protocol }) => (protocol === '2.0' ? { status: 400, body: 'cannot decode' } : { status: 204 });
  const sent: number[] = [];
  for (let n = 0; n < 4; n++) sent.push((await writer.write(samples(2))).sent.samples);
  expect(sent).toEqual([0, 0, 2, 2]);
  expect(writer.protocol).toBe('1.0');
});
