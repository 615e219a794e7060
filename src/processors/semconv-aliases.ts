// Names that an attribute has had in the OpenTelemetry semantic conventions, as data: what `semconv.aliases: on` lets a key match.
// Only names that mean the same on every kind of span are here: `net.peer.name`, which became `server.address` on clients and
// `client.address` on servers, is none, nor are names that were split.
//
// Source: OpenTelemetry semantic conventions, attribute registry ("Deprecated … Attributes", "Replaced by") and the migration guides
// for HTTP, database, messaging and RPC.

export interface SemconvName {
  /** A name from before. */
  key: string;
  /** Its values that are spelt otherwise now; all others are the same. */
  values?: Readonly<Record<string, string>>;
}

/** By today's name, the names before it, the most common first. */
export const SEMCONV_ALIASES: Readonly<Record<string, readonly SemconvName[]>> = {
  'http.request.method': [{ key: 'http.method' }],
  'http.response.status_code': [{ key: 'http.status_code' }],
  'url.full': [{ key: 'http.url' }],
  'url.scheme': [{ key: 'http.scheme' }],
  'user_agent.original': [{ key: 'http.user_agent' }],
  'network.protocol.name': [{ key: 'net.protocol.name' }],
  'network.protocol.version': [
    { key: 'net.protocol.version' },
    { key: 'http.flavor', values: { '2.0': '2', '3.0': '3' } },
  ],
  'network.transport': [{ key: 'net.transport', values: { ip_tcp: 'tcp', ip_udp: 'udp' } }],
  'network.peer.address': [{ key: 'net.sock.peer.addr' }, { key: 'net.peer.ip' }],
  'network.peer.port': [{ key: 'net.sock.peer.port' }],
  'service.peer.name': [{ key: 'peer.service' }],
  'db.system.name': [
    {
      key: 'db.system',
      values: {
        adabas: 'softwareag.adabas',
        cosmosdb: 'azure.cosmosdb',
        db2: 'ibm.db2',
        dynamodb: 'aws.dynamodb',
        firebird: 'firebirdsql',
        h2: 'h2database',
        hanadb: 'sap.hana',
        informix: 'ibm.informix',
        ingres: 'actian.ingres',
        intersystems_cache: 'intersystems.cache',
        maxdb: 'sap.maxdb',
        mssql: 'microsoft.sql_server',
        netezza: 'ibm.netezza',
        oracle: 'oracle.db',
        redshift: 'aws.redshift',
        spanner: 'gcp.spanner',
      },
    },
  ],
  'db.namespace': [{ key: 'db.name' }],
  'db.operation.name': [{ key: 'db.operation' }],
  'db.collection.name': [
    { key: 'db.sql.table' },
    { key: 'db.mongodb.collection' },
    { key: 'db.cassandra.table' },
    { key: 'db.cosmosdb.container' },
  ],
  'db.query.text': [{ key: 'db.statement' }],
  'messaging.destination.name': [{ key: 'messaging.destination' }],
  'messaging.operation.type': [{ key: 'messaging.operation', values: { publish: 'send', deliver: 'process' } }],
  'messaging.consumer.group.name': [{ key: 'messaging.kafka.consumer.group' }, { key: 'messaging.consumer.group' }],
  'messaging.client.id': [{ key: 'messaging.client_id' }],
  'rpc.system.name': [{ key: 'rpc.system', values: { apache_dubbo: 'dubbo', connect_rpc: 'connectrpc' } }],
  'rpc.response.status_code': [
    {
      key: 'rpc.grpc.status_code',
      values: {
        0: 'OK',
        1: 'CANCELLED',
        2: 'UNKNOWN',
        3: 'INVALID_ARGUMENT',
        4: 'DEADLINE_EXCEEDED',
        5: 'NOT_FOUND',
        6: 'ALREADY_EXISTS',
        7: 'PERMISSION_DENIED',
        8: 'RESOURCE_EXHAUSTED',
        9: 'FAILED_PRECONDITION',
        10: 'ABORTED',
        11: 'OUT_OF_RANGE',
        12: 'UNIMPLEMENTED',
        13: 'INTERNAL',
        14: 'UNAVAILABLE',
        15: 'DATA_LOSS',
        16: 'UNAUTHENTICATED',
      },
    },
  ],
  'deployment.environment.name': [{ key: 'deployment.environment' }],
};

export interface KeyAlias {
  key: string;
  /** A value as it stands under the alias → as it is spelt under the key that was asked for; absent ones are the same. */
  values: ReadonlyMap<string, string>;
}

/** Other names of `key`, in the order in which they are looked at: today's first, then those from before. */
export function aliasesOf(key: string): readonly KeyAlias[] {
  for (const [today, before] of Object.entries(SEMCONV_ALIASES)) {
    const names: readonly SemconvName[] = [{ key: today }, ...before];
    const asked = names.find((name) => name.key === key);
    if (asked === undefined) continue;
    return names.filter((name) => name !== asked).map((name) => ({ key: name.key, values: translation(name, asked) }));
  }
  return [];
}

/** The keys, and all other names of each. */
export function withAliases(keys: readonly string[]): string[] {
  return keys.flatMap((key) => [key, ...aliasesOf(key).map((alias) => alias.key)]);
}

/** By way of today's spelling. Where one of today's values had several spellings before, the first stands for it. */
function translation(from: SemconvName, to: SemconvName): ReadonlyMap<string, string> {
  const back = new Map<string, string>();
  for (const [old, now] of Object.entries(to.values ?? {})) if (!back.has(now)) back.set(now, old);
  const values = new Map<string, string>();
  for (const [old, now] of Object.entries(from.values ?? {})) values.set(old, back.get(now) ?? now);
  for (const [now, old] of back) if (!values.has(now)) values.set(now, old);
  return values;
}
