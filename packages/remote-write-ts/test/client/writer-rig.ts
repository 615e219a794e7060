// A writer against a mock receiver, with a clock that only its waits move.

import { type AttemptInfo, createWriter, type Writer, type WriterOptions } from '../../src/index.ts';
import { closeMocks, type Judge, type Mock, startMock } from './mock.ts';
import { NOW_MS } from './points.ts';

const writers: Writer[] = [];

/** After each test. */
export async function closeRigs(): Promise<void> {
  for (const writer of writers.splice(0)) await writer.close();
  await closeMocks();
}

export interface Rig {
  mock: Mock;
  writer: Writer;
  sleeps: number[];
  infos: AttemptInfo[];
  clock: { ms: number };
}

export async function rig(judge?: Judge, options: Partial<WriterOptions> = {}): Promise<Rig> {
  const mock = await startMock(judge);
  const sleeps: number[] = [];
  const infos: AttemptInfo[] = [];
  const clock = { ms: NOW_MS };
  const writer = createWriter({
    url: mock.url,
    userAgent: 'test/1.0',
    random: () => 0,
    now: () => clock.ms,
    sleep: async (waitMs) => {
      sleeps.push(waitMs);
      clock.ms += waitMs;
    },
    onAttempt: (info) => infos.push(info),
    ...options,
  });
  writers.push(writer);
  return { mock, writer, sleeps, infos, clock };
}

export const protocols = (mock: Mock) => mock.requests.map(({ protocol }) => protocol);
