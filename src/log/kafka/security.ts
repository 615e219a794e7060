// TLS and SASL of the options, in the words of Node and kafkajs. Nothing here reads a file.

import type { ConnectionOptions } from 'node:tls';
import type { SASLOptions } from 'kafkajs';
import type { KafkaSasl, KafkaTls } from './options.ts';

/** Options of tls.connect; undefined = no TLS. */
export function tlsOptions(tls: KafkaTls | undefined): ConnectionOptions | undefined {
  if (tls === undefined) return undefined;
  return {
    ...(tls.ca === undefined ? {} : { ca: tls.ca }),
    ...(tls.cert === undefined ? {} : { cert: tls.cert }),
    ...(tls.key === undefined ? {} : { key: tls.key }),
    ...(tls.passphrase === undefined ? {} : { passphrase: tls.passphrase }),
    ...(tls.serverName === undefined ? {} : { servername: tls.serverName }),
    rejectUnauthorized: tls.insecureSkipVerify !== true,
  };
}

export function saslOptions(sasl: KafkaSasl | undefined): SASLOptions | undefined {
  if (sasl === undefined) return undefined;
  const { mechanism, username, password } = sasl;
  return { mechanism, username, password } as SASLOptions;
}
