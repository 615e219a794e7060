// The attributes that instrumentation gives to each sort of span, after the OpenTelemetry semantic conventions: HTTP, RPC, database
// and messaging spans. Each function describes one shape; none is called per span.
import type { Attributes } from './attributes.ts';
import {
  EXTENSIONS,
  errorType,
  fine,
  httpClientOutcomes,
  httpServerOutcomes,
  type Place,
  rpcClientOutcomes,
  rpcServerOutcomes,
  thrown,
} from './outcomes.ts';
import { CLIENT, CONSUMER, INTERNAL, PRODUCER, SERVER, type ShapeSpec, STATUS_ERROR, STATUS_UNSET } from './shapes.ts';
import type { EndpointSpec, ServiceSpec, Step, StoreSpec } from './spec.ts';

/** Instrumentation scopes; shapes name them by position. */
export const SCOPES: readonly (readonly [name: string, version: string])[] = [
  ['io.opentelemetry.http', '2.12.0'],
  ['io.opentelemetry.grpc', '2.12.0'],
  ['io.opentelemetry.db', '2.12.0-alpha'],
  ['io.opentelemetry.kafka', '2.12.0-alpha'],
  ['shop.manual', '1.0.0'],
];
const [HTTP, GRPC, DB, KAFKA, MANUAL] = [0, 1, 2, 3, 4] as const;

const host = (service: ServiceSpec) => `${service.name}.shop.svc.cluster.local`;
/** A route with its parameters filled in: digits that differ from span to span, or from trace to trace for orders. */
const fill = (route: string) => route.replace('{provider}', 'card').replace(/\{\w+\}/, '~~~~~~');

function code(place: Place, name: string): Attributes {
  const words = name.match(/[A-Za-z]+/g) ?? ['main'];
  const camel = words.map((word) => word[0]!.toUpperCase() + word.slice(1).toLowerCase()).join('');
  const { language } = place.service;
  return [
    ['code.function.name', `shop.${place.service.name.replace('-', '_')}.handlers.${camel}Handler.handle`],
    ['code.file.path', `/app/src/${place.service.name}/handlers/${camel}Handler.${EXTENSIONS[language]}`],
    ['thread.name', language === 'nodejs' ? 'main' : `worker-pool-${place.service.name}-exec-##`],
  ];
}

const threads = { key: 'thread.id', values: [1, 17, 23, 31, 38, 42, 57, 64, 71, 88, 93, 104] };
const sizes = (key: string) => ({ key, values: [212, 348, 560, 731, 904, 1180, 1544, 2096, 2890, 4411, 7350, 18022] });
const peerPorts = { key: 'network.peer.port', values: [33012, 38544, 41876, 44120, 47788, 50236, 54410, 58802] };
const BROWSERS = {
  key: 'user_agent.original',
  ofTrace: true,
  values: [
    'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36',
    'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/19.1 Safari/605.1.15',
    'Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0',
    'Mozilla/5.0 (iPhone; CPU iPhone OS 19_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148',
    'Mozilla/5.0 (Linux; Android 16; Pixel 10) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Mobile Safari/537.36',
    'ShopApp/9.4.1 (iOS 19.1; iPhone17,3)',
  ],
};

/** The span with which an endpoint answers; a job's is an INTERNAL root. */
export function endpointShape(place: Place, endpoint: EndpointSpec): ShapeSpec {
  const base = { service: place.index };
  const { method, route, protocol } = endpoint;
  if (protocol === 'http') {
    const isPublic = place.service.name === 'web-frontend';
    return {
      ...base,
      scope: HTTP,
      name: `${method} ${route}`,
      kind: SERVER,
      attributes: [
        ['http.request.method', method],
        ['http.route', route],
        ['url.path', fill(route)],
        ['url.scheme', isPublic ? 'https' : 'http'],
        ['server.address', isPublic ? 'www.shop.example' : host(place.service)],
        ['server.port', isPublic ? 443 : 8080],
        ['client.address', '10.42.~~.~~'],
        ['network.peer.address', '10.42.##.##'],
        ['network.protocol.version', isPublic ? '2' : '1.1'],
        ...(isPublic ? [] : ([['user_agent.original', 'shop-http-client/3.2 (keep-alive; gzip)']] as const)),
        ...code(place, route),
      ],
      choices: [peerPorts, threads, sizes('http.response.body.size'), ...(isPublic ? [BROWSERS] : [])],
      outcomes: httpServerOutcomes(place, method),
    };
  }
  if (protocol === 'grpc') {
    return {
      ...base,
      scope: GRPC,
      name: `shop.${method}/${route}`,
      kind: SERVER,
      attributes: [
        ...rpcAttributes(place.service, method, route),
        ['client.address', '10.42.##.##'],
        ['network.peer.address', '10.42.##.##'],
        ...code(place, `${method}/${route}`),
      ],
      choices: [peerPorts, threads],
      outcomes: rpcServerOutcomes(place),
    };
  }
  if (protocol === 'consumer') {
    return {
      ...base,
      scope: KAFKA,
      name: `process ${route}`,
      kind: CONSUMER,
      attributes: [
        ...messagingAttributes(place.service, route, 'process'),
        ['messaging.consumer.group.name', `${place.service.name}-workers`],
        ['messaging.kafka.message.key', 'order-~~~~~~'],
        ...code(place, route),
      ],
      choices: [partitions, threads, sizes('messaging.message.body.size')],
      outcomes: [
        { status: fine(place) },
        { status: STATUS_UNSET },
        {
          status: STATUS_ERROR,
          attributes: errorType('handler'),
          ...thrown(place, 'HandlerError', 'message not processed'),
        },
        { status: STATUS_ERROR, attributes: errorType('dependency'), message: 'a dependency failed' },
      ],
    };
  }
  return insideShape(place, route);
}

const rpcAttributes = (service: ServiceSpec, rpc: string, method: string): Attributes => [
  ['rpc.system', 'grpc'],
  ['rpc.service', `shop.${rpc}`],
  ['rpc.method', method],
  ['server.address', host(service)],
  ['server.port', 9090],
  ['network.type', 'ipv4'],
  ['network.transport', 'tcp'],
  ['network.protocol.name', 'http'],
];

const messagingAttributes = (service: ServiceSpec, topic: string, operation: string): Attributes => [
  ['messaging.system', 'kafka'],
  ['messaging.destination.name', topic],
  ['messaging.operation.name', operation],
  ['messaging.operation.type', operation],
  ['messaging.client.id', `${service.name}-kafka-client-##`],
  ['messaging.message.id', '********-****-****'],
  ['server.address', 'kafka-bootstrap.kafka.svc.cluster.local'],
  ['server.port', 9092],
];
const partitions = { key: 'messaging.destination.partition.id', values: ['0', '1', '2', '3', '4', '5'] };

/** The caller's span of a call to another service of the shop. */
export function callShape(place: Place, target: ServiceSpec, endpoint: EndpointSpec): ShapeSpec {
  const { method, route } = endpoint;
  if (endpoint.protocol === 'grpc') {
    return {
      service: place.index,
      scope: GRPC,
      name: `shop.${method}/${route}`,
      kind: CLIENT,
      attributes: [
        ...rpcAttributes(target, method, route),
        ['network.peer.address', '10.42.##.##'],
        ['network.peer.port', 9090],
        ...code(place, `${target.name} client`),
      ],
      choices: [threads],
      outcomes: rpcClientOutcomes(place),
    };
  }
  return {
    service: place.index,
    scope: HTTP,
    name: `${method} ${route}`,
    kind: CLIENT,
    attributes: [
      ['http.request.method', method],
      ['url.full', `http://${host(target)}:8080${fill(route)}`],
      ['url.template', route],
      ['server.address', host(target)],
      ['server.port', 8080],
      ['network.peer.address', '10.42.##.##'],
      ['network.peer.port', 8080],
      ['network.protocol.version', '1.1'],
      ['user_agent.original', 'shop-http-client/3.2 (keep-alive; gzip)'],
      ...code(place, `${target.name} client`),
    ],
    choices: [threads, sizes('http.response.body.size')],
    outcomes: httpClientOutcomes(place, method),
  };
}

/** A call that leaves the shop: nobody exports the other side. */
export function externalShape(place: Place, step: Extract<Step, { type: 'external' }>): ShapeSpec {
  return {
    service: place.index,
    scope: HTTP,
    name: `${step.method} ${step.path}`,
    kind: CLIENT,
    peer: step.peer,
    attributes: [
      ['http.request.method', step.method],
      ['url.full', `https://${step.host}${fill(step.path)}`],
      ['url.template', step.path],
      ['server.address', step.host],
      ['server.port', 443],
      ['network.peer.address', '203.0.113.##'],
      ['network.peer.port', 443],
      ['network.protocol.version', '2'],
      ['user_agent.original', 'shop-http-client/3.2 (keep-alive; gzip)'],
      ...(step.peer === '' ? [] : ([['peer.service', step.peer]] as const)),
      ...code(place, `${step.host} client`),
    ],
    choices: [threads, sizes('http.request.body.size')],
    outcomes: httpClientOutcomes(place, step.method),
  };
}

const RESULTS: Readonly<Record<string, string>> = {
  SELECT:
    'SELECT t.id, t.state, t.updated_at, t.payload FROM % t WHERE t.id = $1 AND t.deleted_at IS NULL ORDER BY t.updated_at DESC LIMIT 50',
  INSERT:
    'INSERT INTO % (id, state, payload, created_at, updated_at) VALUES ($1, $2, $3, now(), now()) RETURNING id, updated_at',
  UPDATE:
    'UPDATE % SET state = $2, payload = payload || $3, updated_at = now() WHERE id = $1 AND version = $4 RETURNING version',
};

/** A query: the span of the client alone tells the store's name (see `StoreSpec.named`). */
export function databaseShape(place: Place, store: StoreSpec, step: Extract<Step, { type: 'database' }>): ShapeSpec {
  const { operation, target } = step;
  const summary = target === '' ? operation : `${operation} ${target}`;
  const isSql = store.system === 'postgresql' || store.system === 'mysql';
  const address: Attributes =
    store.named === 'server'
      ? [
          ['server.address', store.host],
          ['server.port', store.port],
          ['network.peer.address', '10.42.##.##'],
          ['network.peer.port', store.port],
        ]
      : store.named === 'network'
        ? [
            ['network.peer.address', store.host],
            ['network.peer.port', store.port],
          ]
        : store.named === 'peer'
          ? [['peer.service', store.host]]
          : [];
  const name = {
    server: store.host,
    network: `${store.host}:${store.port}`,
    peer: store.host,
    namespace: store.namespace,
  };
  return {
    service: place.index,
    scope: DB,
    name: summary,
    kind: CLIENT,
    database: name[store.named],
    attributes: [
      [
        store.system === 'postgresql' || store.system === 'elasticsearch' ? 'db.system.name' : 'db.system',
        store.system,
      ],
      ['db.namespace', store.namespace],
      ['db.operation.name', operation],
      ...(target === '' ? [] : ([['db.collection.name', target]] as const)),
      ['db.query.summary', summary],
      [
        'db.query.text',
        isSql ? RESULTS[operation]!.replace('%', target) : `${summary} {"key":"shop:~~~~~~","options":{"timeout":250}}`,
      ],
      ...address,
      ['network.transport', 'tcp'],
      ['db.client.connection.pool.name', `${place.service.name}-${store.namespace}-pool`],
      ...code(place, `${target} repository`),
    ],
    choices: [threads, { key: 'db.response.returned_rows', values: [0, 1, 1, 1, 2, 3, 5, 8, 13, 24, 50] }],
    outcomes: [
      { status: STATUS_UNSET },
      { status: STATUS_UNSET },
      {
        status: STATUS_ERROR,
        attributes: errorType('40001'),
        ...thrown(place, 'QueryError', 'could not serialize access due to concurrent update'),
      },
    ],
  };
}

export function publishShape(place: Place, topic: string): ShapeSpec {
  return {
    service: place.index,
    scope: KAFKA,
    name: `send ${topic}`,
    kind: PRODUCER,
    attributes: [
      ...messagingAttributes(place.service, topic, 'send'),
      ['messaging.kafka.message.key', 'order-~~~~~~'],
      ...code(place, `${topic} publisher`),
    ],
    choices: [partitions, threads, sizes('messaging.message.body.size')],
    outcomes: [{ status: STATUS_UNSET }],
  };
}

/** Work inside a service, and the root of a job. */
export function insideShape(place: Place, name: string): ShapeSpec {
  return {
    service: place.index,
    scope: MANUAL,
    name,
    kind: INTERNAL,
    attributes: [
      ['app.user.id', 'user-~~~~~~~~'],
      ['app.session.id', '********************************'],
      ['app.currency', 'EUR'],
      ['app.experiment.variants', ['new-checkout', 'dark-header', 'fast-search']],
      ['app.sampling.ratio', { double: 0.25 }],
      ['app.is_returning_customer', true],
      ['app.region', 'eu-central'],
      ['app.request.deadline', '2500ms'],
      ...code(place, name),
    ],
    choices: [
      threads,
      { key: 'app.items', values: [1, 2, 3, 4, 6, 9, 14, 20] },
      { key: 'app.locale', ofTrace: true, values: ['de-DE', 'en-GB', 'fr-FR', 'nl-NL', 'pl-PL'] },
    ],
    outcomes: [
      { status: STATUS_UNSET },
      { status: STATUS_UNSET },
      { status: STATUS_ERROR, ...thrown(place, 'ProcessingError', 'processing stopped half-way') },
      { status: STATUS_ERROR, message: 'a dependency failed' },
    ],
  };
}
