import { describe, expect, it } from 'vitest';
import { type Pipeline, pipelineOf, type StageId, type StatusParts, type StatusView } from '../../src/api/index.ts';
import { createOwnMetrics } from '../../src/telemetry/index.ts';
import { endpointStats, ledgerStats, NOW_MS, shardStats, statusOf, statusWith, tenantStats } from './support.ts';

const counts = ({ stages }: Pipeline) => Object.fromEntries(stages.map(({ id, count }) => [id, count]));
const stage = (pipeline: Pipeline, id: StageId) => pipeline.stages.find((s) => s.id === id)!;
const headline = (view: StatusView) => pipelineOf(view).findings[0]!;
const fresh = createOwnMetrics().receiverTotals();
const received = (over: Partial<typeof fresh>) => ({ ...fresh, ...over });
const nothing: Partial<StatusParts> = {
  received: fresh,
  shards: [
    {
      shard: 0,
      stats: shardStats({ tenants: [], records: 0 }),
      ledger: ledgerStats({ committedMs: undefined, entries: 0, endpoints: [] }),
    },
  ],
};

describe('the pipeline', () => {
  it('follows a span from the receiver to the endpoint', () => {
    const pipeline = pipelineOf(statusOf());
    expect(counts(pipeline)).toEqual({
      received: 48_260,
      decoded: 48_211,
      in_slack: 48_211 - 112,
      kept: 48_211 - 112,
      paired: 11_876,
      series: 4_120,
      durable: 41,
      sent: 168_900,
    });
    expect(pipeline.firstEmpty).toBeUndefined();
    expect(pipeline.findings).toEqual([{ severity: 'ok', stage: undefined, text: 'Spans get through every stage.' }]);
  });

  it('counts a span as kept where one of the active processors keeps it', () => {
    const discarded: [string, number][] = [
      ['outside_metrics_ingestion_slack all', 10],
      ['span_metrics_filtered span-metrics', 30],
      ['service_graphs_filtered service-graphs', 50],
    ];
    const tenants = [tenantStats({ spansReceived: 100, discarded })];
    const shards = [{ shard: 0, stats: shardStats({ tenants }), ledger: ledgerStats() }];
    const keptWith = (processors: string[]) =>
      counts(pipelineOf(statusOf({ shards, processorsOf: () => processors })))['kept'];
    expect(keptWith(['span-metrics', 'service-graphs'])).toBe(60);
    expect(keptWith(['service-graphs-request'])).toBe(40);
    expect(keptWith(['span-metrics-latency'])).toBe(60);
    expect(keptWith(['host-info'])).toBe(90);
    expect(keptWith([])).toBe(0);
  });

  it('shows what was dropped where, most first', () => {
    const view = statusOf({
      received: received({ spans: 5, aborted: 2, refused: { ...fresh.refused, bad_json: 3, too_large: 9 } }),
      undecodable: new Map([['truncated', 4]]),
    });
    const pipeline = pipelineOf(view);
    expect(stage(pipeline, 'received').drops).toEqual([
      { reason: 'too_large', count: 9, unit: 'request' },
      { reason: 'bad_json', count: 3, unit: 'request' },
      { reason: 'aborted', count: 2, unit: 'request' },
    ]);
    expect(stage(pipeline, 'decoded').drops).toEqual([{ reason: 'truncated', count: 4, unit: 'record' }]);
    expect(stage(pipeline, 'in_slack').drops).toEqual([
      { reason: 'outside_metrics_ingestion_slack', count: 112, unit: 'span' },
    ]);
    expect(stage(pipeline, 'paired').drops).toEqual([{ reason: 'expired', count: 127, unit: 'edge' }]);
  });
});

describe('the first empty stage', () => {
  const LATE: [string, number][] = [['outside_metrics_ingestion_slack all', 48_211]];
  const FILTERED: [string, number][] = [
    ['span_metrics_filtered span-metrics', 48_211],
    ['service_graphs_filtered service-graphs', 48_211],
  ];
  const dead = { activeSeries: 0, completedEdges: 0, edges: 0, pendingEdges: 0, expiredEdges: 0 };
  const unsent = {
    endpoints: [endpointStats({ samplesSent: 0, settledMs: 0, lastError: 'connect ECONNREFUSED 127.0.0.1:9090' })],
  };
  const cases: [StageId, StatusView, RegExp][] = [
    ['decoded', statusOf({ ...nothing, received: received({ spans: 9 }) }), /in the log but none is folded/],
    [
      'decoded',
      statusOf({ ...nothing, received: received({ spans: 9 }), undecodable: new Map([['truncated', 2]]) }),
      /No record could be decoded.*truncated/,
    ],
    [
      'in_slack',
      statusWith({ ...dead, discarded: LATE }),
      /48,211 spans ended too far.*metrics_ingestion_time_range_slack/,
    ],
    ['kept', statusWith({ ...dead, discarded: FILTERED }), /left out.*filter_policies/],
    ['paired', statusWith({ ...dead, activeSeries: 9 }), /No span began an edge.*kind client and server/],
    ['paired', statusWith({ ...dead, activeSeries: 9, pendingEdges: 4 }), /4 edges wait/],
    ['paired', statusWith({ ...dead, activeSeries: 9, expiredEdges: 1_200 }), /1,200 gave up.*trace context/],
    ['series', statusWith({ activeSeries: 0, seriesLimited: 7 }), /7 were not admitted.*max_active_series/],
    ['series', statusWith({ activeSeries: 0 }), /no series is alive/],
    [
      'durable',
      statusWith({}, {}, { committedMs: undefined, entries: 0, endpoints: [] }),
      /No boundary is durable yet/,
    ],
    ['sent', statusWith({}, {}, unsent), /prometheus fails: connect ECONNREFUSED/],
    ['sent', statusWith({}, {}, { endpoints: [] }), /Nothing is sent yet/],
  ];

  it.each(cases)('is %s', (id, view, sentence) => {
    const pipeline = pipelineOf(view);
    expect(pipeline.firstEmpty).toBe(id);
    expect(pipeline.findings[0]).toMatchObject({ stage: id, text: expect.stringMatching(sentence) });
  });

  it('says that no processor is active', () => {
    const view = statusOf({ processorsOf: () => [] });
    expect(pipelineOf(view).firstEmpty).toBe('kept');
    expect(headline(view).text).toMatch(/No processor is active/);
  });

  it('passes over pairing and sending where they are off', () => {
    const shards = [
      {
        shard: 0,
        stats: shardStats({ tenants: [tenantStats(dead), tenantStats({ activeSeries: 5 })] }),
        ledger: ledgerStats({ endpoints: [] }),
      },
    ];
    const pipeline = pipelineOf(statusOf({ shards, endpoints: [], processorsOf: () => ['span-metrics'] }));
    expect([stage(pipeline, 'paired').state, stage(pipeline, 'sent').state]).toEqual(['off', 'off']);
    expect(pipeline.firstEmpty).toBeUndefined();
  });

  it('is calm about what only takes its time after a start, and no longer when it should be there', () => {
    const young = { ...nothing, received: received({ spans: 9 }) };
    expect(headline(statusOf({ ...young, startedAtMs: NOW_MS - 5_000 })).severity).toBe('info');
    expect(headline(statusOf({ ...young, startedAtMs: NOW_MS - 300_000 })).severity).toBe('error');
  });

  it('takes a boundary from before the restart as durable', () => {
    expect(pipelineOf(statusWith({}, {}, { entries: 0 })).firstEmpty).toBeUndefined();
  });

  it('names the partition that holds the first boundary up', () => {
    const ledger = { committedMs: undefined, endpoints: [] };
    const openTick = (ageMs: number) => statusWith({}, { openTickMs: NOW_MS - ageMs, waitingFor: 3 }, ledger);
    expect(headline(openTick(30_000)).text).toMatch(/Shard 0 waits for partition 3/);
    expect(headline(openTick(1_500)).text).not.toMatch(/partition/);
  });
});

describe('where nothing came in', () => {
  it('says where to send spans to', () => {
    expect(headline(statusOf(nothing))).toMatchObject({
      severity: 'info',
      text: 'No span has come in since the start: point an exporter at OTLP/HTTP on 127.0.0.1:4318.',
    });
  });

  it('says why requests were refused, and what to do', () => {
    const refused = { ...fresh.refused, content_type: 12, not_found: 1 };
    expect(headline(statusOf({ ...nothing, received: received({ refused }) }))).toMatchObject({
      severity: 'error',
      text: 'No request has been accepted, most often because of content_type (12 requests): send application/x-protobuf or application/json.',
    });
  });

  it('says that nobody listens', () => {
    const receivers = [{ name: 'OTLP/HTTP', address: undefined }];
    expect(headline(statusOf({ ...nothing, receivers })).text).toMatch(/No receiver is listening/);
  });

  it('says that the series are from before a restart', () => {
    expect(headline(statusOf({ received: fresh })).text).toMatch(/from before it/);
  });
});

describe('troubles that leave no stage empty', () => {
  const texts = (view: StatusView) =>
    pipelineOf(view)
      .findings.map(({ text }) => text)
      .join('\n');

  it.each([
    [
      'late spans',
      statusWith({ discarded: [['outside_metrics_ingestion_slack all', 4_821]] }),
      /^10\.0 % of the spans/,
    ],
    ['undecodable records', statusOf({ undecodable: new Map([['varint', 1]]) }), /^1 record could not be decoded/],
    ['limits', statusWith({ seriesLimited: 1_500 }), /^1,500 series were not admitted/],
    [
      'a shard that trails',
      statusWith({}, { openTickMs: NOW_MS - 120_000, waitingFor: 2 }),
      /^Shard 0 is 2 min behind: it waits for partition 2/,
    ],
    ['a full ledger', statusWith({}, {}, { overLimit: true }), /^The ledger is above its limit/],
    [
      'an endpoint that is behind',
      statusWith({}, {}, { endpoints: [endpointStats({ settledMs: NOW_MS - 307_000, lastError: 'HTTP 503' })] }),
      /^prometheus is 5 min behind: HTTP 503/,
    ],
    [
      'an endpoint that fails for one tenant, before it is far behind',
      statusWith({}, {}, { endpoints: [endpointStats({ lastError: 'tenant evil: no answer within 30000 ms' })] }),
      /^prometheus has trouble: tenant evil: no answer within 30000 ms\. What is unsent waits/,
    ],
    [
      'an endpoint that has taken nothing since the first boundary, beside one that has',
      statusWith(
        {},
        {},
        {
          endpoints: [
            endpointStats({ name: 'healthy' }),
            endpointStats({
              samplesSent: 0,
              boundariesSent: 0,
              settledMs: NOW_MS - 187_000,
              lastError: 'ECONNREFUSED',
            }),
          ],
        },
      ),
      /^prometheus is 3 min behind: ECONNREFUSED/,
    ],
    [
      'an endpoint that refuses everything, beside one that takes it',
      statusWith(
        {},
        {},
        {
          endpoints: [
            endpointStats({ name: 'healthy' }),
            endpointStats({ samplesSent: 0, boundariesSent: 0, boundariesRefused: 12, samplesFailed: 900 }),
          ],
        },
      ),
      /^prometheus has taken nothing of 12 boundaries, for good/,
    ],
    [
      'refused samples',
      statusWith({}, {}, { endpoints: [endpointStats({ samplesFailed: 3 })] }),
      /^prometheus refused 3 samples/,
    ],
    [
      'skipped boundaries',
      statusWith(
        {},
        {},
        { endpoints: [endpointStats({ boundariesSkipped: { age: 0, ledger_full: 1, behind: 0, window: 0 } })] },
      ),
      /^1 boundary for prometheus/,
    ],
  ])('%s are told', (_, view, sentence) => {
    expect(pipelineOf(view).firstEmpty).toBeUndefined();
    expect(texts(view)).toMatch(sentence);
  });

  it('a few late spans are no trouble', () => {
    expect(texts(statusWith({ discarded: [['outside_metrics_ingestion_slack all', 100]] }))).toBe(
      'Spans get through every stage.',
    );
  });
});

describe('the status view', () => {
  it('makes one of several shards that speak of the same tenant and endpoint', () => {
    const at = (shard: number, behindMs: number) => ({
      shard,
      stats: shardStats({
        tenants: [tenantStats({ tenant: 'a' }), tenantStats({ tenant: `only-${shard}`, spansReceived: 1 })],
      }),
      ledger: ledgerStats({ endpoints: [endpointStats({ settledMs: NOW_MS - 7_000 - behindMs })] }),
    });
    const view = statusOf({ shards: [at(0, 15_000), at(1, 0)] });
    expect(view.tenants.map(({ tenant, spansReceived }) => [tenant, spansReceived])).toEqual([
      ['a', 96_422],
      ['only-0', 1],
      ['only-1', 1],
    ]);
    expect(view.tenants[0]!.discarded).toEqual([
      { reason: 'outside_metrics_ingestion_slack', processor: 'all', count: 224 },
    ]);
    expect(view.endpoints).toMatchObject([
      { name: 'prometheus', samplesSent: 337_800, settledMs: NOW_MS - 22_000, lagMs: 15_000 },
    ]);
  });

  it('lists a configured endpoint that nothing was sent to', () => {
    const view = statusOf({ ...nothing, endpoints: [{ name: 'mimir', url: 'http://m/' }] });
    expect(view.endpoints).toMatchObject([{ name: 'mimir', samplesSent: 0, lagMs: undefined }]);
  });

  it('lists a shard that has not reported yet', () => {
    const view = statusOf({ shards: [{ shard: 4, stats: undefined, ledger: undefined }] });
    expect(view.shards).toMatchObject([{ shard: 4, records: 0, boundaryMs: undefined }]);
    expect(pipelineOf(view).stages).toHaveLength(8);
  });
});
