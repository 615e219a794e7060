import { describe, expect, it } from 'vitest';
import { loadConfig } from '../../src/config/index.ts';

const fileWith = (keys: string) => `metrics_generator: {storage: {remote_write: [{url: "https://p/write", ${keys}}]}}`;
const endpointWith = (keys: string) => loadConfig({ text: fileWith(keys) }).config.remoteWrite.endpoints[0]!;

describe('remote_write', () => {
  it('has the defaults of Prometheus, and exemplars', () => {
    expect(endpointWith('')).toEqual({
      url: 'https://p/write',
      name: expect.stringMatching(/^remote-write-[0-9a-f]{8}$/),
      remoteTimeoutMs: 30_000,
      headers: {},
      secretHeaders: {},
      followRedirects: true,
      sendExemplars: true,
      protocol: '1.0',
      maxSamplesPerSend: 2000,
      maxParallelRequests: 50,
      minBackoffMs: 30,
      maxBackoffMs: 5000,
      sampleAgeLimitMs: 0,
      writeRelabelConfigs: [],
    });
  });

  it('keeps the name of an endpoint without one across loads', () => {
    expect(endpointWith('').name).toBe(endpointWith('remote_timeout: 1m').name);
  });

  it('passes credentials, headers and TLS on', () => {
    expect(endpointWith('basic_auth: {username: u, password_file: /p}').basicAuth).toEqual({
      username: 'u',
      password: { file: '/p' },
    });
    expect(endpointWith('bearer_token: t').authorization).toEqual({ type: 'Bearer', credentials: 't' });
    expect(endpointWith('authorization: {credentials_file: /t}').authorization).toEqual({
      type: 'Bearer',
      credentials: { file: '/t' },
    });
    expect(endpointWith('authorization: {type: Token, credentials: c}').authorization).toEqual({
      type: 'Token',
      credentials: 'c',
    });
    expect(
      endpointWith('oauth2: {client_id: i, client_secret_file: /s, token_url: "https://t", scopes: [a]}').oauth2,
    ).toEqual({
      clientId: 'i',
      clientSecret: { file: '/s' },
      tokenUrl: 'https://t',
      scopes: ['a'],
      endpointParams: {},
    });
    expect(endpointWith('sigv4: {access_key: a, secret_key: b}').sigv4).toEqual({
      service: 'aps',
      accessKey: 'a',
      secretKey: 'b',
    });
    expect(endpointWith('proxy_url: "http://p:1", no_proxy: "a,b", proxy_connect_header: {X: [y]}').proxy).toEqual({
      url: 'http://p:1',
      noProxy: 'a,b',
      headers: { X: 'y' },
    });
    expect(endpointWith('proxy_from_environment: true').proxy).toBe('env');
    expect(endpointWith('http_headers: {A: {values: [v]}, B: {secrets: [s]}, C: {files: [/f]}}').secretHeaders).toEqual(
      {
        A: 'v',
        B: 's',
        C: { file: '/f' },
      },
    );
    expect(endpointWith('protobuf_message: io.prometheus.write.v2.Request').protocol).toBe('auto');
    expect(endpointWith('follow_redirects: false').followRedirects).toBe(false);
    expect(endpointWith('headers: {X-Scope-OrgID: a}').headers).toEqual({ 'X-Scope-OrgID': 'a' });
    expect(endpointWith('tls_config: {ca_file: /ca, insecure_skip_verify: true}').tls).toEqual({
      caFile: '/ca',
      insecureSkipVerify: true,
      minVersion: 'TLS12',
    });
  });

  it.each([
    ['headers: {Content-Type: a}', 'belongs to the protocol'],
    ['headers: {authorization: a}', 'use authorization, basic_auth'],
    ['headers: {X: "a\\nb"}', 'one line'],
    ['basic_auth: {password: "<secret>"}', 'is a mask'],
    ['basic_auth: {password: a, password_file: b}', 'use one of password and password_file'],
    ['basic_auth: {password_ref: a}', 'ends in _file'],
    ['basic_auth: {username: a}, bearer_token: b', 'use one way to authenticate, not basic_auth and bearer_token'],
    ['authorization: {type: basic}', 'use basic_auth'],
    ['tls_config: {cert_file: a}', 'certificate and its key go together'],
    ['tls_config: {min_version: TLS9}', 'must be one of TLS10'],
    ['oauth2: {client_id: a}', 'oauth2.token_url'],
    ['oauth2: {client_id: a, token_url: "http://t"}', 'needs client_secret or client_secret_file'],
    [
      'oauth2: {client_id: a, client_secret: b, token_url: "http://t", grant_type: "urn:jwt"}',
      'only the grant client_credentials',
    ],
    ['sigv4: {access_key: a}', 'access_key and secret_key go together'],
    ['sigv4: {role_arn: a}', 'no role is assumed'],
    ['sigv4: {}, bearer_token: a', 'use one way to authenticate, not bearer_token and sigv4'],
    ['azuread: {}', 'adds the token'],
    ['proxy_url: "socks5://a"', 'must begin with http:// or https://'],
    ['proxy_url: "http://a", proxy_from_environment: true', 'use one of proxy_url and proxy_from_environment'],
    ['no_proxy: a', 'there is no proxy_url'],
    ['http_headers: {A: {values: [a, b]}}', 'needs one value'],
    ['http_headers: {Host: {values: [a]}}', 'belongs to the protocol'],
    ['headers: {a: b}, http_headers: {A: {values: [a]}}', 'is in headers, too'],
    ['tls_config: {min_version: TLS13, max_version: TLS12}', 'min_version is above max_version'],
    ['write_relabel_configs: [{regex: a, target_label: b, action: labeldrop}]', 'takes only a regex'],
    ['write_relabel_configs: [{source_labels: [a], target_label: b, regex: c, action: keepequal}]', 'takes only'],
    ['write_relabel_configs: [{action: lowercase, target_label: "a-b"}]', 'no name of a label'],
    ['write_relabel_configs: [{source_labels: [a], regex: "(?=b)", action: drop}]', 'no regular expression'],
    ['write_relabel_configs: [{action: hashmod, target_label: a}]', 'modulus above 0'],
    ['queue_config: {min_backoff: 10s}', 'min_backoff is longer'],
    ['queue_config: {max_retries: 3}', 'sample_age_limit'],
    ['write_relabel_config: []', 'did you mean "write_relabel_configs"?'],
    ['remote_timeout: 30', 'did you mean 30s?'],
  ])('refuses %s', (keys, message) => {
    expect(() => loadConfig({ text: fileWith(keys) })).toThrow(message);
  });

  it.each(['ftp://a', 'nowhere', 'http://u:p@a'])('refuses the URL %s', (url) => {
    expect(() => loadConfig({ text: `metrics_generator: {storage: {remote_write: [{url: "${url}"}]}}` })).toThrow(
      'remote_write[0].url',
    );
  });

  it('refuses two receivers of one name', () => {
    const text = 'metrics_generator: {storage: {remote_write: [{url: "http://a"}, {url: "http://a"}]}}';
    expect(() => loadConfig({ text })).toThrow('give each receiver its own name');
  });

  it('says when exemplars are off', () => {
    expect(loadConfig({ text: fileWith('send_exemplars: false') }).notes).toEqual([
      expect.stringContaining('no exemplars are sent'),
    ]);
  });
});
