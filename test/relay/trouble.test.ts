import { expect, it } from 'vitest';
import { troubleTeller } from '../../src/relay/trouble.ts';

it('the same trouble is said once in ten seconds, with how often it came meanwhile; another one is said at once', () => {
  let nowMs = 0;
  const log: string[] = [];
  const tell = troubleTeller(
    (message) => log.push(message),
    () => nowMs,
  );
  tell('a', 'a0');
  tell('b', 'b0');
  nowMs = 9_999;
  tell('a', 'a1');
  tell('a', 'a2');
  nowMs = 10_000;
  tell('a', 'a3');
  nowMs = 20_000;
  tell('a', 'a4');
  expect(log).toEqual(['a0', 'b0', 'a3 (and 2 more before)', 'a4']);
});
