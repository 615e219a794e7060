import { readFileSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { sealFrame } from '../../src/ledger/frame.ts';
import { digestOf, encodeEntry, openLedger, verifyChain } from '../../src/ledger/index.ts';
import { contentOf, LOG, openAt, type TestDirectory, testDirectory } from './helpers.ts';

let directory: TestDirectory;
beforeEach(() => {
  directory = testDirectory();
});
afterEach(() => directory.remove());

async function write(): Promise<void> {
  const ledger = await openAt(directory.path);
  await ledger.takeOver();
  for (let t = 1000; t <= 4000; t += 1000) await ledger.append(contentOf(t));
  await ledger.appendBase(contentOf(4000));
  await ledger.append(contentOf(5000));
  await ledger.close();
}

test('a sound ledger is reported as sound, with what it holds', async () => {
  await write();
  expect(await verifyChain(directory.shard)).toEqual({
    isSound: true,
    files: 2,
    bases: 1,
    entriesChecked: 5,
    orphans: 0,
    claim: 1,
    firstMs: 1000,
    lastMs: 5000,
    lastDigest: digestOf(contentOf(5000), 0, LOG),
    tornBytes: 0,
    findings: [],
  });
});

test('a torn tail is reported and left as it is', async () => {
  await write();
  const file = directory.files().at(-1)!;
  const bytes = readFileSync(file).subarray(0, -5);
  writeFileSync(file, bytes);
  expect(await verifyChain(directory.shard)).toMatchObject({ isSound: true, lastMs: 4000, entriesChecked: 4 });
  expect((await verifyChain(directory.shard)).tornBytes).toBeGreaterThan(0);
  expect(readFileSync(file)).toEqual(bytes);
});

test('a digest that does not fit its content is found, though every checksum is right', async () => {
  await write();
  const file = directory.files().at(-1)!;
  const there = readFileSync(file);
  const entry = {
    ...contentOf(6000),
    shard: 0,
    claim: 1,
    logIdentity: LOG,
    prevDigest: digestOf(contentOf(5000), 0, LOG),
    digest: '00'.repeat(32),
  };
  const frame = encodeEntry(entry);
  sealFrame(frame, there.length);
  writeFileSync(file, Buffer.concat([there, frame]));
  const report = await verifyChain(directory.shard);
  expect(report).toMatchObject({
    isSound: false,
    entriesChecked: 6,
    findings: [{ code: 'ledger_damaged', file, position: there.length }],
  });
});

test('damage in entries and in bases is a finding, not an exception', async () => {
  await write();
  for (const file of directory.files()) {
    const whole = readFileSync(file);
    const bytes = Buffer.from(whole);
    bytes[60]! ^= 4;
    writeFileSync(file, bytes);
    const report = await verifyChain(directory.shard);
    expect(report.isSound).toBe(false);
    expect(report.findings[0]!.message).toContain(file);
    writeFileSync(file, whole);
  }
  expect((await verifyChain(directory.shard)).isSound).toBe(true);
});

test('a ledger can be checked while it is open, and a shard other than 0 as well', async () => {
  const ledger = await openLedger({ path: directory.path, shard: 7, logIdentity: LOG, maxBytes: 1, engine: 'e' });
  await ledger.takeOver();
  await ledger.append(contentOf(1000));
  expect(await verifyChain(`${directory.path}/shard-7`)).toMatchObject({ isSound: true, lastMs: 1000 });
  await ledger.close();
});
