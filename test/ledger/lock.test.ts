import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { verifyChain } from '../../src/ledger/index.ts';
import { openAt, rebuild, stateAt, type TestDirectory, testDirectory } from './helpers.ts';

let directory: TestDirectory;
beforeEach(() => {
  directory = testDirectory();
});
afterEach(() => directory.remove());

test('a ledger that is open can not be opened again, and says so in one line', async () => {
  const first = await openAt(directory.path);
  const error = await openAt(directory.path).catch((cause: Error) => cause);
  expect(error).toMatchObject({ code: 'ledger_locked', isRetryable: true });
  expect((error as Error).message).toMatch(/^\S+lock\.sqlite is locked: another process[^\n]+$/);
  const other = await openAt(directory.path, { shard: 1 });
  await other.close();
  await first.close();
  await (await openAt(directory.path)).close();
});

test('kill -9 in the middle of appends, bases and pruning loses no acknowledged entry and frees the lock', async () => {
  const script = path.join(import.meta.dirname, 'child-append.ts');
  let committedMs = 0;
  for (let round = 0; round < 4; round++) {
    const child = spawn(process.execPath, ['--conditions=source', script, directory.path], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const exited = once(child, 'exit');
    let acknowledgedMs = committedMs;
    let lines = 0;
    for await (const line of createInterface({ input: child.stdout })) {
      if (lines === 0 && round === 1)
        await expect(openAt(directory.path)).rejects.toMatchObject({ code: 'ledger_locked' });
      acknowledgedMs = Number(line);
      if (++lines === 17 + 5 * round) child.kill('SIGKILL');
    }
    await exited;
    expect(child.signalCode).toBe('SIGKILL');
    expect(lines).toBeGreaterThanOrEqual(17);
    const ledger = await openAt(directory.path);
    const { tMs, counters } = await rebuild(ledger);
    expect([acknowledgedMs, acknowledgedMs + 1000]).toContain(tMs);
    expect(counters.state()).toEqual(stateAt(tMs));
    expect(ledger.claim).toBe(round + 1);
    await ledger.close();
    expect(await verifyChain(directory.shard)).toMatchObject({ isSound: true, lastMs: tMs });
    committedMs = tMs;
  }
});
