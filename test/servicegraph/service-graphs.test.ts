// Rules of the service graph that the golden cases and the plain model leave out.

import { describe, expect, test } from 'vitest';
import { Fold } from '../../src/fold/index.ts';
import { imageOf, seriesOfImage } from '../fold/series.ts';
import { type Changes, settingsWith } from '../fold/settings.ts';
import { type PlainSpan, plainSpan, requestBytes } from '../fold/spans.ts';

const T = Date.UTC(2026, 0, 1);
const at = (ms: number) => BigInt(T + ms) * 1_000_000n;

function graph(changes: Changes = {}) {
  const settings = settingsWith({ processors: ['service-graphs'], ...changes });
  const fold = new Fold({ settingsOf: () => settings, originMs: T });
  const push = (ms: number, service: string, span: Partial<PlainSpan>) =>
    fold.push(
      't',
      T + ms,
      T + ms,
      requestBytes([
        { resource: [['service.name', service]], spans: [plainSpan({ startNs: at(ms - 20), endNs: at(ms), ...span })] },
      ]),
      false,
    );
  const requests = (ms: number) => {
    const series = seriesOfImage(imageOf(fold.everything(T + ms)));
    return [...series]
      .filter(([key]) => key.startsWith('traces_service_graph_request_total'))
      .map(([key, value]) => `${key.slice(34)} ${value}`);
  };
  return { fold, push, requests, tenant: () => fold.tenant('t') };
}

const FILTER_CLIENTS: Changes['serviceGraphs'] = {
  filterPolicies: [{ exclude: { matchType: 'strict', attributes: [{ key: 'kind', value: 'SPAN_KIND_CLIENT' }] } }],
};

describe('a change of settings', () => {
  test('lets edges wait on, with the dimensions that are still there', () => {
    const { fold, push, requests } = graph({ serviceGraphs: { dimensions: ['old', 'kept'] } });
    push(100, 'web', {
      kind: 3,
      attributes: [
        ['old', 'o'],
        ['kept', 'k'],
      ],
    });
    const after = settingsWith({ processors: ['service-graphs'], serviceGraphs: { dimensions: ['kept', 'new'] } });
    expect(fold.configure(() => after)).toBe(true);
    expect(fold.tenant('t').pendingEdges).toBe(1);
    push(200, 'api', { kind: 2, parent: '0123456789abcdef', id: 'ff', attributes: [['new', 'n']] });
    expect(requests(1_000)).toEqual(['[["client","web"],["kept","k"],["new","n"],["server","api"]] 1']);
  });

  test('remembers sides that a filter dropped', () => {
    const { fold, push, requests, tenant } = graph({ serviceGraphs: FILTER_CLIENTS });
    push(100, 'web', { kind: 3 });
    fold.configure(() =>
      settingsWith({ processors: ['service-graphs'], slackMs: 31_000, serviceGraphs: FILTER_CLIENTS }),
    );
    push(200, 'api', { kind: 2, parent: '0123456789abcdef', id: 'ff' });
    expect(tenant().counters.droppedEdges).toBe(1);
    expect(tenant().pendingEdges).toBe(0);
    fold.advance(T + 60_000);
    expect(requests(60_000)).toEqual([]);
  });

  test('to the same settings changes nothing', () => {
    const { fold } = graph();
    fold.tenant('t');
    expect(fold.configure(() => settingsWith({ processors: ['service-graphs'] }))).toBe(false);
  });
});

describe('expiry', () => {
  test('of an edge comes at the first even second at or after its deadline in whole seconds', () => {
    const { fold, push, tenant } = graph({ serviceGraphs: { waitMs: 3_000 } });
    push(900, 'web', { kind: 3 });
    // Made at 0.9 s: due in second 3 (3.9 s cut to whole seconds).
    fold.advance(T + 2_000);
    expect(tenant().pendingEdges).toBe(1);
    fold.advance(T + 4_000);
    expect(tenant().pendingEdges).toBe(0);
    expect([...tenant().counters.expiredEdges]).toEqual([['SPAN_KIND_CLIENT', 1]]);
  });

  test('of a database span whose peer has an empty name makes a virtual node of its peer attribute', () => {
    const { fold, push, requests } = graph();
    push(100, 'web', {
      kind: 3,
      attributes: [
        ['server.address', ''],
        ['db.name', 'orders'],
      ],
    });
    expect(fold.tenant('t').pendingEdges).toBe(1);
    fold.advance(T + 20_000);
    expect(requests(20_000)).toEqual(['[["client","web"],["connection_type","virtual_node"],["server","orders"]] 1']);
  });

  test('is not renewed by a second half of the same side', () => {
    const { fold, push, tenant } = graph({ serviceGraphs: { waitMs: 3_000 } });
    push(100, 'web', { kind: 3 });
    push(2_900, 'web', { kind: 3 });
    fold.advance(T + 4_000);
    expect(tenant().pendingEdges).toBe(0);
  });
});

describe('a messaging edge', () => {
  const MESSAGING: Changes = { serviceGraphs: { enableMessagingSystemLatencyHistogram: true } };
  const queued = (fold: Fold) =>
    [...seriesOfImage(imageOf(fold.everything(T + 9_000)))]
      .filter(([key]) => key.startsWith('traces_service_graph_request_messaging_system_seconds_sum'))
      .map(([, value]) => value);

  test.each([
    [0, []],
    [-5, []],
    [1_500, [1.5]],
    [4_294, [4.294]],
  ])('that waited %d ms in a queue says so, but not a wait of nothing or less', (waitedMs, sums) => {
    const { fold, push } = graph(MESSAGING);
    push(1_000, 'shop', { kind: 4 });
    push(6_000, 'mail', {
      kind: 5,
      parent: '0123456789abcdef',
      id: 'ff',
      startNs: at(1_000 + waitedMs),
      endNs: at(6_000),
    });
    expect(queued(fold)).toEqual(sums);
  });
});
