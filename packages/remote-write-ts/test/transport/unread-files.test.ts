import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { createPoolTransport } from '../../src/transport/index.ts';
import { CERT } from '../sender/material.ts';

const faults: Error[] = [];

vi.mock('node:fs', async (original) => {
  const real = await original<typeof import('node:fs')>();
  const readFileSync = (...args: Parameters<typeof real.readFileSync>) => {
    const fault = faults.shift();
    if (fault !== undefined) throw fault;
    return real.readFileSync(...args);
  };
  return { ...real, readFileSync };
});

let dir = '';
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'remote-write-unread-'));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

it('a changed file that could not be read is read by a later request, and warned of once', async () => {
  const caFile = join(dir, 'ca');
  await writeFile(caFile, CERT);
  const warnings: string[] = [];
  const transport = createPoolTransport({
    origin: 'https://127.0.0.1:9',
    connections: 1,
    connectTimeoutMs: 1_000,
    tls: { caFile },
    onWarning: (message) => warnings.push(message),
  });
  const request = () =>
    transport
      .post({ path: '/', headers: {}, body: Uint8Array.of(0), signal: AbortSignal.timeout(5_000) })
      .catch((error: Error) => error);
  const tooMany = () => Object.assign(new Error('EMFILE: too many open files'), { code: 'EMFILE', syscall: 'open' });
  await writeFile(caFile, `${CERT}\n`);
  faults.push(tooMany(), tooMany());
  await request();
  await request();
  expect(faults).toEqual([]);
  expect(warnings).toEqual([
    "the file of ca can't be read: EMFILE: too many open files. Connections go on with what was loaded before",
  ]);
  await request(); // reads it
  faults.push(tooMany());
  await request(); // has nothing to read
  expect(faults).toHaveLength(1);
  await transport.close();
});
