// The per-tenant file while it changes: what is taken, what is refused and counted, and what is said.

import { Writable } from 'node:stream';
import { pino } from 'pino';
import { describe, expect, it } from 'vitest';
import {
  type Config,
  loadConfig,
  OverridesWatch,
  type OverridesWatchOptions,
  resolveTenant,
} from '../../src/config/index.ts';

const MAIN = `overrides:
  per_tenant_override_config: tenants.yaml
  defaults: {metrics_generator: {processors: [span-metrics]}}
`;
const block = (dimension: string) =>
  `overrides:\n  a: {metrics_generator: {processor: {span_metrics: {dimensions: [${dimension}]}}}}\n`;

class Harness {
  text: string | undefined = block('one');
  nowMs = 1_000;
  readonly changes: Config[] = [];
  readonly lines: { level: number; msg: string; problems?: string[]; notes?: string[]; warnings?: string[] }[] = [];
  readonly watch: OverridesWatch;

  constructor(more: Partial<OverridesWatchOptions> = {}, load: Parameters<typeof loadConfig>[0] = {}) {
    const { config } = loadConfig({ text: MAIN, fileName: 'main.yaml', readFile: () => this.text!, ...load });
    const stream = new Writable({
      write: (chunk, _, done) => {
        this.lines.push(JSON.parse(String(chunk)));
        done();
      },
    });
    this.watch = new OverridesWatch({
      config,
      onChange: (next) => this.changes.push(next),
      logger: pino(stream),
      now: () => this.nowMs,
      readFile: async () => {
        if (this.text === undefined) throw new Error('ENOENT: no such file');
        return this.text;
      },
      ...more,
    });
  }

  async poll(text = this.text): Promise<void> {
    this.text = text;
    this.nowMs += 10_000;
    await this.watch.poll();
  }

  get dimensions(): string[] {
    return resolveTenant(this.watch.config, 'a').spanMetrics.dimensions;
  }
}

describe('a per-tenant file that changes', () => {
  it('is handed on once, with notes, and not again while it stays', async () => {
    const harness = new Harness();
    await harness.poll();
    expect(harness.changes).toEqual([]);
    await harness.poll(block('two'));
    await harness.poll();
    expect(harness.changes).toHaveLength(1);
    expect(harness.dimensions).toEqual(['two']);
    expect(harness.lines).toEqual([
      expect.objectContaining({ level: 30, notes: [expect.stringContaining('tenants.yaml:2:3: overrides.a: takes')] }),
    ]);
    expect(harness.watch).toMatchObject({ failures: 0, lastSuccessMs: harness.nowMs });
  });

  it('that says the same in other words changes nothing', async () => {
    const harness = new Harness();
    await harness.poll(`# as before\n${block('"one"')}`);
    expect(harness.changes).toEqual([]);
    expect(harness.lines).toEqual([]);
  });

  it('may lose a block, or gain the one for everybody else', async () => {
    const harness = new Harness();
    await harness.poll('overrides: {}\n');
    expect(harness.dimensions).toEqual([]);
    await harness.poll(block('all').replace('a:', '"*":'));
    expect(harness.dimensions).toEqual(['all']);
    expect(harness.changes).toHaveLength(2);
  });

  it('takes its variables from the environment that the main file had', async () => {
    const harness = new Harness({}, { expandEnv: true, env: { DIM: 'from.env' } });
    await harness.poll(block('$' + '{DIM}'));
    expect(harness.dimensions).toEqual(['from.env']);
  });

  it('is warned of a variable that is not set, once, and not again of what the start took', async () => {
    const warnings = (of: Harness) => of.lines.filter(({ level }) => level === 40).map((line) => line.warnings);
    const unset = block('one, "$' + '{NONE}"');
    const harness = new Harness({}, { expandEnv: true, env: {}, readFile: () => unset });
    await harness.poll(unset);
    expect(warnings(harness)).toEqual([]);
    await harness.poll(`${unset}# changed\n`);
    await harness.poll();
    expect(warnings(harness)).toEqual([[expect.stringMatching(/^tenants\.yaml:2:\d+: \$\{NONE\} is not set/)]]);
  });
});

describe('a per-tenant file that is wrong', () => {
  it.each([
    ['no YAML', 'overrides: [', /^tenants\.yaml:1:\d+: /],
    [
      'an unknown key',
      block('x').replace('dimensions', 'dimension'),
      /^tenants\.yaml:2:\d+: .*did you mean "dimensions"\?/,
    ],
    ['an empty file', ' \n', /^tenants\.yaml: the file is empty/],
    ['a missing file', undefined, /^tenants\.yaml: can't be read: ENOENT/],
  ])('%s: is told with its place once, counted at each reading, and the settings stay', async (_, text, message) => {
    const harness = new Harness();
    await harness.poll();
    const goodMs = harness.nowMs;
    harness.text = text;
    for (let i = 0; i < 3; i++) {
      harness.nowMs += 10_000;
      await harness.watch.poll();
    }
    expect(harness.dimensions).toEqual(['one']);
    expect(harness.changes).toEqual([]);
    expect(harness.watch).toMatchObject({ failures: 3, lastSuccessMs: goodMs });
    expect(harness.lines).toEqual([expect.objectContaining({ level: 50, problems: [expect.stringMatching(message)] })]);
    await harness.poll(block('one'));
    expect(harness.watch).toMatchObject({ failures: 3, lastSuccessMs: harness.nowMs });
    await harness.poll(block('two'));
    expect(harness.dimensions).toEqual(['two']);
  });

  it('also by the rules of whoever runs it, told at the key', async () => {
    const harness = new Harness({
      check: ({ collectionIntervalMs }, tenant) =>
        collectionIntervalMs % 15_000 === 0
          ? []
          : [{ key: ['metrics_generator', 'collection_interval'], message: `not for ${tenant}` }],
    });
    await harness.poll('overrides:\n  a:\n    metrics_generator: {collection_interval: 20s}\n  b:\n');
    expect(harness.changes).toEqual([]);
    expect(harness.lines[0]!.problems).toEqual([
      'tenants.yaml:3:46: overrides.a.metrics_generator.collection_interval: not for a',
    ]);
    await harness.poll('overrides:\n  a:\n    metrics_generator: {collection_interval: 30s}\n');
    expect(resolveTenant(harness.watch.config, 'a').collectionIntervalMs).toBe(30_000);
  });
});
