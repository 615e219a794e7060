// `naming: otel` with labels of which only the spans know the names, with those of scopes that tell no rows apart, and with the first
// spans as exemplars: what the recorded cases don't look at, and that all of it survives crashes and ends with its options.

import { describe, expect, test } from 'vitest';
import { choices, noisy } from '../otlp/noisy-encoder.ts';
import { encode, type Message } from '../otlp/otlp-proto.ts';
import { OtelLife, otelRequest, otelSettings, T } from './otel-life.ts';
import type { Attributes } from './spans.ts';

const WEB: [string, string] = ['service.name', 'web'];
const CONVERSION = { otel: { resource_to_telemetry_conversion: { enabled: true } } };

describe('a dimension by pattern', () => {
  const life = (glob: string, more: object = {}) => new OtelLife(otelSettings({ dimensions: [{ glob }], ...more }));
  const attributes: Attributes = [
    ['http.method', 'GET'],
    ['http.request.method', 'POST'],
    ['net.peer', 'x'],
  ];

  test.each([
    ['http.*', { http_method: 'GET' }],
    ['http.**', { http_method: 'GET', http_request_method: 'POST' }],
    ['**.method', { http_method: 'GET', http_request_method: 'POST' }],
    ['{net,http}.?e*', { http_method: 'GET', net_peer: 'x' }],
    ['[!h]et.p[a-f]er', { net_peer: 'x' }],
    ['http\\.m*', { http_method: 'GET' }],
    ['http', {}],
  ])('%s gives the attributes %o', (glob, labels) => {
    expect(life(glob).push([{ attributes }]).boundary().calls()).toEqual([[labels, 1]]);
  });

  test('matches no name of more than 1,024 characters', () => {
    const name = (length: number) => 'http.'.padEnd(length, 'x');
    const long: Attributes = [
      [name(1_024), 'a'],
      [name(1_025), 'b'],
    ];
    const [[labels]] = life('http.*')
      .push([{ attributes: long }])
      .boundary()
      .calls() as [[object, number]];
    expect(Object.values(labels)).toEqual(['a']);
  });

  test('takes the span’s before the resource’s, an empty one too', () => {
    const resource: Attributes = [WEB, ['http.flavor', 'r'], ['http.method', 'r'], ['http.port', 80n]];
    const of: Attributes = [
      ['http.method', 'GET'],
      ['http.flavor', ''],
    ];
    expect(
      life('http.*')
        .push([{ attributes: of }], resource)
        .boundary()
        .calls(),
    ).toEqual([[{ http_method: 'GET', http_port: '80' }, 1]]);
  });

  test('makes one row of the same attributes in any order, and the first of two counts', () => {
    const [a, b] = [
      ['http.a', 1n],
      ['http.b', true],
    ] as Attributes;
    const spans = [
      { attributes: [a!, b!] },
      { attributes: [b!, a!] },
      { attributes: [a!, b!, ['http.a', 'late']] as Attributes },
    ];
    expect(life('http.*').push(spans).boundary().calls()).toEqual([[{ http_a: '1', http_b: 'true' }, 3]]);
  });

  test('joins what becomes one label, with a named dimension too', () => {
    const clashing: Attributes = [
      ['http.a_b', 'two'],
      ['http.a.b', 'one'],
      ['http_a_b', 'named'],
    ];
    expect(
      life('http.**')
        .push([{ attributes: clashing }])
        .boundary()
        .calls(),
    ).toEqual([[{ http_a_b: 'one;two' }, 1]]);
    const named = new OtelLife(otelSettings({ dimensions: [{ name: 'http_a_b' }, { glob: 'http.**' }] }));
    named.push([{ attributes: clashing }, { attributes: clashing.slice(0, 2) }, { attributes: clashing.slice(2) }]);
    expect(named.boundary().calls()).toEqual([
      [{ http_a_b: 'named' }, 1],
      [{ http_a_b: 'one;two' }, 1],
      [{ http_a_b: 'one;two;named' }, 1],
    ]);
  });

  test('never takes a label that is somebody else’s', () => {
    const taken: Attributes = ['le', 'otel.scope.name', 'collector_instance_id', 'otel.metric.overflow', 'job'].map(
      (name) => [name, 'mine'],
    );
    const { image } = life('{le,otel**,collector*,job}')
      .push([{ attributes: taken }, { attributes: [] }])
      .boundary();
    const labels = [...image.tables.get('span-metrics')!.rows.values()].map((row) => row.labels.join());
    expect(labels).toHaveLength(1);
    expect(labels[0]).not.toContain('mine');
  });

  test('of calls alone makes rows of their own for them', () => {
    const one = new OtelLife(otelSettings({ calls_dimensions: [{ glob: 'http.*' }] }))
      .push([{ attributes }])
      .boundary();
    expect(one.calls()).toEqual([[{ http_method: 'GET' }, 1]]);
    expect(one.calls('traces_span_metrics_duration_milliseconds_count')).toEqual([[{}, 1]]);
    const dimensions = [{ glob: 'http.*' }];
    const both = new OtelLife(otelSettings({ calls_dimensions: dimensions, histogram: { dimensions } }));
    expect(both.push([{ attributes }]).fold.tenant('t').registry.liveRows).toBe(1);
  });

  test('of events looks at the span, then at the event, then at the resource', () => {
    const events = { enabled: true, dimensions: [{ glob: 'e.*' }] };
    const resource: Attributes = [WEB, ['e.a', 'r'], ['e.b', 'r'], ['e.c', 'r']];
    const span = {
      attributes: [['e.a', 's']] as Attributes,
      events: [
        [
          ['e.a', 'e'],
          ['e.b', 'e'],
        ],
        [],
      ] as Attributes[],
    };
    const one = new OtelLife(otelSettings({ events })).push([span], resource).boundary();
    expect(one.calls('traces_span_metrics_events_total')).toEqual([
      [{ e_a: 's', e_b: 'e', e_c: 'r' }, 1],
      [{ e_a: 's', e_b: 'r', e_c: 'r' }, 1],
    ]);
    expect(one.calls()).toEqual([[{}, 1]]);
  });

  test('of an event that is no UTF-8 costs the event alone, and that is said', () => {
    const events = { enabled: true, dimensions: [{ name: 'e' }] };
    const span = { events: [[['e', 'ZZZZ']], [['e', 'good']]] as Attributes[] };
    const one = new OtelLife(otelSettings({ events }));
    const request = encode('Request', otelRequest([WEB], [span], one.nowMs));
    request[Buffer.from(request).indexOf('ZZZZ')] = 0xff;
    one.pushBytes(request).boundary();
    expect(one.calls('traces_span_metrics_events_total')).toEqual([[{ e: 'good' }, 1]]);
    expect(one.calls()).toEqual([[{}, 1]]);
    expect([...one.fold.tenant('t').counters.discarded]).toEqual([['event_invalid_utf8 span-metrics', 1]]);
  });

  test('is cut to the lengths of labels, and what is no UTF-8 is not counted', () => {
    const registry = { max_label_name_length: 6, max_label_value_length: 3 };
    const one = new OtelLife(otelSettings({ dimensions: [{ glob: 'http.*' }] }, { registry }));
    const long: Attributes = [
      ['http.longer', 'x'],
      ['http.long', 'abcdef'],
      ['http.b', new Uint8Array([1, 2, 3])],
    ];
    expect(
      one
        .push([{ attributes: long }])
        .boundary()
        .calls()[0]![0],
    ).toMatchObject({ http_b: 'AQI', http_l: 'abc;x'.slice(0, 3) });
    const bad = life('http.*');
    const bytes = encode('Request', otelRequest([WEB], [{ attributes: [['http.x', 'ZZZZ']] }], T));
    bytes[Buffer.from(bytes).indexOf('ZZZZ')] = 0xff;
    bad
      .pushBytes(bytes)
      .push([{ attributes: [['http.x', 'fine']] }])
      .boundary();
    expect(bad.calls()).toEqual([[{ http_x: 'fine' }, 1]]);
    expect(bad.discarded).toEqual([['invalid_utf8 span-metrics', 1]]);
  });

  test('has each of its labels limited by itself', () => {
    const tenant = { max_cardinality_per_label: 5 };
    const one = new OtelLife(otelSettings({ dimensions: [{ glob: 'http.*' }] }, { tenant }));
    const many = Array.from({ length: 20 }, (_, i) => ({
      attributes: [
        ['http.id', `${i}`],
        ['http.method', 'GET'],
      ] as Attributes,
    }));
    one.push(many).at(20_000).push(many).boundary();
    const over = { http_id: '__cardinality_overflow__', http_method: 'GET' };
    expect(one.calls()).toHaveLength(21);
    expect(one.calls()).toContainEqual([over, 20]);
    const { valuesLimited } = one.fold.tenant('t').registry.labelCounters;
    expect([...valuesLimited]).toEqual([['http_id', 20]]);
  });

  test('counts in the limit on series like any other label', () => {
    const one = new OtelLife(otelSettings({ dimensions: [{ glob: 'http.*' }] }, { tenant: { max_active_series: 40 } }));
    one.push(Array.from({ length: 5 }, (_, i) => ({ attributes: [['http.id', `${i}`]] }))).boundary();
    expect(one.calls()).toEqual([
      [{ http_id: '0' }, 1],
      [{ http_id: '1' }, 1],
      [{ metric_overflow: 'true' }, 3],
    ]);
  });

  test('goes on in the same rows after symbols got new numbers', () => {
    const one = life('http.*').push([{ attributes }]).boundary();
    expect(
      one
        .renumber()
        .push([{ attributes }, { attributes: [] }])
        .boundary()
        .calls(),
    ).toEqual([
      [{ http_method: 'GET' }, 2],
      [{}, 1],
    ]);
  });
});

describe('attributes of the resource as labels', () => {
  const life = (spanMetrics: object = {}, otel: object = {}) =>
    new OtelLife(otelSettings(spanMetrics, { otel: { ...CONVERSION.otel, ...otel } }));

  test('are all of them, and target_info stays', () => {
    const resource: Attributes = [WEB, ['service.namespace', 'shop'], ['host.cpu', 4n], ['empty', '']];
    const one = life().push([{}], resource).boundary();
    expect(one.calls()).toEqual([[{ host_cpu: '4', service_namespace: 'shop' }, 1]]);
    expect(one.calls('target_info')).toEqual([[{ host_cpu: '4' }, 1]]);
  });

  test('leave the service’s own out on request', () => {
    const resource_to_telemetry_conversion = { enabled: true, exclude_service_attributes: true };
    const resource: Attributes = [WEB, ['service.namespace', 'shop'], ['service.instance.id', 'i'], ['host', 'h']];
    const one = life({}, { resource_to_telemetry_conversion }).push([{}], resource).boundary();
    expect(one.calls()).toEqual([[{ host: 'h', instance: 'i' }, 1]]);
  });

  test('win over the span’s dimensions, and over what every span has', () => {
    const resource: Attributes = [WEB, ['pod', 'r'], ['span.name', 'r'], ['job', 'r'], ['span_kind', 'r']];
    const dimensions = [{ name: 'pod', default: 'd' }, { name: 'zone' }];
    const attributes: Attributes = [
      ['pod', 's'],
      ['zone', 's'],
    ];
    const one = life({ dimensions }).push([{ attributes }], resource).boundary();
    expect(one.series('traces_span_metrics_calls_total').map(({ labels }) => labels)).toMatchObject([
      { job: 'web', pod: 'r', zone: 's', span_name: 'r', span_kind: 'SPAN_KIND_SERVER;r' },
    ]);
  });

  test('bring an excluded service.name back, as the exporter does', () => {
    const one = life({ exclude_dimensions: ['service.name'] })
      .push([{}])
      .boundary();
    expect(one.series('traces_span_metrics_calls_total')[0]!.labels['service_name']).toBe('web');
  });

  test('go with a pattern: what both take is there once, what becomes one label is joined', () => {
    const resource: Attributes = [WEB, ['http.a', 'r'], ['http_b', 'r'], ['host', 'h']];
    const attributes: Attributes = [
      ['http.a', 's'],
      ['http.b', 's'],
    ];
    const one = life({ dimensions: [{ glob: 'http.*' }] })
      .push([{ attributes }, {}], resource)
      .boundary();
    expect(one.calls()).toEqual([
      [{ host: 'h', http_a: 'r', http_b: 'r' }, 1],
      [{ host: 'h', http_a: 'r', http_b: 's;r' }, 1],
    ]);
  });

  test('are one group of the limit on label sets each, with an overflow series that has them', () => {
    const one = life({ aggregation_cardinality_limit: 1 });
    for (const pod of ['p', 'q']) one.push([{ name: 'a' }, { name: 'b' }, { name: 'c' }], [WEB, ['pod', pod]]);
    expect(one.boundary().calls()).toEqual([
      [{ otel_metric_overflow: 'true', pod: 'p' }, 2],
      [{ otel_metric_overflow: 'true', pod: 'q' }, 2],
      [{ pod: 'p' }, 1],
      [{ pod: 'q' }, 1],
    ]);
  });
});

describe('labels of the instrumentation scope', () => {
  const life = () => new OtelLife(otelSettings({ include_instrumentation_scope: ['lib.a', 'bare', ''] }));
  const A = { name: 'lib.a', version: '1' };
  const LABELS = { span_instrumentation_scope_name: 'lib.a', span_instrumentation_scope_version: '1' };

  test('are those of the span that came first, if its scope is listed', () => {
    const spans = [
      { name: 'x', scope: A },
      { name: 'x', scope: { name: 'lib.b', version: '9' } },
      { name: 'y' },
      { name: 'y', scope: A },
      { name: 'z', scope: { name: 'bare' } },
    ];
    const calls = life().push(spans).boundary().calls();
    expect(calls).toHaveLength(3);
    expect(calls).toEqual(
      expect.arrayContaining([
        [LABELS, 2],
        [{}, 2],
        [{ span_instrumentation_scope_name: 'bare' }, 1],
      ]),
    );
  });

  test('stay with the row over boundaries, a crash and new symbols', () => {
    const one = life()
      .push([{ scope: A }])
      .boundary()
      .renumber()
      .push([{}])
      .boundary()
      .crash()
      .push([{}]);
    expect(one.boundary().calls()).toEqual([[LABELS, 3]]);
    expect(one.series('traces_span_metrics_calls_total')[0]!.zeroMs).toBeUndefined();
  });

  test('are chosen anew when the row has ended', () => {
    const one = life()
      .push([{ scope: A }])
      .boundary()
      .at(2_000_000)
      .push([{}])
      .boundary();
    expect(one.calls()).toEqual([[{}, 1]]);
  });

  test('are on events too', () => {
    const events = { enabled: true, dimensions: [{ name: 'e' }] };
    const one = new OtelLife(otelSettings({ include_instrumentation_scope: ['lib.a'], events }));
    one.push([{ scope: A, events: [[]] }]).boundary();
    expect(one.calls('traces_span_metrics_events_total')).toEqual([[LABELS, 1]]);
  });

  test('are found wherever the encoder put the scope', () => {
    for (let seed = 0; seed < 40; seed++) {
      const spans = ['a', 'b', 'c', 'd'].map((name) => ({ name, scope: { ...A, version: name } }));
      const request: Message = otelRequest([WEB], spans, T);
      const calls = life()
        .pushBytes(noisy('Request', request, choices(seed)))
        .boundary()
        .calls();
      expect(calls.map(([labels]) => labels['span_instrumentation_scope_version']).sort()).toEqual([
        'a',
        'b',
        'c',
        'd',
      ]);
    }
  });
});

describe('the first spans of an interval as exemplars', () => {
  const CALLS = 'traces_span_metrics_calls_total';
  const BUCKET = 'traces_span_metrics_duration_milliseconds_bucket';
  const life = (more: object = {}, moreSettings: object = {}) =>
    new OtelLife(otelSettings({ exemplars: { enabled: true, max_per_data_point: 2 }, ...more }, moreSettings));
  const span = (n: number, tookMs = 10) => ({
    trace: `${n}`.padStart(32, '0'),
    id: `${n}`.padStart(16, '0'),
    tookMs,
  });
  const texts = (series: ReturnType<OtelLife['series']>) =>
    series.flatMap(({ labels, exemplars }) =>
      exemplars.map((exemplar) => {
        const { trace_id, span_id } = exemplar.labels;
        return `${labels['le'] ?? ''} ${exemplar.value} ${Number(trace_id)} ${Number(span_id)} ${trace_id?.length} ${span_id?.length}`;
      }),
    );

  test('are so many in each interval, whichever buckets they are in', () => {
    const one = life()
      .push([span(1, 3), span(2, 300), span(3, 30)])
      .push([span(4, 3)])
      .boundary();
    expect(texts(one.series(CALLS))).toEqual([' 3 1 1 32 16', ' 300 2 2 32 16']);
    expect(texts(one.series(BUCKET))).toEqual(['4 3 1 1 32 16', '400 300 2 2 32 16']);
    expect(
      texts(
        one
          .push([span(5, 7)])
          .boundary()
          .series(CALLS),
      ),
    ).toEqual([' 7 5 5 32 16']);
    expect(texts(one.boundary().series(CALLS))).toEqual([]);
  });

  test('are in the order of their values, two in one bucket too', () => {
    const one = life()
      .push([span(1, 40), span(2, 20), span(3, 30)])
      .boundary();
    expect(texts(one.series(BUCKET))).toEqual(['50 20 2 2 32 16', '50 40 1 1 32 16']);
  });

  test('have a trace id; a span id is left out where there is none', () => {
    const one = life()
      .push([{ trace: '' }, { trace: '00'.repeat(16) }, { ...span(1), id: '' }])
      .boundary();
    expect(one.series(CALLS)[0]!.exemplars).toEqual([{ labels: { trace_id: `${'0'.repeat(31)}1` }, value: 10 }]);
  });

  test('are on native histograms and events', () => {
    const events = { enabled: true, dimensions: [{ name: 'e' }] };
    const one = life({ events, histogram: { exponential: {} } });
    one.push([{ ...span(1), events: [[], []] }]).boundary();
    expect(texts(one.series('traces_span_metrics_duration_milliseconds'))).toEqual([' 10 1 1 32 16']);
    expect(texts(one.series('traces_span_metrics_events_total'))).toEqual([' 10 1 1 32 16', ' 10 1 1 32 16']);
  });

  test('are none where a limit has sent the span elsewhere', () => {
    const limited = life({ aggregation_cardinality_limit: 1 })
      .push([span(1), { ...span(2), name: 'b' }])
      .boundary();
    expect(texts(limited.series(CALLS))).toEqual([' 10 1 1 32 16']);
    const series = life({}, { tenant: { max_active_series: 21 } })
      .push([span(1), { ...span(2), name: 'b' }])
      .boundary();
    expect(texts(series.series(CALLS))).toEqual([' 10 1 1 32 16']);
  });

  test('are none with 0, and none of the buckets’ either', () => {
    const one = life({ exemplars: { enabled: true, max_per_data_point: 0 } })
      .push([span(1)])
      .boundary();
    expect(texts([...one.series(CALLS), ...one.series(BUCKET)])).toEqual([]);
  });

  test('are neither lost nor doubled by a crash: those of a boundary are in its sections, later ones are folded again', () => {
    const one = life()
      .push([span(1)])
      .boundary();
    expect(texts(one.series(CALLS))).toEqual([' 10 1 1 32 16']);
    one.push([span(2)]);
    one
      .crash()
      .push([span(2)])
      .boundary();
    expect(texts(one.series(CALLS))).toEqual([' 10 2 2 32 16']);
  });

  test('go with their row: one that takes its place has its own', () => {
    const one = life()
      .push([span(1)])
      .boundary()
      .push([{ ...span(2), name: 'b' }]);
    one.fold.tenant('t').registry.sweep(T + 10_000_000);
    expect(
      texts(
        one
          .push([{ ...span(3), name: 'c' }])
          .boundary()
          .series(CALLS),
      ),
    ).toEqual([' 10 3 3 32 16']);
  });
});

describe('a change of the options', () => {
  const before = {
    dimensions: [{ glob: 'http.*' }],
    include_instrumentation_scope: ['a'],
    exemplars: { enabled: true },
  };

  test.each<[string, object, object]>([
    ['another pattern', { ...before, dimensions: [{ glob: 'http.**' }] }, {}],
    ['no pattern', { ...before, dimensions: [] }, {}],
    ['another scope', { ...before, include_instrumentation_scope: ['b'] }, {}],
    ['no scope', { ...before, include_instrumentation_scope: [] }, {}],
    ['attributes of the resource', before, CONVERSION],
    ['another number of exemplars', { ...before, exemplars: { enabled: true, max_per_data_point: 1 } }, {}],
  ])('to %s ends the rows', (_, after, more) => {
    const life = new OtelLife(otelSettings(before)).push([{}]).boundary();
    expect(life.configure(otelSettings(after, more))).toBe(true);
    life.push([{}]).boundary();
    expect(life.image.replaced.flatMap(({ ended }) => ended)).toHaveLength(1);
    expect(life.calls()).toHaveLength(1);
    expect(life.calls()[0]![1]).toBe(1);
  });

  test('to the same ones ends none', () => {
    const life = new OtelLife(otelSettings(before)).push([{}]).boundary();
    life.configure(otelSettings({ ...before, series_expiration: '1h' }));
    expect(life.push([{}]).boundary().calls()).toEqual([[{}, 2]]);
  });
});
