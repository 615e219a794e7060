// From one `remote_write` entry to what a writer of the package is made with. Secrets in files stay there where they are read for each
// request; what is read once (a user's name, a header) is read here.

import { readFileSync } from 'node:fs';
import type { ProxySettings, RemoteWriteEndpoint, SecretSource, TlsSettings, TlsVersion } from './config/index.ts';
import { type EndpointConnection, type EndpointPlan, httpWriter } from './shard/index.ts';

const TLS_VERSIONS = { TLS10: 'TLSv1', TLS11: 'TLSv1.1', TLS12: 'TLSv1.2', TLS13: 'TLSv1.3' } as const satisfies Record<
  TlsVersion,
  string
>;

/**
 * @param environment for the region of SigV4 where the file has none
 * @throws Error for a file that can't be read
 */
export function endpointPlan(endpoint: RemoteWriteEndpoint, environment = process.env): EndpointPlan {
  const { name, url, sendExemplars, sampleAgeLimitMs, maxSamplesPerSend, maxParallelRequests } = endpoint;
  const secretHeaders = Object.entries(endpoint.secretHeaders).map(([header, value]) => [header, readNow(value)]);
  return {
    name,
    url,
    headers: { ...endpoint.headers, ...Object.fromEntries(secretHeaders) },
    connection: connection(endpoint, environment),
    sendExemplars,
    sampleAgeLimitMs,
    maxSamplesPerSend,
    maxParallelRequests,
  };
}

/** What is wrong with an endpoint, as far as its options and files say; undefined if it can work. */
export async function endpointProblem(
  endpoint: RemoteWriteEndpoint,
  environment = process.env,
): Promise<string | undefined> {
  try {
    const plan = endpointPlan(endpoint, environment);
    await httpWriter(plan, plan.headers).close();
    return undefined;
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return `metrics_generator.storage.remote_write "${endpoint.name}": ${why}`;
  }
}

function connection(endpoint: RemoteWriteEndpoint, environment: NodeJS.ProcessEnv): EndpointConnection {
  const { basicAuth, authorization, oauth2, sigv4, tls, proxy, followRedirects, protocol } = endpoint;
  return {
    protocol,
    followRedirects,
    timeoutMs: endpoint.remoteTimeoutMs,
    minBackoffMs: endpoint.minBackoffMs,
    maxBackoffMs: endpoint.maxBackoffMs,
    sampleAgeLimitMs: endpoint.sampleAgeLimitMs,
    ...(basicAuth && { basicAuth: { username: readNow(basicAuth.username), password: basicAuth.password } }),
    ...(authorization && { authorization }),
    ...(oauth2 && { oauth2: tokenServer(oauth2) }),
    ...(sigv4 && {
      sigv4: { ...sigv4, region: sigv4.region ?? environment['AWS_REGION'] ?? environment['AWS_DEFAULT_REGION'] ?? '' },
    }),
    ...reached({ tls, proxy }),
  };
}

function tokenServer({
  tls,
  proxy,
  ...rest
}: NonNullable<RemoteWriteEndpoint['oauth2']>): NonNullable<EndpointConnection['oauth2']> {
  return { ...rest, ...reached({ tls, proxy }) };
}

function reached({ tls, proxy }: { tls?: TlsSettings | undefined; proxy?: ProxySettings | 'env' | undefined }) {
  return { ...(tls && { tls: tlsOptions(tls) }), ...(proxy && { proxy }) };
}

function tlsOptions({ minVersion, maxVersion, ...rest }: TlsSettings): NonNullable<EndpointConnection['tls']> {
  return {
    ...rest,
    minVersion: TLS_VERSIONS[minVersion],
    ...(maxVersion && { maxVersion: TLS_VERSIONS[maxVersion] }),
  };
}

function readNow(secret: SecretSource): string {
  return typeof secret === 'string' ? secret : readFileSync(secret.file, 'utf8').trim();
}
