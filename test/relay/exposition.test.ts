import { describe, expect, it } from 'vitest';
import { ExpositionError, type Format, formatOf, parsePage, type Sample } from '../../src/relay/exposition/index.ts';

const parse = (format: Format, page: string | Uint8Array, takesCreated = true): Sample[] =>
  parsePage(typeof page === 'string' ? Buffer.from(page) : page, { format, takesCreated });
const only = (format: Format, line: string): Sample => {
  const samples = parse(format, format === 'text' ? line : `${line}\n# EOF\n`);
  expect(samples).toHaveLength(1);
  return samples[0]!;
};
const failure = (format: Format, page: string | Uint8Array): string => {
  try {
    parse(format, page);
  } catch (error) {
    expect(error).toBeInstanceOf(ExpositionError);
    return (error as Error).message;
  }
  return 'none';
};

describe.each<Format>(['text', 'openmetrics'])('a sample in %s', (format) => {
  it.each<[line: string, name: string, labels: [string, string][]]>([
    ['a 1', 'a', []],
    ['a:b_C9{} 1', 'a:b_C9', []],
    [
      'a{x="1",y="2"} 1',
      'a',
      [
        ['x', '1'],
        ['y', '2'],
      ],
    ],
    ['a{x="1",} 1', 'a', [['x', '1']]],
    ['a{x=""} 1', 'a', [['x', '']]],
    [String.raw`a{x="q\"b\\n\nt"} 1`, 'a', [['x', 'q"b\\n\nt']]],
    [String.raw`a{x="\d\\"} 1`, 'a', [['x', '\\d\\']]],
    ['a{x="} # {y=\\"1\\"} 5, #"} 1', 'a', [['x', '} # {y="1"} 5, #']]],
    ['a{x="日本 \u{1f600}\t"} 1', 'a', [['x', '日本 \u{1f600}\t']]],
    ['{"http.calls"} 1', 'http.calls', []],
    ['{"http.calls",x="1"} 1', 'http.calls', [['x', '1']]],
    ['{x="1","http.calls"} 1', 'http.calls', [['x', '1']]],
    ['{"a","service.name"="ü"} 1', 'a', [['service.name', 'ü']]],
    ['a{"x y"="1"} 1', 'a', [['x y', '1']]],
    [String.raw`{"a\"b\\c"} 1`, 'a"b\\c', []],
  ])('has name and labels: %s', (line, name, labels) => {
    expect(only(format, line)).toMatchObject({ name, labels, value: 1, timestampMs: undefined, exemplar: undefined });
  });

  it.each<[text: string, value: number]>([
    ['0', 0],
    ['-0', -0],
    ['+1', 1],
    ['1.', 1],
    ['.5', 0.5],
    ['1e308', 1e308],
    ['5E-324', 5e-324],
    ['1e-400', 0],
    ['0.1234567890123456', 0.1234567890123456],
    ['9007199254740993', 9007199254740992],
    ['+Inf', Number.POSITIVE_INFINITY],
    ['inf', Number.POSITIVE_INFINITY],
    ['-Infinity', Number.NEGATIVE_INFINITY],
    ['NaN', Number.NaN],
    ['nan', Number.NaN],
  ])('has the value %s', (text, value) => {
    expect(only(format, `a ${text}`).value).toBe(value);
  });

  it.each(['1e309', '0x10', '1_000', '1,5', '++1', '1e', '.', '-', 'e5', '-NaN', 'true', '１'])(
    'refuses %s',
    (text) => {
      expect(failure(format, format === 'text' ? `a ${text}` : `a ${text}\n# EOF`)).toMatch(/^line 1: no number: /);
    },
  );

  it.each([
    'a{x="1" 1',
    'a{x="1',
    'a{x="1\\',
    'a{x=1} 1',
    'a{x} 1',
    'a{="1"} 1',
    'a{1x="1"} 1',
    'a{x="1",,y="2"} 1',
    'a{,x="1"} 1',
    'a{x="1"y="2"} 1',
    'a{x="1",x="2"} 1',
    'a{__name__="b"} 1',
    'a{"b"} 1',
    '{"a","b"} 1',
    '{x="1"} 1',
    '{} 1',
    '{""} 1',
    'a{""="1"} 1',
    '1a 1',
    'a-b 1',
    'http.calls 1',
    'a',
    'a ',
    'a{x="1"}',
    'a 1 x',
    'a 1 2 3',
    'a 1\r',
    '\ufeffa 1',
    `a{${Array.from({ length: 12 }, (_, i) => `l${i}="1"`).join()},l10="2"} 1`,
  ])('is refused with its line: %s', (line) => {
    expect(failure(format, `b 1\n${line}\n# EOF\n`)).toMatch(/^line 2: ./);
  });

  it('belongs to its family wherever the page says what that is', () => {
    const page = [
      ...['c counter', 'h histogram', 's summary', 'g gauge'].map((of) => `# TYPE ${of}`),
      'c_total 1',
      'h_bucket{le="+Inf"} 1',
      'h_sum 1',
      'h_count 1',
      's{quantile="0.5"} 1',
      's_sum 1',
      's_count 1',
      'g 1',
      'g_count 1',
      String.raw`# HELP c A "counter"\\\n2 lines`,
      '# HELP g ',
      '# EOF\n',
    ].join('\n');
    const of = Object.fromEntries(parse(format, page).map(({ name, family }) => [name, family]));
    expect(Object.entries(of).map(([name, { name: family, type }]) => [name, family, type])).toEqual([
      ['c_total', 'c', 'counter'],
      ['h_bucket', 'h', 'histogram'],
      ['h_sum', 'h', 'histogram'],
      ['h_count', 'h', 'histogram'],
      ['s', 's', 'summary'],
      ['s_sum', 's', 'summary'],
      ['s_count', 's', 'summary'],
      ['g', 'g', 'gauge'],
      ['g_count', 'g_count', 'unknown'],
    ]);
    expect(of['c_total']!.help).toBe('A "counter"\\\n2 lines');
    expect(of['g']!.help).toBe('');
  });

  it('may have a quoted family', () => {
    const page = '# TYPE "http.calls" gauge\n# HELP "http.calls" Calls.\n{"http.calls"} 1\n# EOF\n';
    expect(parse(format, page)[0]!.family).toMatchObject({ name: 'http.calls', type: 'gauge', help: 'Calls.' });
  });

  it('names the line that is not UTF-8', () => {
    const page = Buffer.concat([Buffer.from('a 1\nb{x="'), Buffer.from([0xc3, 0x28]), Buffer.from('"} 1\n# EOF\n')]);
    expect(failure(format, page)).toBe('line 2: not UTF-8');
  });
});

describe('the text format', () => {
  it('lets blanks, empty lines and comments be', () => {
    const page =
      '\n  \t\n# a comment\n#HELP a x\n# HELP\n# TYPE\n \ta \t{ x = "1" , y="2" , } \t1.5 \t 1000 \t\n#\n# EOF\nb{x="1"}2';
    expect(parse('text', page)).toMatchObject([
      {
        name: 'a',
        labels: [
          ['x', '1'],
          ['y', '2'],
        ],
        value: 1.5,
        timestampMs: 1000,
      },
      { name: 'b', labels: [['x', '1']], value: 2 },
    ]);
  });

  it.each<[string, number]>([
    ['1700000000123', 1_700_000_000_123],
    ['0', 0],
    ['-1', -1],
    ['+5', 5],
  ])('has timestamps in milliseconds: %s', (text, timestampMs) => {
    expect(only('text', `a 1 ${text}`).timestampMs).toBe(timestampMs);
  });

  it.each(['1.5', '1e3', '9007199254740993', 'now'])('has no timestamp %s', (text) => {
    expect(failure('text', `a 1 ${text}`)).toMatch(/^line 1: no timestamp in milliseconds/);
  });

  it('has its own types, and a UNIT is a comment', () => {
    expect(parse('text', '# TYPE a untyped\n# UNIT a bytes\na 1')[0]!.family).toMatchObject({
      type: 'unknown',
      unit: '',
    });
    for (const type of ['unknown', 'info', 'Counter', 'constructor', 'counter x', '']) {
      expect(failure('text', `\n# TYPE a ${type}\n`)).toMatch(/^line 2: no metric type/);
    }
  });

  it('has help with two escapes, and trailing blanks', () => {
    expect(parse('text', '# HELP a  x\\"\\\\\\n \na 1')[0]!.family.help).toBe('x\\"\\\n ');
    expect(parse('text', '# HELP a\na 1')[0]!.family.help).toBe('');
  });

  it('has no exemplars', () => {
    expect(failure('text', 'a_total 1 # {x="1"} 1')).toMatch(/^line 1: no timestamp/);
  });

  it('may be empty', () => {
    expect(parse('text', '')).toEqual([]);
  });

  it('takes _created for a series like any other', () => {
    const samples = parse('text', '# TYPE a_total counter\na_total 1\na_created 1700000000');
    expect(samples.map(({ name, createdMs }) => [name, createdMs])).toEqual([
      ['a_total', undefined],
      ['a_created', undefined],
    ]);
  });
});

describe('OpenMetrics', () => {
  it.each<[string, number]>([
    ['1700000000.123', 1_700_000_000_123],
    ['1.7e9', 1_700_000_000_000],
    ['1520879607.001', 1_520_879_607_001],
    ['-1', -1_000],
    ['0', 0],
  ])('has timestamps in seconds: %s', (text, timestampMs) => {
    expect(only('openmetrics', `a 1 ${text}`).timestampMs).toBe(timestampMs);
  });

  it.each(['NaN', '+Inf', '1e300', 'x'])('has no timestamp %s', (text) => {
    expect(failure('openmetrics', `a 1 ${text}\n# EOF`)).toMatch(/^line 1: no timestamp in seconds/);
  });

  it.each<[string, object]>([
    ['a_total 1 # {trace_id="abc"} 0.5', { labels: [['trace_id', 'abc']], value: 0.5, timestampMs: undefined }],
    [
      'a_total 1 2 # {trace_id="abc",span_id="d"} 0.5 1700000000.25',
      {
        labels: [
          ['trace_id', 'abc'],
          ['span_id', 'd'],
        ],
        value: 0.5,
        timestampMs: 1_700_000_000_250,
      },
    ],
    ['a_bucket{le="1"} 1 # {} NaN', { labels: [], value: Number.NaN, timestampMs: undefined }],
    [
      'a_total 1 # {"service.name"="ü \\" # {"} 1',
      { labels: [['service.name', 'ü " # {']], value: 1, timestampMs: undefined },
    ],
  ])('has exemplars: %s', (line, exemplar) => {
    expect(only('openmetrics', line).exemplar).toEqual(exemplar);
  });

  it.each([
    'a_total 1 # {x="1"}',
    'a_total 1 # {x="1"} ',
    'a_total 1 # {x="1"} y',
    'a_total 1 # {x="1"} 1 y',
    'a_total 1 # {x="1"} 1 2 3',
    'a_total 1 # {x="1",x="2"} 1',
    'a_total 1 # {"x"} 1',
    'a_total 1 # x',
    'a_total 1 # ',
    'a_total 1 #{x="1"} 1',
    'a_total 1 2 #',
    'a  1',
    ' a 1',
    'a 1 ',
    'a\t1',
    'a {x="1"} 1',
    'a{ x="1"} 1',
    'a{x="1"}1',
    '',
    '# a comment',
    '#',
    '# HELP',
    '# HELP  a',
    '#  HELP a b',
    '# TYPE a',
    '# TYPE a Counter',
    '# TYPE a untyped',
    '# TYPE a counter ',
    '# TYPE 1a counter',
    '# TYPE a{} counter',
    '# UNIT a_bytes seconds',
    '# UNIT bytes bytes',
    '# EOFX',
  ])('is refused with its line: "%s"', (line) => {
    expect(failure('openmetrics', `b 1\n${line}\nc 1\n# EOF\n`)).toMatch(/^line 2: ./);
  });

  it('ends with EOF and nothing after it', () => {
    expect(parse('openmetrics', '# EOF')).toEqual([]);
    expect(parse('openmetrics', 'a 1\n# EOF')).toHaveLength(1);
    expect(failure('openmetrics', '')).toMatch(/^line 1: the page is cut off/);
    expect(failure('openmetrics', 'a 1\n')).toMatch(/^line 2: the page is cut off/);
    expect(failure('openmetrics', 'a 1\nb 1')).toMatch(/^line 2: the page is cut off/);
    expect(failure('openmetrics', '# EOF\n\n')).toMatch(/^line 2: there is more/);
    expect(failure('openmetrics', '# EOF\na 1\n# EOF')).toMatch(/^line 2: there is more/);
  });

  it('has units, and types that the text format has not', () => {
    const page = [
      '# TYPE d_seconds gauge',
      '# UNIT d_seconds seconds',
      'd_seconds 1',
      '# TYPE b info',
      'b_info{version="1"} 1',
      '# TYPE s stateset',
      's{s="on"} 1',
      '# TYPE gh gaugehistogram',
      'gh_bucket{le="+Inf"} 1',
      'gh_gcount 1',
      'gh_gsum 1',
      '# TYPE u unknown',
      '# UNIT u ',
      'u 1',
      '# EOF\n',
    ].join('\n');
    expect(parse('openmetrics', page).map(({ name, family: { type, unit } }) => [name, type, unit])).toEqual([
      ['d_seconds', 'gauge', 'seconds'],
      ['b_info', 'info', ''],
      ['s', 'stateset', ''],
      ['gh_bucket', 'gaugehistogram', ''],
      ['gh_gcount', 'gaugehistogram', ''],
      ['gh_gsum', 'gaugehistogram', ''],
      ['u', 'unknown', ''],
    ]);
  });

  const CREATED = [
    '# TYPE c counter',
    'c_created{x="1"} 1700000000.5',
    'c_total{x="1"} 1',
    'c_total{x="2"} 1',
    '# TYPE h histogram',
    'h_bucket{x="1",le="1"} 1',
    'h_bucket{le="+Inf",x="1"} 1',
    'h_count{x="1"} 1',
    'h_sum{x="1"} 1',
    'h_created{x="1"} 1700000001',
    '# TYPE s summary',
    's{quantile="0.5"} 1',
    's_count 1',
    's_created 0',
    '# TYPE g gauge',
    'g_created 1700000002',
    '# EOF\n',
  ].join('\n');

  it('says by _created when counting began', () => {
    expect(parse('openmetrics', CREATED).map(({ name, createdMs }) => [name, createdMs])).toEqual([
      ['c_total', 1_700_000_000_500],
      ['c_total', undefined],
      ['h_bucket', 1_700_000_001_000],
      ['h_bucket', 1_700_000_001_000],
      ['h_count', 1_700_000_001_000],
      ['h_sum', 1_700_000_001_000],
      ['s', 1],
      ['s_count', 1],
      ['g_created', undefined],
    ]);
  });

  it('keeps _created as series where a start time can not be sent', () => {
    const names = parse('openmetrics', CREATED, false).map(({ name }) => name);
    expect(names.filter((name) => name.endsWith('_created'))).toEqual([
      'c_created',
      'h_created',
      's_created',
      'g_created',
    ]);
  });
});

it.each<[string | null, Format]>([
  ['application/openmetrics-text; version=1.0.0; charset=utf-8', 'openmetrics'],
  ['Application/OpenMetrics-Text', 'openmetrics'],
  ['application/openmetrics-textual', 'text'],
  ['text/plain; version=0.0.4', 'text'],
  [null, 'text'],
])('the media type %s is read as %s', (type, format) => {
  expect(formatOf(type)).toBe(format);
});
