import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ExpositionError, type Format, parsePage } from '../../src/relay/exposition/index.ts';

const FORMATS: Format[] = ['text', 'openmetrics'];

/** Parses or fails with the line; anything else that is thrown fails the test. */
function survives(bytes: Uint8Array): void {
  const lines = bytes.reduce((sum, byte) => sum + (byte === 0x0a ? 1 : 0), 1);
  for (const format of FORMATS) {
    try {
      for (const { name, timestampMs, exemplar } of parsePage(bytes, { format })) {
        expect(name).not.toBe('');
        for (const ms of [timestampMs, exemplar?.timestampMs])
          if (ms !== undefined) expect(ms).toSatisfy(Number.isSafeInteger);
      }
    } catch (error) {
      if (!(error instanceof ExpositionError)) throw error;
      expect(error.line).toBeGreaterThanOrEqual(1);
      expect(error.line).toBeLessThanOrEqual(lines);
    }
  }
}

const PARTS = [
  ...[
    'a',
    'b_total',
    'b_bucket',
    'b_created',
    '__name__',
    'le',
    '{',
    '}',
    '"',
    '=',
    ',',
    ' ',
    '  ',
    '\t',
    '\n',
    '\r\n',
  ],
  ...[
    '\\',
    '\\n',
    '\\"',
    '#',
    '# ',
    '# TYPE ',
    '# HELP ',
    '# UNIT ',
    '# EOF\n',
    '# EOF',
    ' # {',
    'counter',
    'histogram',
  ],
  ...[
    '1',
    '1.5',
    '-1',
    'NaN',
    '+Inf',
    '1e999',
    '1700000000.5',
    '99999999999999999999',
    'ü',
    '\u{1f600}',
    '\u0000',
    '\ufeff',
  ],
];
const PAGE = Buffer.from(
  `# HELP c Help\\n\n# TYPE c counter\nc_total{a="1",b="\\"x\\\\"} 1 1700000000.5 # {trace_id="ü"} 0.5 1700000000\nc_created{a="1"} 5
# TYPE h_seconds histogram\n# UNIT h_seconds seconds\nh_seconds_bucket{le="+Inf"} 1\n{"x.y","z z"="1"} NaN\n# EOF\n`,
);

describe('whatever bytes come in, only the parser’s own error comes out:', () => {
  it('any bytes', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), survives), { numRuns: 3_000 });
  });

  it('any text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (text) => survives(Buffer.from(text))),
      {
        numRuns: 3_000,
      },
    );
  });

  it('parts of pages in any order', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...PARTS), { maxLength: 40 }), (parts) =>
        survives(Buffer.from(parts.join(''))),
      ),
      { numRuns: 20_000 },
    );
  });

  it('a page with bytes changed, lost or added', () => {
    const change = fc.record({ at: fc.nat(PAGE.length - 1), remove: fc.nat(3), add: fc.uint8Array({ maxLength: 3 }) });
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 3 }), (changes) => {
        let bytes = PAGE;
        for (const { at, remove, add } of changes) {
          bytes = Buffer.concat([bytes.subarray(0, at), add, bytes.subarray(at + remove)]);
        }
        survives(bytes);
      }),
      { numRuns: 10_000 },
    );
  });

  it('a page cut off anywhere', () => {
    for (let length = 0; length < PAGE.length; length++) survives(PAGE.subarray(0, length));
    expect(parsePage(PAGE, { format: 'openmetrics' })).toHaveLength(3);
  });
});

describe('a page of megabytes takes its time once, not squared:', () => {
  const N = 1_000_000;
  // Squared, each of these would take longer than the test may.
  it.each<[string, string]>([
    ['digits', `a ${'1'.repeat(N)}x`],
    ['a fraction', `a 1.${'1'.repeat(N)}e`],
    ['an exponent', `a 1e${'1'.repeat(N)}x`],
    ['a timestamp', `a 1 ${'1'.repeat(N)}x`],
    ['backslashes', `a{b="${'\\'.repeat(N)}`],
    ['escaped quotes', `a{b="${'\\"'.repeat(N)}`],
    ['open braces', `a${'{'.repeat(N)}`],
    ['blanks', `a${' '.repeat(N)}{`],
    ['blanks again and again', `a${' {'.repeat(N)}`],
    ['line feeds', '\n'.repeat(N)],
    ['short lines', 'a 1\n'.repeat(N / 4)],
    ['lines of blanks', `${' '.repeat(100)}\n`.repeat(N / 100)],
    ['labels', `a{${Array.from({ length: N / 10 }, (_, i) => `l${i}="1"`).join()}} 1`],
    [
      'labels with a long start in common',
      `a{${Array.from({ length: 3_000 }, (_, i) => `${'l'.repeat(300)}${i}="1"`).join()}} 1`,
    ],
    ['families', Array.from({ length: N / 20 }, (_, i) => `# TYPE f${i} counter\nf${i}_total 1\n`).join('')],
    ['suffixes', `${'a_total_bucket_sum_count_info_created'.repeat(N / 40)} 1`],
    [
      'samples of one created family',
      `# TYPE c counter\n${Array.from({ length: N / 20 }, (_, i) => `c_total{i="${i}"} 1\nc_created{i="${i}"} 1\n`).join('')}# EOF\n`,
    ],
    ['help', `# HELP a ${'\\\\n'.repeat(N)}\na 1`],
    ['a name', `${'a'.repeat(N)}-`],
    ['an exemplar', `a 1 # {b="${'\\n'.repeat(N)}"} 1${'1'.repeat(N)}x`],
  ])('%s', (_title, page) => {
    survives(Buffer.from(page));
  });
});

describe('what is written is what is read', () => {
  const text = fc.string({ unit: 'grapheme', maxLength: 12 });
  const quote = (value: string) => `"${value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')}"`;
  const pairs = fc.uniqueArray(
    fc.tuple(
      text.filter((name) => name !== '' && name !== '__name__'),
      text,
    ),
    {
      selector: ([name]) => name,
      maxLength: 12,
    },
  );
  const value = fc.double();
  const sample = fc.record({
    name: text.filter((name) => name !== ''),
    labels: pairs,
    value,
    timestampMs: fc.option(fc.integer({ min: -1e12, max: 1e13 }), { nil: undefined }),
    exemplar: fc.option(
      fc.record({
        labels: pairs,
        value,
        timestampMs: fc.option(fc.integer({ min: 1, max: 1e13 }), { nil: undefined }),
      }),
      { nil: undefined },
    ),
  });
  const number = (of: number) =>
    Number.isFinite(of) ? (Object.is(of, -0) ? '-0' : String(of)) : String(of).replace('inity', '');
  const set = (of: [string, string][]) => of.map(([name, held]) => `${quote(name)}=${quote(held)}`);

  it.each(FORMATS)('in %s', (format) => {
    const isOpen = format === 'openmetrics';
    const time = (ms: number | undefined) => (ms === undefined ? '' : ` ${isOpen ? (ms / 1000).toFixed(3) : ms}`);
    fc.assert(
      fc.property(fc.array(sample, { maxLength: 5 }), (samples) => {
        const expected = samples.map((of) => (isOpen ? of : { ...of, exemplar: undefined }));
        const lines = expected.map(({ name, labels, value: held, timestampMs, exemplar }) => {
          const tail = exemplar
            ? ` # {${set(exemplar.labels).join()}} ${number(exemplar.value)}${time(exemplar.timestampMs)}`
            : '';
          return `{${[quote(name), ...set(labels)].join()}} ${number(held)}${time(timestampMs)}${tail}\n`;
        });
        const page = Buffer.from(`${lines.join('')}# EOF\n`);
        const read = parsePage(page, { format }).map(({ family: _, createdMs: __, ...of }) => of);
        expect(read).toEqual(expected);
      }),
      { numRuns: 2_000 },
    );
  });
});
