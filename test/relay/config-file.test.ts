import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseConfig } from '../../src/relay/config-file.ts';
import { readDuration } from '../../src/relay/duration.ts';
import { openEndpoint } from '../../src/relay/endpoint.ts';
import { parseOptions } from '../../src/relay/options.ts';
import { SettingsError } from '../../src/relay/settings.ts';

const SCRAPE = `scrape_configs:
  - job_name: test
    static_configs: [{ targets: ['localhost:8080'] }]
`;
const WRITE = `remote_write:
  - url: http://localhost:9090/api/v1/write
`;
const read = (yaml: string) => parseConfig(yaml, 'p.yml');
const failure = (act: () => unknown): string => {
  try {
    act();
  } catch (error) {
    expect(error).toBeInstanceOf(SettingsError);
    return (error as Error).message;
  }
  return 'none';
};

describe('a file', () => {
  it('has the defaults of Prometheus', () => {
    const { settings, warnings } = read(SCRAPE + WRITE);
    expect(warnings).toEqual([]);
    expect(settings).toMatchObject({
      target: {
        labels: {
          labels: [
            ['job', 'test'],
            ['instance', 'localhost:8080'],
          ],
          honorsPage: false,
        },
        honorsTimestamps: true,
        intervalMs: 60_000,
        timeoutMs: 10_000,
      },
      endpoint: {
        url: 'http://localhost:9090/api/v1/write',
        protocol: '1.0',
        sendExemplars: false,
        timeoutMs: 30_000,
        metadata: { send: true, sendIntervalMs: 60_000, maxPerSend: 2_000 },
        queue: { maxSamplesPerSend: 2_000, batchSendDeadlineMs: 5_000 },
      },
    });
    expect(settings.target.url.href).toBe('http://localhost:8080/metrics');
  });

  it('says everything that a relay knows', () => {
    const { settings, warnings } = read(`
global: { scrape_interval: 5s, scrape_timeout: 2s, external_labels: { cluster: eu, replica: 1, none: '' } }
scrape_configs:
  - job_name: 7
    scrape_interval: 1s
    scrape_timeout: 500ms
    scheme: https
    metrics_path: /m
    params: { match: [a, b] }
    honor_labels: true
    honor_timestamps: false
    static_configs: [{ targets: ['[::1]:80'], labels: { zone: a } }]
remote_write:
  - url: https://r/write
    name: r
    protobuf_message: io.prometheus.write.v2.Request
    send_exemplars: true
    remote_timeout: 3s
    headers: { X-Scope-OrgID: 12 }
    basic_auth: { username: u, password: p }
    metadata_config: { send: false, send_interval: 2m, max_samples_per_send: 5 }
    queue_config: { batch_send_deadline: 100ms, max_samples_per_send: 10, min_backoff: 1s, max_backoff: 2s, retry_on_http_429: false, sample_age_limit: 1h, capacity: 7 }
`);
    expect(warnings).toEqual([]);
    expect(settings.target.url.href).toBe('https://[::1]:80/m?match=a&match=b');
    expect(settings.target).toMatchObject({
      labels: {
        labels: [
          ['job', '7'],
          ['instance', '[::1]:80'],
          ['zone', 'a'],
        ],
        honorsPage: true,
      },
      honorsTimestamps: false,
      intervalMs: 1_000,
      timeoutMs: 500,
    });
    expect(settings.endpoint).toEqual({
      url: 'https://r/write',
      name: 'r',
      protocol: 'prefer_2.0',
      sendExemplars: true,
      timeoutMs: 3_000,
      headers: { 'X-Scope-OrgID': '12' },
      basicAuth: { username: 'u', password: 'p' },
      externalLabels: [
        ['cluster', 'eu'],
        ['replica', '1'],
      ],
      minBackoffMs: 1_000,
      maxBackoffMs: 2_000,
      retryOn429: false,
      sampleAgeLimitMs: 3_600_000,
      metadata: { send: false, sendIntervalMs: 120_000, maxPerSend: 5 },
      queue: { capacity: 7, maxSamplesPerSend: 10, batchSendDeadlineMs: 100 },
    });
  });

  it.each<[string, object]>([
    ['basic_auth: { username: u, password_file: /f }', { basicAuth: { username: 'u', password: { file: '/f' } } }],
    ['authorization: { credentials: c }', { authorization: { type: 'Bearer', credentials: 'c' } }],
    [
      'authorization: { type: Token, credentials_file: /f }',
      { authorization: { type: 'Token', credentials: { file: '/f' } } },
    ],
    ['bearer_token: t', { bearerToken: 't' }],
    ['bearer_token_file: /f', { bearerToken: { file: '/f' } }],
  ])('may authorize by %s', (yaml, expected) => {
    expect(read(`${SCRAPE}${WRITE}    ${yaml}\n`).settings.endpoint).toMatchObject(expected);
  });

  it('says each key that means nothing to a relay, once, with its line', () => {
    const yaml = `global: { evaluation_interval: 1m }
rule_files: [a, b]
${SCRAPE}    relabel_configs: [{ source_labels: [a] }, { source_labels: [b] }]
${WRITE}    queue_config: { max_shards: 7 }
`;
    expect(read(yaml).warnings).toEqual([
      'p.yml:1: global.evaluation_interval: a relay has no such setting: ignored',
      'p.yml:2: rule_files: a relay has no such setting: ignored',
      'p.yml:6: scrape_configs[0].relabel_configs: a relay has no such setting: ignored',
      'p.yml:9: remote_write[0].queue_config.max_shards: a relay has no such setting: ignored',
    ]);
  });

  it.each(['e2', '1e3', '007', '0x10', '1_000', 'yes', 'on', 'True', '1.0', '12:30', '2001-01-01', '.inf', '"a"'])(
    'has text where Prometheus has it, as it is written: %s',
    (written) => {
      const { settings } = read(`global: { external_labels: { y: ${written} } }
scrape_configs:
  - job_name: ${written}
    params: { no: [${written}] }
    static_configs: [{ targets: ['a:1'], labels: { 1: ${written} } }]
${WRITE}    name: ${written}
    headers: { X-A: ${written} }
    basic_auth: { username: ${written}, password: ${written} }
`);
      const text = written.replaceAll('"', '');
      expect(settings.target.labels.labels.filter(([name]) => name !== 'instance').sort()).toEqual([
        ['1', text],
        ['job', text],
      ]);
      expect([...settings.target.url.searchParams]).toEqual([['no', text]]);
      expect(settings.endpoint).toMatchObject({
        name: text,
        externalLabels: [['y', text]],
        headers: { 'X-A': text },
        basicAuth: { username: text, password: text },
      });
    },
  );

  it('has the words of YAML 1.1 for yes and no, and merges', () => {
    const yaml = `${SCRAPE}    honor_labels: Yes
    honor_timestamps: OFF
    <<: &more { scheme: https }
${WRITE}    send_exemplars: on
    queue_config: { capacity: 1_000 }
`;
    const { settings, warnings } = read(yaml);
    expect(warnings).toEqual([]);
    expect(settings).toMatchObject({
      target: { honorsTimestamps: false, labels: { honorsPage: true } },
      endpoint: { sendExemplars: true, queue: { capacity: 1_000 } },
    });
    expect(settings.target.url.protocol).toBe('https:');
  });

  it.each<[yaml: string, said: RegExp]>([
    ['headers: { "a b": c }', /^p.yml:5: remote_write\[0\]: a header has an illegal name/],
    ['headers: { Host: c }', /^p.yml:5: remote_write\[0\]: header host can't be set/],
    ['queue_config: { min_backoff: 9s, max_backoff: 1s }', /^p.yml:5: remote_write\[0\]: maxBackoffMs/],
    ['name: x\n  - url: u', /exactly one/],
  ])('with %j has the place in the message', (yaml, said) => {
    const hooks = { userAgent: 'test/1', onTrouble: () => {} };
    const open = () => {
      const { settings } = read(`${SCRAPE}${WRITE}    ${yaml}\n`);
      return openEndpoint(settings.endpoint, settings.endpointPlace, hooks);
    };
    expect(failure(open)).toMatch(said);
  });

  it('may leave a key empty, as if it were not there', () => {
    const yaml = `global:
rule_files:
${SCRAPE}    params:
    scheme: ~
    scrape_interval:
${WRITE}    headers:
    basic_auth:
    queue_config:
    metadata_config: { send: , send_interval: 2m }
`;
    const { settings, warnings } = read(yaml);
    const plain = read(`${SCRAPE}${WRITE}    metadata_config: { send_interval: 2m }\n`);
    expect({ ...settings, endpointPlace: '' }).toEqual({ ...plain.settings, endpointPlace: '' });
    expect(warnings).toEqual([]);
    const labels = read(`global: { external_labels: { a: x, none: } }\n${SCRAPE}${WRITE}`).settings.endpoint
      .externalLabels;
    expect(labels).toEqual([['a', 'x']]);
  });

  it.each<[global: string, job: string, timeoutMs: number]>([
    ['scrape_interval: 30s, scrape_timeout: 10s', 'scrape_interval: 1s', 1_000],
    ['scrape_interval: 30s, scrape_timeout: 20s', 'scrape_interval: 25s', 20_000],
    ['scrape_interval: 30s, scrape_timeout: 20s', 'scrape_timeout: 25s', 25_000],
    ['scrape_interval: 5s', 'scheme: http', 5_000],
  ])('with global %s and %s times out as Prometheus would', (global, job, timeoutMs) => {
    const { settings } = read(`global: { ${global} }\n${SCRAPE}    ${job}\n${WRITE}`);
    expect(settings.target.timeoutMs).toBe(timeoutMs);
  });

  it('that wants larger requests than a relay makes gets the largest, and is told so', () => {
    const { settings, warnings } = read(`${SCRAPE}${WRITE}    queue_config: { max_samples_per_send: 5000 }\n`);
    expect(settings.endpoint.queue!.maxSamplesPerSend).toBe(2_000);
    expect(warnings).toEqual([
      'p.yml:6: remote_write[0].queue_config.max_samples_per_send: a relay sends no more than 2000 at once: 2000 is taken',
    ]);
  });

  it.each<[string, RegExp]>([
    ['', /scrape_configs: .*\n.*remote_write: /],
    [SCRAPE, /p.yml: remote_write: /],
    [`${SCRAPE}remote_write: []`, /exactly one/],
    [`${SCRAPE}${WRITE}  - url: http://b\n`, /remote_write: .*exactly one/],
    [`${SCRAPE.replace("'localhost:8080'", 'a, b')}${WRITE}`, /p.yml:3: .*targets: .*exactly one target/],
    [`${SCRAPE.replace('localhost:8080', 'http://a/b')}${WRITE}`, /targets\[0\]: must be host:port/],
    [`${SCRAPE.replace('localhost:8080', '')}${WRITE}`, /targets\[0\]: must be host:port/],
    [`${SCRAPE}    scrape_interval: 5\n${WRITE}`, /p.yml:4: scrape_configs\[0\].scrape_interval/],
    [`${SCRAPE}    scrape_interval: 5x\n${WRITE}`, /no duration/],
    [`${SCRAPE}    scrape_interval: 0s\n${WRITE}`, /at least 1ms/],
    [`${SCRAPE}    scrape_interval: 1s\n    scrape_timeout: 2s\n${WRITE}`, /p.yml:5: .*longer than scrape_interval/],
    [`${SCRAPE}    scheme: ftp\n${WRITE}`, /scheme/],
    [`${SCRAPE}${WRITE}    protobuf_message: v2\n`, /p.yml:6: remote_write\[0\].protobuf_message/],
    [`${SCRAPE}${WRITE}    basic_auth: { username: u }\n`, /basic_auth: needs a secret or a file/],
    [
      `global: { scrape_timeout: 2m }\n${SCRAPE}${WRITE}`,
      /p.yml:1: global.scrape_timeout: is longer than scrape_interval/,
    ],
    [
      `global:\n  external_labels:\n    __name__: x\n${SCRAPE}${WRITE}`,
      /p.yml:3: global.external_labels.__name__: a metric has its own name/,
    ],
    [`${SCRAPE}    honor_labels: maybe\n${WRITE}`, /p.yml:4: .*honor_labels: must be true or false/],
    [`${SCRAPE}${WRITE}    queue_config: { capacity: 0 }\n`, /p.yml:6: .*capacity: must be a whole number/],
    [`${SCRAPE}${WRITE}    queue_config: { capacity: 1.5 }\n`, /p.yml:6: .*capacity: must be a whole number/],
    [`${SCRAPE}remote_write:\n  - url:\n`, /p.yml:5: remote_write\[0\].url: /],
    ['a: [', /^p.yml:1: /],
    ['a: *b', /^p.yml/],
    ['- a', /./],
    ['7', /./],
  ])('that can not be used is refused: %#', (yaml, message) => {
    expect(failure(() => read(yaml))).toMatch(message);
  });
});

describe('the command line', () => {
  const URLS = ['--target', 'http://localhost:8080', '--remote-write=http://r/write'];

  it('has a target and a receiver', () => {
    expect(parseOptions(URLS)).toMatchObject({
      settings: {
        target: {
          labels: {
            labels: [
              ['job', 'rw-relay'],
              ['instance', 'localhost:8080'],
            ],
          },
          intervalMs: 15_000,
          timeoutMs: 10_000,
        },
        endpoint: { url: 'http://r/write', protocol: 'auto' },
      },
      listen: undefined,
      flushDeadlineMs: 5_000,
      warnings: [],
    });
  });

  it('has what a file says in other words', () => {
    const options = parseOptions([
      ...URLS,
      ...['-interval', '1s', '--job=shop', '--external-label', 'a=b=c', '--external-label=d=e', '--honor-labels'],
      ...['--protocol', '2.0', '--web.listen-address', ':0', '--storage.remote.flush-deadline=2s'],
    ]);
    expect(options).toMatchObject({
      settings: {
        target: {
          labels: {
            labels: [
              ['job', 'shop'],
              ['instance', 'localhost:8080'],
            ],
            honorsPage: true,
          },
          intervalMs: 1_000,
          timeoutMs: 1_000,
        },
        endpoint: {
          protocol: '2.0',
          externalLabels: [
            ['a', 'b=c'],
            ['d', 'e'],
          ],
        },
      },
      listen: { host: '', port: 0 },
      flushDeadlineMs: 2_000,
    });
    const url = (of: string) => {
      const read = parseOptions(['--target', of, '--remote-write', 'http://r']);
      return read === 'help' ? '' : read.settings.target.url.href;
    };
    expect(url('http://a')).toBe('http://a/metrics');
    expect(url('https://a:1/m?x=1')).toBe('https://a:1/m?x=1');
  });

  it('takes the flags of Prometheus that mean nothing to it, and says so once', () => {
    const options = parseOptions([
      ...['--storage.tsdb.path=/x', '--log.level', 'debug', '--log.level=info', '--enable-feature=a', '--agent'],
      ...URLS,
    ]);
    expect(options === 'help' ? [] : options.warnings.map((text) => text.split(' ')[0])).toEqual([
      '--storage.tsdb.path',
      '--log.level',
      '--enable-feature',
      '--agent',
    ]);
  });

  it('may name a file instead', () => {
    const dir = mkdtempSync(join(tmpdir(), 'spanmill-relay-'));
    try {
      const file = join(dir, 'p.yml');
      writeFileSync(file, SCRAPE + WRITE);
      expect(parseOptions([`-config.file=${file}`])).toMatchObject({ settings: { endpoint: { protocol: '1.0' } } });
      expect(failure(() => parseOptions(['--config.file', file, '--interval=1s']))).toMatch(/exclude each other/);
      expect(failure(() => parseOptions(['--config.file', join(dir, 'none')]))).toMatch(/ENOENT/);
    } finally {
      rmSync(dir, { recursive: true });
    }
  });

  it.each<[string[], RegExp]>([
    [[], /--target URL/],
    [['--target', 'http://a'], /--remote-write/],
    [['--target'], /needs a value/],
    [['x'], /not a flag/],
    [['--no'], /no such flag: --no/],
    [[...URLS, '--target', 'ftp://a'], /http or https/],
    [[...URLS, '--target', 'http://u:p@a'], /without credentials/],
    [[...URLS, '--remote-write', 'foo://a'], /http or https/],
    [[...URLS, '--interval', '5'], /--interval: /],
    [[...URLS, '--timeout', '20s'], /longer than --interval/],
    [[...URLS, '--protocol', '3'], /--protocol is/],
    [[...URLS, '--external-label', 'a'], /name=value/],
    [[...URLS, '--external-label', '__name__=a'], /its own name/],
    [[...URLS, '--honor-labels=x'], /has no value/],
    [[...URLS, '--web.listen-address', '80'], /host:port/],
    [[...URLS, '--web.listen-address', 'a:99999'], /host:port/],
  ])('is refused with one line: %j', (args, message) => {
    expect(failure(() => parseOptions(args))).toMatch(message);
  });
});

describe('a duration', () => {
  it.each<[string, number]>([
    ['500ms', 500],
    ['15s', 15_000],
    ['1.5s', 1_500],
    ['1h30m', 5_400_000],
    ['7d', 604_800_000],
    ['2w', 1_209_600_000],
    ['1y', 31_536_000_000],
    ['0.6ms', 1],
  ])('%s is read', (text, ms) => {
    expect(readDuration(text)).toBe(ms);
  });

  it.each<[string, RegExp]>([
    ['5', /did you mean 5s/],
    ['0', /at least 1ms/],
    ['0s', /at least 1ms/],
    ['', /no duration/],
    ['5x', /no duration/],
    ['-5s', /no duration/],
    ['5s ', /no duration/],
    ['5s5', /no duration/],
  ])('%j is none', (text, error) => {
    expect(readDuration(text)).toMatchObject({ error: expect.stringMatching(error) });
  });
});
