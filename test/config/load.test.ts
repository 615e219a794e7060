import { describe, expect, it } from 'vitest';
import { loadConfig } from '../../src/config/index.ts';

describe('a file', () => {
  it('may be empty: everything has a default', () => {
    const { config, notes } = loadConfig({ text: '' });
    expect(notes).toEqual([]);
    expect(config.server).toEqual({ httpListenAddress: '127.0.0.1', httpListenPort: 3200, logLevel: 'info' });
    expect(config.receivers.otlp).toEqual({
      http: { endpoint: '127.0.0.1:4318', maxRequestBodyBytes: 20 * 1024 * 1024 },
      grpc: { endpoint: '127.0.0.1:4317' },
    });
    expect(config.log.kind).toBe('embedded');
    expect(config.log.embedded).toEqual({
      path: './data/log',
      partitions: 4,
      segmentBytes: 64 * 1024 * 1024,
      retention: { maxAgeMs: 86_400_000, maxBytes: 2 * 1024 ** 3 },
    });
    expect(config.shards).toEqual({ count: 1, own: [0] });
    expect(config.ledger).toEqual({ path: './data/ledger', maxBytes: 4 * 1024 ** 3 });
    expect(config.remoteWrite).toEqual({ endpoints: [], flushDeadlineMs: 60_000, addOrgIdHeader: true });
    expect(config.multitenancyEnabled).toBe(false);
  });

  it('is YAML 1.1, and quoted scalars count as what they say', () => {
    const text = `server: {http_listen_port: "3201"}
multitenancy_enabled: yes
receivers: {otlp: {http: {enabled: "false"}}}
metrics_generator: {registry: {external_labels: {zone: 01, on: off}}}
`;
    const { config } = loadConfig({ text });
    expect(config.server.httpListenPort).toBe(3201);
    expect(config.multitenancyEnabled).toBe(true);
    expect(config.receivers.otlp.http).toBeUndefined();
    expect(config.generator.registry.externalLabels).toEqual({ zone: '01', on: 'off' });
  });

  it('may use anchors and merge keys; what a map says itself wins', () => {
    const text = `x-graphs: &graphs {wait: 3s, max_items: 7}
metrics_generator:
  processor:
    service_graphs: {<<: *graphs, max_items: 8}
`;
    const { serviceGraphs } = loadConfig({ text }).config.generator.processor;
    expect([serviceGraphs.wait, serviceGraphs.maxItems]).toEqual([3000, 8]);
  });

  it('may hold empty blocks, which count as absent and are said', () => {
    const { config, notes } = loadConfig({ text: 'server:\nmetrics_generator:\n  registry:\n', fileName: 'c.yaml' });
    expect(config.generator.metricsIngestionTimeRangeSlack).toBe(30_000);
    expect(notes).toEqual([
      'c.yaml:1:1: server: empty: taken as absent',
      'c.yaml:3:3: metrics_generator.registry: empty: taken as absent',
    ]);
  });

  it('switches a receiver off with null or enabled: false', () => {
    expect(loadConfig({ text: 'receivers: {otlp: {grpc: null}}' }).config.receivers.otlp).not.toHaveProperty('grpc');
    expect(
      loadConfig({ text: 'receivers: {otlp: {grpc: {enabled: false}}}' }).config.receivers.otlp,
    ).not.toHaveProperty('grpc');
  });

  it('takes values from the command line over its own', () => {
    const { config } = loadConfig({
      text: 'server: {http_listen_port: 1}',
      set: { 'server.http_listen_port': '2', 'ledger.path': '/l' },
    });
    expect(config.server.httpListenPort).toBe(2);
    expect(config.ledger.path).toBe('/l');
    expect(() => loadConfig({ text: '', set: { 'server.http_listen_prot': '2' } })).toThrow(
      'did you mean "http_listen_port"?',
    );
  });

  it('may choose Kafka as the log', () => {
    const { config } = loadConfig({
      text: 'log: {kind: kafka, kafka: {brokers: [a:1, b:2], topic: t, start: 1h}}\nmetrics_generator: {codec: otlp}',
    });
    expect(config.log.kafka).toEqual({
      brokers: ['a:1', 'b:2'],
      topic: 't',
      encoding: 'otlp',
      start: { agoMs: 3_600_000 },
      consumerGroup: 'spanmill',
      clientId: 'spanmill',
      onLogGap: 'continue',
      compression: 'zstd',
    });
  });
});

describe('a file that was written for Tempo', () => {
  const PASTED = `target: all
multitenancy_enabled: true
server:
  http_listen_port: 3200
  grpc_listen_port: 9095
  log_format: logfmt
  grpc_server_max_recv_msg_size: 16777216
distributor:
  ring: {kvstore: {store: memberlist}}
  receivers:
    otlp:
      protocols:
        grpc:
        http: {endpoint: 0.0.0.0:4318}
    jaeger: {protocols: {grpc: , thrift_http: }}
ingester: {lifecycler: {ring: {replication_factor: 3}}}
compactor: {compaction: {block_retention: 48h}}
memberlist: {join_members: [a], anything: {goes: [here]}}
querier: {frontend_worker: {frontend_address: x}}
storage: {trace: {backend: s3, s3: {bucket: b, secret_key: s}}}
metrics_generator:
  ring: {kvstore: {store: memberlist}}
  registry: {external_labels: {source: tempo}}
  storage:
    path: /var/tempo/generator/wal
    wal: {no_lockfile: true}
    remote_write:
      - url: http://prometheus:9090/api/v1/write
        send_exemplars: true
        send_native_histograms: true
        queue_config: {capacity: 10000, retry_on_http_429: false}
  traces_storage: {path: /var/tempo/generator/traces}
  processor:
    local_blocks: {flush_to_storage: true}
    service_graphs: {wait: 15s, workers: 10}
overrides:
  metrics_generator_processors: [service-graphs, span-metrics, local-blocks]
  metrics_generator_max_active_series: 30000
  metrics_generator_processor_span_metrics_dimensions: [http.method]
  metrics_generator_processor_span_metrics_intrinsic_dimensions: {span_kind: false}
  ingestion_rate_limit_bytes: 15000000
  max_bytes_per_trace: 5000000
  forwarders: []
`;

  it('loads', () => {
    const { config } = loadConfig({ text: PASTED });
    expect(config.multitenancyEnabled).toBe(true);
    expect(config.receivers.otlp.http?.endpoint).toBe('0.0.0.0:4318');
    expect(config.receivers.otlp.grpc?.endpoint).toBe('localhost:4317');
    expect(config.generator.processor.serviceGraphs.wait).toBe(15_000);
    expect(config.remoteWrite.endpoints[0]!.url).toBe('http://prometheus:9090/api/v1/write');
    const defaults = config.overrides.defaults.metricsGenerator;
    expect(defaults.processors).toEqual(['service-graphs', 'span-metrics']);
    expect(defaults.maxActiveSeries).toBe(30_000);
    expect(defaults.processor?.spanMetrics?.dimensions).toEqual(['http.method']);
    expect(defaults.processor?.spanMetrics?.intrinsicDimensions).toEqual({ spanKind: false });
  });

  it('is told what becomes of it, then of each reason which keys are ignored, with their lines', () => {
    const { notes } = loadConfig({ text: PASTED, fileName: 't.yaml' });
    expect(notes[0]).toMatch(
      /^t\.yaml: read as a file of Tempo's: spans come in by OTLP\/gRPC on localhost:4317, OTLP\/HTTP/,
    );
    expect(notes).toContainEqual(
      't.yaml:25:5: metrics_generator.storage.path: the ledger is in /var/tempo/generator/wal/spanmill/ledger, the log in /var/tempo/generator/wal/spanmill/log',
    );
    expect(notes).toContainEqual(
      expect.stringMatching(/^t\.yaml: ingester, compactor, querier, storage: ignored: spanmill keeps no traces/),
    );
    expect(notes).toContainEqual(expect.stringContaining('retry_on_http_429: ignored: a 429 is always retried'));
    expect(notes).toContainEqual(expect.stringContaining('local-blocks is ignored'));
    expect(notes.filter((note) => note.includes('flat overrides'))).toHaveLength(1);
    // At Tempo's default: only counted.
    expect(notes.filter((note) => note.includes('have no effect here and need none'))).toHaveLength(1);
    expect(notes.join('\n')).not.toMatch(/capacity[^\n]*: ignored|workers[^\n]*: ignored/);
  });

  it.each([
    ['server: {http_tls_config: {cert_file: a}}', 'end TLS in a proxy'],
    ['distributor: {forwarders: [{name: a}]}', "doesn't forward"],
    ['distributor: {receivers: {opencensus: {}}}', 'send OTLP'],
    ['distributor: {receivers: {otlp: {protocols: {grpc: {tls: {cert_file: a}}}}}}', 'end TLS in a proxy'],
    ['overrides: {user_configurable_overrides: {enabled: true}}', 'per-tenant file'],
    ['receivers: {jaeger: {endpoint: a:1}}', 'send OTLP, or put a collector before it'],
    ['distributor: {receivers: {jaeger: {protocols: {thrift_http: }}}}', 'there is no Jaeger receiver here'],
    ['ingest: {kafka: {address: a:1, topic: t, sasl_username: u}}', 'sasl_username and sasl_password go together'],
    ['ingest: {kafka: {address: a:1, topic: t, consumer_group: metrics-generator}}', 'half of the partitions'],
    ['overrides: {max_spans_per_trace: 1}', 'use global.max_bytes_per_trace'],
    ['overrides: {metrics_generator_processors: [], defaults: {metrics_generator: {processors: []}}}', 'is set twice'],
    ['overrides: {metrics_generator_procesors: []}', 'did you mean "processors"?'],
    ['receivers: {}\ndistributor: {receivers: {otlp: {protocols: {grpc: }}}}', 'written twice'],
    ['distributor: {receivers: {otlp: {protocols: {}}}}', 'name grpc, http or both'],
    ['distributor: {receivers: {otlp: {protocols: {grpc: {endpoint: nowhere}}}}}', 'must be host:port'],
    ['distributor: {receivers: {otlp: {protocols: {grpc: }}, otlp/2: {}}}', 'there can be only one otlp here'],
    ['distributor: {receivers: {kafka: , otlp: {protocols: {grpc: }}}}', 'would be written to its topic'],
    ['distributor: {receivers: {kafka: }}\ningest: {kafka: {topic: t}}', 'keep this receiver or `ingest.kafka`'],
    ['distributor: {receivers: {kafka: }}\nlog: {kind: embedded}', 'keep this receiver or `log`'],
    ['distributor: {receivers: {kafka: {traces: {topics: [^spans-.*]}}}}', 'name one topic'],
    ['distributor: {receivers: {kafka: {auth: {sasl: {username: u, password: "<secret>"}}}}}', 'is a mask'],
    ['ingest: {kafka: {topic: t}}\nlog: {kind: embedded}', 'the log is written twice'],
    ['ingest: {kafka: {topic: t, consumer_group: "live-<partition>"}}', 'leave <partition> out'],
    ['ingest: {kafka: {topic: t, sasl_mechanism: SCRAM-SHA-215}}', 'did you mean "SCRAM-SHA-256"?'],
    ['ingest: {kafka: {topic: t, tls_enabled: true, tls_cert_path: a}}', 'tls_cert_path and tls_key_path go together'],
    ['target: metrics-generator', 'name ingest.kafka.topic, or use target all'],
    ['target: ingester', 'there is no ingester as a process of its own here'],
    ['target: al', 'did you mean "all"?'],
  ])('is refused with a hint where ignoring would be wrong: %s', (text, hint) => {
    expect(() => loadConfig({ text })).toThrow(hint);
  });

  it('listens where it says: a receiver that is not named is off, one that is named and empty has the defaults', () => {
    const receiversOf = (receivers: string) =>
      loadConfig({ text: `distributor: {receivers: ${receivers}}` }).config.receivers;
    expect(receiversOf('{zipkin: }')).toEqual({ otlp: {}, zipkin: { endpoint: 'localhost:9411' } });
    expect(receiversOf('{otlp/x: {protocols: {grpc: }}}')).toEqual({ otlp: { grpc: { endpoint: 'localhost:4317' } } });
    expect(receiversOf('{}')).toEqual(loadConfig({ text: '' }).config.receivers);
  });

  it('has its ports compared where it names them', () => {
    const text = `distributor:
  receivers:
    otlp: {protocols: {grpc: {endpoint: "0.0.0.0:9411"}}}
    zipkin: {endpoint: "0.0.0.0:9411"}
`;
    expect(() => loadConfig({ text, fileName: 't.yaml' })).toThrow(
      't.yaml:4:24: distributor.receivers.zipkin.endpoint: 0.0.0.0:9411 is also distributor.receivers.otlp.protocols.grpc.endpoint',
    );
  });

  it("keeps its state in the generator's directory, unless spanmill's own are set", () => {
    const pathsOf = (more: string) => {
      const { config } = loadConfig({ text: `metrics_generator: {storage: {path: /t}}\n${more}` });
      return [config.ledger.path, config.log.embedded.path];
    };
    expect(pathsOf('')).toEqual(['/t/spanmill/ledger', '/t/spanmill/log']);
    expect(pathsOf('ledger: {path: /l}')).toEqual(['/l', '/t/spanmill/log']);
    expect(pathsOf('ledger: {path: /l}\nlog: {embedded: {path: /e}}')).toEqual(['/l', '/e']);
  });

  it('is told what Tempo does otherwise by default', () => {
    const notesOf = (text: string) => loadConfig({ text }).notes.join('\n');
    expect(notesOf('distributor: {ring: {}}')).toContain('names no receivers');
    expect(notesOf('storage: {}')).toContain('the API listens on 127.0.0.1:3200 only');
    expect(notesOf('storage: {}\nserver: {http_listen_address: ""}')).not.toContain('the API listens');
    expect(notesOf('storage: {}')).toContain('names no processors: span-metrics and service-graphs run');
  });

  it('reads from Kafka where it names an address and a topic', () => {
    const { config } = loadConfig({
      text: 'ingest: {kafka: {address: "a:1, b:2", topic: t, auto_create_topic_enabled: true}}',
    });
    expect(config.log.kind).toBe('kafka');
    expect(config.log.kafka).toMatchObject({
      brokers: ['a:1', 'b:2'],
      topic: 't',
      encoding: 'push-bytes',
      consumerGroup: 'spanmill',
    });
  });
});
