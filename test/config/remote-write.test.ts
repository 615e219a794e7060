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
      authorizationScheme: 'Bearer',
      followRedirects: true,
      sendExemplars: true,
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
      passwordFile: '/p',
    });
    expect(endpointWith('bearer_token: t').bearerToken).toBe('t');
    expect(endpointWith('authorization: {credentials_file: /t}').bearerTokenFile).toBe('/t');
    expect(endpointWith('authorization: {type: Token, credentials: c}')).toMatchObject({
      authorizationScheme: 'Token',
      bearerToken: 'c',
    });
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
    ['oauth2: {client_id: a}', 'not built yet'],
    ['sigv4: {region: a}', 'not built yet'],
    ['azuread: {}', 'adds the token'],
    ['proxy_url: "http://a"', 'not built yet'],
    ['protobuf_message: io.prometheus.write.v2.Request', 'not built yet'],
    ['write_relabel_configs: [{regex: a, action: labeldrop}]', 'not built yet'],
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
