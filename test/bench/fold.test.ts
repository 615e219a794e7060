// What `spanmill bench fold --json` promises, and what the fold promises about memory: nothing is allocated for a span.

import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { makeCorpus, TYPICAL } from '../../bench/corpus.ts';
import { benchCommand } from '../../src/bench/fold.ts';

const SPANS = 2_000;
let directory: string;
let corpus: string;

beforeAll(() => {
  directory = mkdtempSync(path.join(os.tmpdir(), 'spanmill-bench-test-'));
  corpus = path.join(directory, 'corpus.bin');
  writeFileSync(corpus, makeCorpus({ ...TYPICAL, spans: SPANS }));
});

afterAll(() => rmSync(directory, { recursive: true, force: true }));

function written(name: string, text: string): string {
  const file = path.join(directory, name);
  writeFileSync(file, text);
  return file;
}

function bench(...args: string[]): { status: number; stdout: string; stderr: string } {
  let stdout = '';
  let stderr = '';
  const io = {
    stdout: {
      write: (text: string) => {
        stdout += text;
      },
    },
    stderr: {
      write: (text: string) => {
        stderr += text;
      },
    },
    env: {},
  };
  const status = benchCommand(args, io as unknown as Parameters<typeof benchCommand>[1]);
  return { status, stdout, stderr };
}

test('the bench of the fold prints one JSON object with the documented keys', () => {
  const { status, stdout } = bench('fold', '--corpus', corpus, '--json');
  expect(status).toBe(0);
  expect(stdout.trim().split('\n')).toHaveLength(1);
  const result = JSON.parse(stdout) as Record<string, number>;
  for (const key of ['cpu_ns_per_span', 'cpu_ns_per_span_median', 'spans_per_second', 'series', 'rss_bytes']) {
    expect(result[key], key).toBeGreaterThan(0);
  }
  expect(result['cpu_ns_per_span']).toBeLessThanOrEqual(result['cpu_ns_per_span_median']!);
  expect(result['spans']).toBeGreaterThanOrEqual(SPANS);
});

test.each<[string, string, () => string[]]>([
  ['no bench', 'fold --corpus FILE', () => []],
  ['another bench', 'fold --corpus FILE', () => ['decode', '--corpus', corpus]],
  ['no corpus', '--corpus FILE', () => ['fold', '--json']],
  ['an unknown flag', "'--fast'", () => ['fold', '--corpus', corpus, '--fast']],
  ['too few passes', '--passes', () => ['fold', '--corpus', corpus, '--passes', '9']],
  ['half a pass', '--passes', () => ['fold', '--corpus', corpus, '--passes', '10.5']],
  ['a corpus that is not there', 'ENOENT', () => ['fold', '--corpus', path.join(directory, 'none')]],
  ['a corpus without a span', 'holds no spans', () => ['fold', '--corpus', written('empty', '')]],
  ['a corpus that ends early', 'cut off at byte 0', () => ['fold', '--corpus', written('short', '\u0009\0\0\0ab')]],
  ['a request that is none', 'message 0 is not', () => ['fold', '--corpus', written('bad', '\u0004\0\0\0abcd')]],
  ['a configuration that is not there', 'none.yaml', () => ['fold', '--corpus', corpus, '--config', '/none.yaml']],
  [
    'a configuration with two mistakes',
    'and 1 more',
    () => ['fold', '--corpus', corpus, '--config', written('bad.yaml', 'tipo: 1\nverso: 2\n')],
  ],
])('the bench of the fold answers %s with one line', (_, says, args) => {
  const { status, stdout, stderr } = bench(...args());
  expect(status).toBe(2);
  expect(stdout).toBe('');
  expect(stderr).toContain(says);
  expect(stderr.split('\n')).toEqual([expect.stringMatching(/^spanmill bench: /), '']);
});

test('a corpus has the same bytes whenever it is made', () => {
  const shape = { ...TYPICAL, spans: 200 };
  expect(Buffer.compare(makeCorpus(shape), makeCorpus(shape))).toBe(0);
  expect(Buffer.compare(makeCorpus(shape), makeCorpus({ ...shape, seed: 2 }))).not.toBe(0);
});

function allocations(...args: string[]): { spans: number; bytes: number; collections: number; expired: number } {
  const child = path.join(import.meta.dirname, 'allocation-child.ts');
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ['--expose-gc', '--conditions=source', child, corpus, ...args],
    { encoding: 'utf8' },
  );
  expect(status, stderr).toBe(0);
  return JSON.parse(stdout);
}

/** Measured: 1.2, a few numbers per request. The least that JavaScript can allocate for each span would add 16. */
const MOST_BYTES_PER_SPAN = 4;

test.each([
  ['the default configuration', []],
  [
    'dimensions, target info and filters',
    ['--config', path.join(import.meta.dirname, '../../bench/fold/seven-dimensions.yaml')],
  ],
])(
  'folding a span allocates nothing under %s',
  (_, config) => {
    const { spans, bytes, collections, expired } = allocations(...config);
    expect(spans).toBeGreaterThan(100 * SPANS);
    expect(expired).toBeGreaterThan(100);
    // A collection in between would hide what was allocated: it means as much as too many bytes.
    expect(collections).toBe(0);
    expect(bytes / spans).toBeLessThan(MOST_BYTES_PER_SPAN);
  },
  60_000,
);

test('one boxed number per span would be noticed', () => {
  const { spans, bytes, collections } = allocations('--control');
  expect(collections > 0 || bytes / spans >= 16).toBe(true);
}, 60_000);
