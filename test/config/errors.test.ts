import { describe, expect, it } from 'vitest';
import { ConfigError, loadConfig, type Problem } from '../../src/config/index.ts';

function problemsOf(text: string, more: Parameters<typeof loadConfig>[0] = {}): readonly Problem[] {
  try {
    loadConfig({ text, fileName: 'c.yaml', ...more });
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
}

function linesOf(text: string): string[] {
  return problemsOf(text).map(({ line, column, path, message }) => `${line}:${column} ${path}: ${message}`);
}

describe('errors', () => {
  it('are all found at once, in the order of the text', () => {
    const text = `server:
  http_listen_port: 99999
  log_levle: info
metrics_generator:
  processor:
    service_graphs: {wait: 30, max_items: many}
nonsense: 1
`;
    expect(linesOf(text)).toEqual([
      '2:21 server.http_listen_port: must be at most 65535, not 99999',
      '3:3 server.log_levle: unknown key "log_levle": did you mean "log_level"?',
      expect.stringMatching(/^6:28 metrics_generator\.processor\.service_graphs\.wait: .*did you mean 30s\?/),
      '6:43 metrics_generator.processor.service_graphs.max_items: must be a number, not "many"',
      '7:1 nonsense: unknown key "nonsense"',
    ]);
  });

  it('have a message that names file, line, column and path', () => {
    expect(() => loadConfig({ text: 'shards: {count: 0}', fileName: 'c.yaml' })).toThrow(
      'c.yaml:1:17: shards.count: must be at least 1, not 0',
    );
  });

  it('name the place of a key that is known elsewhere', () => {
    expect(linesOf('metrics_generator: {collection_interval: 15s}')).toEqual([
      expect.stringContaining('there is metrics_generator.registry.collection_interval'),
    ]);
  });

  it('suggest a value of a closed list', () => {
    expect(linesOf('server: {log_level: inof}')).toEqual([
      '1:21 server.log_level: must be one of debug, info, warn, error, not "inof" (did you mean "info"?)',
    ]);
  });

  it('suggest a processor', () => {
    expect(linesOf('overrides: {defaults: {metrics_generator: {processors: [span-metric, quux]}}}')).toEqual([
      '1:57 overrides.defaults.metrics_generator.processors[0]: "span-metric" is no processor: did you mean "span-metrics"?',
      expect.stringContaining('"quux" is no processor: there are span-metrics,'),
    ]);
  });

  it('refuse a key that is set twice', () => {
    expect(linesOf('ledger: {path: a}\nserver: {}\nledger: {path: b}\n')).toEqual([
      expect.stringMatching(/^3:1 : this key is already set/),
    ]);
  });

  it('tell the place of broken YAML', () => {
    expect(problemsOf('server: [\n')[0]!.line).toBeGreaterThan(0);
    expect(problemsOf('a: b\n---\nc: d\n')[0]!.message).toContain('one document');
  });

  it('refuse a file that is no map', () => {
    expect(linesOf('- a\n')).toEqual([expect.stringContaining('must be a map, not a list')]);
  });

  it.each([
    ['server: *nope', '1:9 : there is no anchor &nope above'],
    ['memberlist:\n  a: [*nope]', '2:7 : there is no anchor &nope above'],
    ['server: &s {<<: *s}', '1:17 : *s stands inside what it stands for'],
    ['memberlist: &m {a: [*m]}', '1:21 : *m stands inside what it stands for'],
  ])('refuse an alias that leads nowhere or in a circle: %s', (text, line) => {
    expect(linesOf(text)).toEqual([line]);
  });

  it('refuse aliases that multiply', () => {
    const tenfold = (name: string) => `[${Array(10).fill(`*${name}`).join(',')}]`;
    const text = `x-a: &a [1,1,1]\nx-b: &b ${tenfold('a')}\nx-c: &c ${tenfold('b')}\nmemberlist: ${tenfold('c')}\n`;
    expect(linesOf(text)).toEqual([expect.stringContaining('aliases multiply')]);
  });

  it('refuse an empty item of a list', () => {
    expect(linesOf('metrics_generator: {storage: {remote_write: [{url: "http://a"}, null]}}')).toEqual([
      expect.stringMatching(/remote_write\[1\]: is missing/),
    ]);
  });

  it('refuse what a file that can not be read holds', () => {
    expect(problemsOf('', { path: '/nowhere/c.yaml', text: undefined as never })[0]!.message).toContain(
      "can't be read",
    );
  });

  it('place a problem that comes through an anchor at the text that is wrong', () => {
    expect(
      linesOf('x-base: &base\n  wait: 5\nmetrics_generator:\n  processor:\n    service_graphs:\n      <<: *base\n'),
    ).toEqual([expect.stringMatching(/^2:9 metrics_generator\.processor\.service_graphs\.wait: /)]);
  });

  it.each([
    ['shards: {count: 2, own: [2]}', 'there is no shard 2'],
    ['shards: {count: 8}', "8 shards can't share 4 partitions"],
    ['shards: {own: some}', 'must be all or a list'],
    ['log: {kind: kafka}', 'needs at least one broker'],
    ['log: {kafka: {start: tomorrow}}', 'must be earliest, latest or how long ago'],
    ['receivers: {otlp: {http: {endpoint: 127.0.0.1:4317}}}', '127.0.0.1:4317 is also receivers.otlp.http.endpoint'],
    ['receivers: {otlp: {http: {endpoint: nowhere}}}', 'must be host:port'],
    ['log: {kind: kafka, kafka: {topic: t, brokers: [kafka]}}', 'must be host:port'],
    ['log: {kind: kafka, kafka: {topic: t, brokers: [":9092"]}}', 'must be host:port'],
    ['ingest: {kafka: {topic: t, address: "a:1,b"}}', 'must be host:port, or a list of these with commas'],
    ['distributor: {receivers: {kafka: {brokers: ["b:99999"]}}}', 'must be host:port'],
    ['metrics_generator: {registry: {collection_interval: 1500ms}}', 'whole seconds'],
    [
      'metrics_generator: {processor: {span_metrics: {histogram_buckets: [2, 1]}}}',
      'buckets must increase: 1 follows 2',
    ],
    [
      'metrics_generator: {processor: {span_metrics: {dimension_mappings: [{name: a, source_label: [b]}]}}}',
      'did you mean "source_labels"?',
    ],
    ['metrics_generator: {processor: {host_info: {host_identifiers: []}}}', 'must not be empty'],
    ['metrics_generator: {skip_stale_backlog_on_startup: true}', 'would lose counts'],
    ['overrides: {defaults: {metrics_generator: {native_histogram_bucket_factor: 1}}}', 'must be more than 1'],
    ['target: querier', 'there is no querier as a process of its own here'],
  ])('refuse %s', (text, message) => {
    expect(problemsOf(text).map((problem) => problem.message)).toContainEqual(expect.stringContaining(message));
  });

  it('of filter policies are found at load', () => {
    const policy = (inner: string) => `metrics_generator: {processor: {span_metrics: {filter_policies: [${inner}]}}}`;
    const match = (type: string, key: string, value: string) =>
      policy(`{include: {match_type: ${type}, attributes: [{key: '${key}', value: ${value}}]}}`);
    expect(linesOf(match('strict', 'foo', 'x'))).toEqual([
      expect.stringContaining('attributes[0].key: "foo" is no policy key'),
    ]);
    expect(linesOf(match('strict', 'kind', 'server'))).toEqual([
      expect.stringContaining('use one of SPAN_KIND_UNSPECIFIED'),
    ]);
    expect(linesOf(match('regex', 'span.x', "'(?=a)'"))).toEqual([
      expect.stringContaining('attributes[0].value: "(?=a)" is no regular'),
    ]);
    expect(linesOf(match('regex', 'span.x', '5'))).toEqual([expect.stringContaining('quote 5')]);
    expect(linesOf(match('stirct', 'span.x', 'a'))).toEqual([expect.stringContaining('did you mean "strict"?')]);
    expect(linesOf(policy('{include: {attributes: []}}'))).toEqual([expect.stringContaining('match_type: is missing')]);
    expect(linesOf(policy('{}'))).toEqual([expect.stringContaining('needs include, include_any or exclude')]);
    expect(linesOf(match('strict', 'kind', 'SPAN_KIND_SERVER'))).toEqual([]);
  });
});
