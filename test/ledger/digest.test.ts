import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { decodeEntry, digestOf, type EntryContent, encodeEntry } from '../../src/ledger/index.ts';
import { contentOf } from './helpers.ts';

const CONTENT: EntryContent = {
  tMs: 1_700_000_015_000,
  epoch: 4,
  engine: '0.1.0',
  offsets: [
    [0, 120],
    [2, 7],
  ],
  lastRecords: [[0, 119, 1_700_000_014_980, 4_000_000_000]],
  ticks: {
    endsMs: Float64Array.of(1_700_000_014_000, 1_700_000_015_000),
    nextOffsets: Float64Array.of(100, 7, 120, 7),
    partitions: [0, 2],
  },
  kind: 'boundary',
  sections: [
    {
      name: 'rows/calls',
      meta: { tenant: 'acmé', schema: { b: [1, 2.5, null], a: true } },
      columns: {
        values: Float64Array.of(1, 0.1, -0),
        ids: Uint32Array.of(1, 4_294_967_295),
        delta: Int32Array.of(-1),
        bytes: Uint8Array.of(0, 255),
      },
    },
    { name: 'edges', meta: {}, columns: {} },
  ],
};

test('the digest of a content never changes: it is pinned', () => {
  expect(digestOf(CONTENT, 1, 'log-a')).toBe('a7bb6ce577ac85e464721d1627271f0dc76a8a219803ac9e7b84bf683f1ffb49');
});

test('the digest is the SHA-256 of what FORMAT.md says, put together by hand', () => {
  const content = contentOf(15_000, [
    { name: 's', meta: { b: 1, a: 'x' }, columns: { z: Uint8Array.of(9), a: Int32Array.of(-2) } },
  ]);
  const head =
    '{"engine":"test-1","epoch":1,"kind":"boundary","lastRecords":[[0,15000,14999,7]],"logIdentity":"l","offsets":[[0,15000]],"shard":5,"tMs":15000}';
  const index =
    '{"sections":[{"columns":[["a","i32",1],["z","u8",1]],"meta":{"a":"x","b":1},"name":"s"}],"ticks":{"count":1,"partitions":[0]}}';
  const padded = (bytes: Buffer) => Buffer.concat([bytes, Buffer.alloc((8 - (bytes.length % 8)) % 8)]);
  const t = Buffer.alloc(8);
  t.writeDoubleLE(15_000);
  const body = [padded(Buffer.from(index)), t, t, padded(Buffer.of(0xfe, 0xff, 0xff, 0xff)), padded(Buffer.of(9))];
  const bytes = Buffer.concat([Buffer.from(`spanmill ledger entry 1\n${head}\n`), ...body]);
  expect(digestOf(content, 5, 'l')).toBe(createHash('sha256').update(bytes).digest('hex'));
});

test('claim and predecessor do not count', () => {
  const digest = digestOf(CONTENT, 1, 'log-a');
  for (const [claim, prevDigest] of [
    [1, ''],
    [9, 'cd'.repeat(32)],
  ] as const) {
    const entry = { ...CONTENT, shard: 1, logIdentity: 'log-a', claim, prevDigest, digest };
    expect(digestOf(entry, 1, 'log-a')).toBe(digest);
    expect(digestOf(decodeEntry(encodeEntry(entry)), 1, 'log-a')).toBe(digest);
  }
});

test('the order of columns, of keys in meta and of partitions does not count', () => {
  const [rows, edges] = CONTENT.sections;
  const turned: EntryContent = {
    ...CONTENT,
    offsets: CONTENT.offsets.toReversed(),
    sections: [
      {
        name: rows!.name,
        meta: { schema: { a: true, b: [1, 2.5, null] }, tenant: 'acmé', absent: undefined },
        columns: Object.fromEntries(Object.entries(rows!.columns).reverse()),
      },
      edges!,
    ],
  };
  expect(digestOf(turned, 1, 'log-a')).toBe(digestOf(CONTENT, 1, 'log-a'));
});

test('everything else counts', () => {
  const [rows, edges] = CONTENT.sections;
  const withColumn = (column: object) => ({
    sections: [{ ...rows!, columns: { ...rows!.columns, ...column } }, edges!],
  });
  const variants: Partial<EntryContent>[] = [
    {},
    { tMs: CONTENT.tMs + 1 },
    { epoch: 5 },
    { engine: '0.1.1' },
    { kind: 'final' },
    { offsets: [[0, 120]] },
    { lastRecords: [] },
    { ticks: { ...CONTENT.ticks, nextOffsets: Float64Array.of(101, 7, 120, 7) } },
    { ticks: { ...CONTENT.ticks, endsMs: Float64Array.of(1_700_000_014_001, 1_700_000_015_000) } },
    { ticks: { ...CONTENT.ticks, partitions: [0, 3] } },
    { sections: [edges!, rows!] },
    { sections: [rows!] },
    { sections: [{ ...rows!, name: 'rows/latency' }, edges!] },
    { sections: [{ ...rows!, meta: { ...rows!.meta, tenant: 'other' } }, edges!] },
    withColumn({ values: Float64Array.of(1, 0.1, 0) }),
    withColumn({ values: Float64Array.of(1, 0.1) }),
    withColumn({ delta: Uint32Array.of(4_294_967_295) }),
    withColumn({ more: Uint8Array.of() }),
  ];
  const digests = variants.map((variant) => digestOf({ ...CONTENT, ...variant }, 1, 'log-a'));
  digests.push(digestOf(CONTENT, 2, 'log-a'), digestOf(CONTENT, 1, 'log-b'));
  expect(new Set(digests).size).toBe(variants.length + 2);
});

test('an entry without sections has a digest too', () => {
  expect(digestOf(contentOf(0), 0, '')).toMatch(/^[0-9a-f]{64}$/);
});
