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

test('the bench of the fold says how it is used when it has no corpus', () => {
  const { status, stdout, stderr } = bench('fold', '--json');
  expect(status).toBe(2);
  expect(stdout).toBe('');
  expect(stderr).toContain('--corpus');
});

test('a corpus has the same bytes whenever it is made', () => {
  const shape = { ...TYPICAL, spans: 200 };
  expect(Buffer.compare(makeCorpus(shape), makeCorpus(shape))).toBe(0);
  expect(Buffer.compare(makeCorpus(shape), makeCorpus({ ...shape, seed: 2 }))).not.toBe(0);
});

test.each([
  ['the default configuration', []],
  ['dimensions, target info and filters', [path.join(import.meta.dirname, '../../bench/fold/seven-dimensions.yaml')]],
])(
  'folding a span allocates nothing under %s',
  (_, config) => {
    const child = path.join(import.meta.dirname, 'allocation-child.ts');
    const { status, stdout, stderr } = spawnSync(
      process.execPath,
      ['--expose-gc', '--conditions=source', child, corpus, ...config],
      { encoding: 'utf8' },
    );
    expect(status, stderr).toBe(0);
    const { spans, bytes, collections } = JSON.parse(stdout) as { spans: number; bytes: number; collections: number };
    expect(spans).toBeGreaterThan(100 * SPANS);
    // A collection in between would hide what was allocated.
    expect(collections).toBe(0);
    expect(bytes / spans).toBeLessThan(1);
  },
  60_000,
);
