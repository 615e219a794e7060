// Slips in a Tempo file: each is told at its line, with the name that is meant.

import { describe, expect, it } from 'vitest';
import type { ConfigError } from '../../src/config/index.ts';
import { load, textOf } from './tempo-keys/fixture.ts';

describe('a misspelled key', () => {
  it('is told with what is meant, which the comment beside it says', () => {
    const problems: string[] = [];
    try {
      load('misspelled.yaml');
    } catch (error) {
      for (const { file, line, message } of (error as ConfigError).problems)
        problems.push(`${file}:${line} ${message}`);
    }
    const meant = ['misspelled.yaml', 'misspelled.tenants.yaml'].flatMap((file) =>
      textOf(file)
        .split('\n')
        .flatMap((text, index) => {
          const comment = /\S.*# (\w+)$/.exec(text);
          return comment === null ? [] : [{ place: `${file}:${index + 1} `, name: comment[1]! }];
        }),
    );
    expect(meant.length).toBeGreaterThan(35);
    const unexplained = meant.filter(
      ({ place, name }) => !problems.some((one) => one.startsWith(place) && new RegExp(`\\b${name}\\b`).test(one)),
    );
    expect(unexplained).toEqual([]);
    const others = problems.filter((one) => !meant.some(({ place }) => one.startsWith(place)));
    expect(others).toEqual([
      expect.stringContaining('is missing'),
      expect.stringContaining('unknown key "assert_max_live_traces"'),
      expect.stringContaining('there is metrics_generator.processor.service_graphs.wait'),
    ]);
  });
});
