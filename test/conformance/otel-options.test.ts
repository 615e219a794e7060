// What the collector's options may hold here: the same as there, refused with the place and the reason.

import { describe, expect, test } from 'vitest';
import { ConfigError, loadConfig, resolveTenant } from '../../src/config/index.ts';
import { globMatches, parseGlob } from '../../src/config/schema/otel-globs.ts';

const SPANS = 'metrics_generator.otel.span_metrics';

function load(spanMetrics: object, otel: object = {}) {
  const text = JSON.stringify({ metrics_generator: { naming: 'otel', otel: { span_metrics: spanMetrics, ...otel } } });
  return resolveTenant(loadConfig({ text }).config, 't').otel.spanMetrics;
}

/** `path: message`, without the file's position. */
function problems(spanMetrics: object, otel: object = {}): string[] {
  try {
    load(spanMetrics, otel);
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.problems.map(({ path, message }) => `${path}: ${message}`);
  }
}

describe('a pattern', () => {
  test.each([
    ['http.*', 'http.method', true],
    ['http.*', 'http.', true],
    ['http.*', 'http.request.method', false],
    ['http.**', 'http.request.method', true],
    ['http.*', 'xhttp.method', false],
    ['http.*', 'httpxmethod', false],
    ['*.name', 'k8s.name', true],
    ['a?c', 'abc', true],
    ['a?c', 'a.c', false],
    ['[ab-d]x', 'cx', true],
    ['[ab-d]x', 'ex', false],
    ['[!ab-d]x', 'ex', true],
    ['[\\]]x', ']x', true],
    ['{http,net.{a,b*}}.x', 'net.bcd.x', true],
    ['{http,net.{a,b*}}.x', 'net.c.x', false],
    ['a,b}', 'a,b}', true],
    ['a\\*', 'a*', true],
    ['a\\*', 'ab', false],
    ['é*\n', 'éa\n', true],
    ['(a|b)+$', '(a|b)+$', true],
    ['?', '😀', true],
  ])('%s matches %s: %s', (glob, name, matches) => {
    const parsed = parseGlob(glob);
    expect('error' in parsed ? parsed.error : globMatches(parsed, name)).toBe(matches);
  });

  test.each(['a[', 'a[]', 'a[!]', '[z-a]', '{a', 'a\\', '{a,[b}'])('%s is none', (glob) => {
    expect(parseGlob(glob)).toHaveProperty('error');
    expect(problems({ dimensions: [{ glob }] })[0]).toContain(`${SPANS}.dimensions[0].glob: `);
  });
});

describe('dimensions', () => {
  const lists: [where: string, of: (list: object[]) => object][] = [
    ['dimensions', (dimensions) => ({ dimensions })],
    ['calls_dimensions', (calls_dimensions) => ({ calls_dimensions })],
    ['histogram.dimensions', (dimensions) => ({ histogram: { dimensions } })],
    ['events.dimensions', (dimensions) => ({ events: { enabled: true, dimensions } })],
  ];

  test.each(lists)('may be names and patterns in %s', (where, of) => {
    const { globs } = load(of([{ name: 'a', default: 'x' }, { glob: 'b.*' }]));
    const own = where === 'dimensions' ? 'common' : where.startsWith('h') ? 'duration' : where.split(/[_.]/)[0]!;
    expect(globs).toMatchObject({ [own]: [{ glob: 'b.*' }] });
    expect(Object.values(globs!).flat()).toHaveLength(1);
  });

  test.each<[what: string, list: object[], at: string]>([
    ['neither a name nor a pattern', [{ default: 'x' }], '[0]: name or glob is missing'],
    ['both', [{ name: 'a', glob: 'b' }], '[0].glob: either name or glob'],
    ['a pattern with a default', [{ glob: 'b.*', default: 'x' }], '[0].default: a glob has no default'],
    ['a pattern twice', [{ glob: 'b.*' }, { glob: 'b.*' }], '[1].glob: "b.*" is here twice'],
    [
      'a pattern that matches what is there anyway',
      [{ glob: 'span.*' }],
      '[0].glob: it matches "span.name", which is a label anyway',
    ],
    [
      'a pattern that matches a name before it',
      [{ name: 'a.b' }, { glob: 'a.*' }],
      '[1].glob: it matches "a.b", which is here too',
    ],
    [
      'a pattern that matches a name behind it',
      [{ glob: 'a.*' }, { name: 'a.b' }],
      '[0].glob: it matches "a.b", which is here too',
    ],
    ['a name twice', [{ name: 'a' }, { name: 'a' }], '[1].name: "a" is here twice'],
  ])('may not be %s', (_, list, at) => {
    for (const [where, of] of lists) expect(problems(of(list))).toContain(`${SPANS}.${where}${at}`);
  });

  test('have no label of a scope where scopes have labels', () => {
    const dimensions = [{ name: 'span.instrumentation.scope.name' }];
    expect(problems({ dimensions })).toEqual([]);
    expect(problems({ dimensions, include_instrumentation_scope: ['a'] })[0]).toBe(
      `${SPANS}.dimensions: the label of "span.instrumentation.scope.name" belongs to include_instrumentation_scope`,
    );
  });
});

test('exemplars are five per label set unless it is said, never fewer than none', () => {
  expect(load({}).exemplars).toBe(false);
  expect(load({ exemplars: { enabled: true } })).toMatchObject({ exemplars: true, exemplarsPerPoint: 5 });
  expect(load({ exemplars: { enabled: true, max_per_data_point: 0 } }).exemplarsPerPoint).toBe(0);
  expect(problems({ exemplars: { max_per_data_point: -1 } })[0]).toContain(`${SPANS}.exemplars.max_per_data_point`);
});

test('attributes of the resource are labels on request, but not where a gate takes the resource away', () => {
  const conversion = (more: object, gates: string[] = []) => ({
    resource_to_telemetry_conversion: more,
    feature_gates: gates,
  });
  expect(load({}).resourceAttributes).toBeNull();
  expect(load({}, conversion({ exclude_service_attributes: true })).resourceAttributes).toBeNull();
  expect(load({}, conversion({ enabled: true })).resourceAttributes).toEqual({ except: [] });
  expect(
    load({}, conversion({ enabled: true, exclude_service_attributes: true })).resourceAttributes?.except,
  ).toContain('service.name');
  const gates = ['connector.spanmetrics.excludeResourceMetrics'];
  expect(problems({}, conversion({ enabled: true }, gates))).toEqual([
    `metrics_generator.otel.resource_to_telemetry_conversion.enabled: with the gate ${gates[0]} there are no attributes to convert`,
  ]);
});
