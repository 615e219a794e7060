// One `remote_write` entry from what the schema returns: several spellings of one thing become one, secrets stay where they lie.

import { createHash } from 'node:crypto';
import type { z } from 'zod';
import { compact } from './compact.ts';
import type { ProxySettings, RemoteWriteEndpoint, SecretSource, TlsSettings } from './config.ts';
import type { remoteWrite } from './schema/remote-write.ts';

type Parsed = z.output<typeof remoteWrite>[number];

export function endpoint(parsed: Parsed): RemoteWriteEndpoint {
  return compact({
    url: parsed.url,
    name: parsed.name ?? `remote-write-${createHash('sha256').update(parsed.url).digest('hex').slice(0, 8)}`,
    remoteTimeoutMs: parsed.remoteTimeout,
    headers: parsed.headers,
    secretHeaders: secretHeaders(parsed.httpHeaders),
    basicAuth: parsed.basicAuth && {
      username: secret(parsed.basicAuth.username, parsed.basicAuth.usernameFile) ?? '',
      password: secret(parsed.basicAuth.password, parsed.basicAuth.passwordFile) ?? '',
    },
    authorization: authorization(parsed),
    oauth2: parsed.oauth2 && {
      ...compact({ tls: parsed.oauth2.tlsConfig && tlsSettings(parsed.oauth2.tlsConfig), proxy: proxy(parsed.oauth2) }),
      tokenUrl: parsed.oauth2.tokenUrl,
      clientId: parsed.oauth2.clientId,
      clientSecret: secret(parsed.oauth2.clientSecret, parsed.oauth2.clientSecretFile)!,
      scopes: parsed.oauth2.scopes,
      endpointParams: parsed.oauth2.endpointParams,
    },
    sigv4:
      parsed.sigv4 &&
      compact({
        region: parsed.sigv4.region === '' ? undefined : parsed.sigv4.region,
        service: parsed.sigv4.serviceName,
        accessKey: parsed.sigv4.accessKey,
        secretKey: parsed.sigv4.secretKey,
      }),
    tls: parsed.tlsConfig && tlsSettings(parsed.tlsConfig),
    proxy: proxy(parsed),
    followRedirects: parsed.followRedirects,
    sendExemplars: parsed.sendExemplars,
    protocol: parsed.protobufMessage === 'prometheus.WriteRequest' ? ('1.0' as const) : ('auto' as const),
    maxSamplesPerSend: parsed.queueConfig.maxSamplesPerSend,
    maxParallelRequests: parsed.queueConfig.maxShards,
    minBackoffMs: parsed.queueConfig.minBackoff,
    maxBackoffMs: parsed.queueConfig.maxBackoff,
    sampleAgeLimitMs: parsed.queueConfig.sampleAgeLimit,
    writeRelabelConfigs: parsed.writeRelabelConfigs,
  });
}

function secret(inline: string | undefined, file: string | undefined): SecretSource | undefined {
  return file === undefined ? inline : { file };
}

function authorization(parsed: Parsed): RemoteWriteEndpoint['authorization'] | undefined {
  const { type = 'Bearer', credentials, credentialsFile } = parsed.authorization ?? {};
  const held = secret(parsed.bearerToken ?? credentials, parsed.bearerTokenFile ?? credentialsFile);
  return held === undefined ? undefined : { type, credentials: held };
}

/** The schema holds each to one value. */
function secretHeaders(headers: Parsed['httpHeaders']): Record<string, SecretSource> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, { values, secrets, files }]) => {
      const [inline] = [...values, ...secrets];
      return [name, inline ?? { file: files[0]! }];
    }),
  );
}

type ProxyKeys = Pick<Parsed, 'proxyUrl' | 'noProxy' | 'proxyFromEnvironment' | 'proxyConnectHeader'>;

function proxy(keys: ProxyKeys): ProxySettings | 'env' | undefined {
  const { proxyUrl, noProxy, proxyFromEnvironment, proxyConnectHeader } = keys;
  if (proxyFromEnvironment) return 'env';
  if (proxyUrl === '') return undefined;
  const headers = Object.fromEntries(Object.entries(proxyConnectHeader).map(([name, [value]]) => [name, value!]));
  return compact({ url: proxyUrl, noProxy: noProxy === '' ? undefined : noProxy, headers });
}

function tlsSettings(tls: NonNullable<Parsed['tlsConfig']>): TlsSettings {
  const { ca, caFile, cert, certFile, key, keyFile, serverName, insecureSkipVerify, minVersion, maxVersion } = tls;
  return compact({ ca, caFile, cert, certFile, key, keyFile, serverName, insecureSkipVerify, minVersion, maxVersion });
}
