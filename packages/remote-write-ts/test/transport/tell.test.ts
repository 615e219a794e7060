import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { tell } from '../../src/transport/index.ts';

it('ignores what an observer throws or rejects with, at once or later', async () => {
  const rejections: unknown[] = [];
  const onRejection = (error: unknown) => rejections.push(error);
  process.on('unhandledRejection', onRejection);
  let told = 0;
  const throwing = () => {
    told++;
    throw new Error('observer');
  };
  tell(throwing);
  tell(async () => throwing());
  tell(async () => {
    await nextTurn();
    throwing();
  });
  // biome-ignore lint/suspicious/noThenProperty: a promise of another library
  tell(() => ({ then: throwing }));
  tell(() => undefined);
  tell(() => null);
  for (let i = 0; i < 3; i++) await nextTurn();
  process.off('unhandledRejection', onRejection);
  expect(told).toBe(4);
  expect(rejections).toEqual([]);
});
