// `metrics_generator.storage.remote_write[]`: the keys of Prometheus' `remote_write`.

import { block, braces, ignored, ms, type Row, refused, under, used } from './row.ts';

const AT = 'remoteWrite.endpoints[]';
const FILES = /use the key that ends in _file/;
const JWT = /only the grant client_credentials/;
const ROLE = /a role|environment|proxy/i;
const PROXY = /put a proxy that adds the token/;
const inFile = (path: unknown) => ({ file: path });

const to = (key: string, at: string, more: Partial<Row> = {}): Row => used(key, `${AT}.${at}`, more);
const tls = (prefix: string, at: string): Row[] => [
  to(`${prefix}.ca`, `${at}.ca`),
  to(`${prefix}.ca_file`, `${at}.caFile`),
  to(`${prefix}.cert`, `${at}.cert`),
  to(`${prefix}.cert_file`, `${at}.certFile`),
  to(`${prefix}.key`, `${at}.key`),
  to(`${prefix}.key_file`, `${at}.keyFile`),
  to(`${prefix}.server_name`, `${at}.serverName`),
  to(`${prefix}.insecure_skip_verify`, `${at}.insecureSkipVerify`),
  to(`${prefix}.min_version`, `${at}.minVersion`),
  to(`${prefix}.max_version`, `${at}.maxVersion`),
  refused(`${prefix}.{ca_ref, cert_ref, key_ref}`, FILES),
];
const proxy = (prefix: string, at: string): Row[] => [
  to(`${prefix}proxy_url`, `${at}proxy.url`),
  to(`${prefix}no_proxy`, `${at}proxy.noProxy`),
  to(`${prefix}proxy_from_environment`, `${at}proxy`, { becomes: () => 'env' }),
  to(`${prefix}proxy_connect_header.*`, `${at}proxy.headers.*`, { becomes: (values) => (values as string[])[0] }),
];

export const REMOTE_WRITE: Row[] = [
  // Nowhere to send to is allowed.
  used('metrics_generator.storage.remote_write', 'remoteWrite.endpoints', { quiet: [[]] }),
  ...under('metrics_generator.storage.remote_write[]', [
    to('url', 'url'),
    to('name', 'name'),
    to('remote_timeout', 'remoteTimeoutMs', { becomes: ms }),
    to('headers.*', 'headers.*', { refuses: [['Bearer not-a-real-token', /use authorization, basic_auth/]] }),
    to('basic_auth.username', 'basicAuth.username'),
    to('basic_auth.username_file', 'basicAuth.username', { becomes: inFile }),
    to('basic_auth.password', 'basicAuth.password'),
    to('basic_auth.password_file', 'basicAuth.password', { becomes: inFile }),
    refused('basic_auth.{username_ref, password_ref}', FILES),
    to('authorization.type', 'authorization.type'),
    to('authorization.credentials', 'authorization.credentials'),
    to('authorization.credentials_file', 'authorization.credentials', { becomes: inFile }),
    refused('authorization.credentials_ref', FILES),
    to('bearer_token', 'authorization.credentials'),
    to('bearer_token_file', 'authorization.credentials', { becomes: inFile }),
    ...tls('tls_config', 'tls'),
    to('follow_redirects', 'followRedirects'),
    to('send_exemplars', 'sendExemplars'),
    to('protobuf_message', 'protocol', { becomes: (name) => (name === 'prometheus.WriteRequest' ? '1.0' : 'auto') }),
    to('queue_config.max_samples_per_send', 'maxSamplesPerSend'),
    to('queue_config.max_shards', 'maxParallelRequests'),
    to('queue_config.min_backoff', 'minBackoffMs', { becomes: ms }),
    to('queue_config.max_backoff', 'maxBackoffMs', { becomes: ms }),
    to('queue_config.sample_age_limit', 'sampleAgeLimitMs', { becomes: ms }),
    ignored('queue_config.capacity', /the ledger is the queue/, [10_000]),
    ignored('queue_config.min_shards', /as they are needed/, [1]),
    ignored('queue_config.batch_send_deadline', /sent at once/, ['5s']),
    ignored('queue_config.retry_on_http_429', /always retried/, [true]),
    refused('queue_config.max_retries', /use sample_age_limit/),
    to('write_relabel_configs[].source_labels', 'writeRelabelConfigs[].sourceLabels'),
    to('write_relabel_configs[].separator', 'writeRelabelConfigs[].separator'),
    to('write_relabel_configs[].regex', 'writeRelabelConfigs[].regex'),
    to('write_relabel_configs[].modulus', 'writeRelabelConfigs[].modulus'),
    to('write_relabel_configs[].target_label', 'writeRelabelConfigs[].targetLabel'),
    to('write_relabel_configs[].replacement', 'writeRelabelConfigs[].replacement'),
    to('write_relabel_configs[].action', 'writeRelabelConfigs[].action'),
    to('http_headers.*.{values, secrets}', 'secretHeaders.*', { becomes: (values) => (values as string[])[0] }),
    to('http_headers.*.files', 'secretHeaders.*', { becomes: (files) => inFile((files as string[])[0]) }),
    ...proxy('', ''),
    to('oauth2.client_id', 'oauth2.clientId'),
    to('oauth2.client_secret', 'oauth2.clientSecret'),
    to('oauth2.client_secret_file', 'oauth2.clientSecret', { becomes: inFile }),
    to('oauth2.token_url', 'oauth2.tokenUrl'),
    to('oauth2.scopes', 'oauth2.scopes'),
    to('oauth2.endpoint_params.*', 'oauth2.endpointParams.*'),
    to('oauth2.tls_config.ca_file', 'oauth2.tls.caFile'),
    ...proxy('oauth2.', 'oauth2.'),
    refused('oauth2.client_secret_ref', FILES),
    refused('oauth2.grant_type', JWT, { quiet: ['client_credentials'] }),
    refused(
      'oauth2.{client_certificate_key, client_certificate_key_id, client_certificate_key_file, signature_algorithm, iss, audience}',
      JWT,
    ),
    refused('oauth2.claims.*', JWT),
    to('sigv4.region', 'sigv4.region'),
    to('sigv4.access_key', 'sigv4.accessKey'),
    to('sigv4.secret_key', 'sigv4.secretKey'),
    to('sigv4.service_name', 'sigv4.service'),
    ignored('sigv4.use_fips_sts_endpoint', /no role is assumed/, [false]),
    refused('sigv4.{profile, role_arn, external_id}', ROLE),
    refused(
      'azuread.{cloud, scope, managed_identity.client_id, workload_identity.{client_id, tenant_id, token_file_path}, oauth.{client_id, client_secret, tenant_id}, sdk.tenant_id}',
      PROXY,
    ),
    refused('google_iam.credentials_file', PROXY),
    ...block(/overrides decides/, ['send_native_histograms']),
    ignored('enable_http2', /HTTP\/1\.1/, [false]),
    ignored('round_robin_dns', /connections are kept/, [false]),
    ...block(/no metadata to send/, ['metadata_config.{send, send_interval, max_samples_per_send}']),
  ]),
].flatMap((row) => braces(row.key).map((key) => ({ ...row, key })));
