// Corpora of requests with the proportions of a large installation's traffic, made from a seed: 17.9 spans a request, 22 resource
// attributes, 15 attributes each span, one trace in ten split over two requests. The same shape gives the same bytes on every
// machine. Apart from src/generate, whose shop has a fixed number of services: here the number of series is chosen.

import { ProtoWriter } from './proto-writer.ts';

export interface CorpusShape {
  spans: number;
  seed: number;
  services: number;
  /** Span names per service. */
  operations: number;
  /** True: calls follow a fixed graph. False: a call goes anywhere, so nearly every span has a ResourceSpans of its own. */
  followsCalls: boolean;
}

/** 50 services, 500 span names, 300 edges, about 1,900 span-metrics label sets. */
export const TYPICAL: CorpusShape = { spans: 100_000, seed: 1, services: 50, operations: 10, followsCalls: true };

const CALLEES = 6;
const START_MS = 1_767_225_600_000;
/** Between the starts of two traces. */
const TRACE_EVERY_MS = 2;

const INTERNAL = 1;
const SERVER = 2;
const CLIENT = 3;
const ERROR = 2;

interface Span {
  service: number;
  kind: number;
  name: string;
  id: Uint8Array;
  parent: Uint8Array | undefined;
  startNano: bigint;
  endNano: bigint;
  failed: boolean;
  attributes: [string, string | number][];
}

/** Each request as a uint32 length (little endian) and an ExportTraceServiceRequest. */
export function makeCorpus(shape: CorpusShape): Uint8Array {
  const random = seeded(shape.seed);
  const resources = Array.from({ length: shape.services }, (_, service) => resourceBytes(service));
  const chunks: Uint8Array[] = [];
  let made = 0;
  for (let t = 0; made < shape.spans; t++) {
    const traceId = idBytes(16, random);
    const spans = makeTrace(shape, random, START_MS + t * TRACE_EVERY_MS);
    made += spans.length;
    const cut = t % 10 === 9 ? spans.length >> 1 : spans.length;
    for (const part of [spans.slice(0, cut), spans.slice(cut)]) {
      if (part.length > 0) chunks.push(requestBytes(part, traceId, resources));
    }
  }
  return new Uint8Array(Buffer.concat(chunks));
}

type Random = (below: number) => number;

/** A 32-bit xorshift: enough for a load, the same on every machine. */
function seeded(seed: number): Random {
  let state = (seed ^ 0x9e3779b9) | 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

function idBytes(length: number, random: Random): Uint8Array {
  return Uint8Array.from({ length }, () => 1 + random(255));
}

function makeTrace(shape: CorpusShape, random: Random, startMs: number): Span[] {
  const size = 10 + random(20);
  const spans: Span[] = [];
  const add = (
    service: number,
    kind: number,
    operation: string,
    parent: Uint8Array | undefined,
    peer: number,
    failed: boolean,
  ): Uint8Array => {
    const id = idBytes(8, random);
    const startNano = BigInt(startMs) * 1_000_000n + BigInt(random(1_000_000));
    const endNano = startNano + BigInt(random(1_000_000_000) >>> random(10));
    spans.push({
      service,
      kind,
      name: operation,
      id,
      parent,
      startNano,
      endNano,
      failed,
      attributes: attributes(kind, operation, peer, random),
    });
    return id;
  };
  let service = random(shape.services);
  let operation = random(shape.operations);
  let parent = add(service, SERVER, spanName(service, operation), undefined, service, false);
  while (spans.length < size) {
    const what = random(100);
    if (what < 35) {
      const callee = shape.followsCalls ? (service * 7 + 1 + random(CALLEES)) % shape.services : random(shape.services);
      const called = random(shape.operations);
      const failed = called % 4 === 0 && random(100) < 12;
      const client = add(service, CLIENT, spanName(service, operation), parent, callee, failed);
      parent = add(callee, SERVER, spanName(callee, called), client, service, failed);
      service = callee;
      operation = called;
    } else if (what < 45) {
      add(service, CLIENT, spanName(service, operation), parent, -1, false);
    } else {
      const where = shape.followsCalls ? service : random(shape.services);
      add(where, INTERNAL, spanName(where, operation), parent, service, false);
    }
  }
  return spans;
}

function spanName(service: number, operation: number): string {
  return `GET /api/v1/${NOUNS[service % NOUNS.length]}-${service}/{id}/op-${operation}`;
}

const NOUNS = ['orders', 'carts', 'users', 'prices', 'stock', 'search', 'payments', 'shipments'];

/** Fifteen. `peer` < 0: a database call. */
function attributes(kind: number, operation: string, peer: number, random: Random): [string, string | number][] {
  const common: [string, string | number][] = [
    ['thread.id', random(200)],
    ['thread.name', `http-nio-8080-exec-${random(50)}`],
    ['code.function', 'handleRequest'],
    ['code.namespace', 'com.example.shop.controller.OrderController'],
    ['request.id', `req-${random(1_000_000_000)}-${random(1_000_000_000)}`],
    ['service.peer.zone', `eu-west-1${'abc'[random(3)]}`],
  ];
  if (peer < 0) {
    return [
      ['db.system', 'postgresql'],
      ['db.name', `shop-${random(4)}`],
      ['db.user', 'shop'],
      ['db.operation', 'SELECT'],
      ['db.sql.table', 'orders'],
      ['db.statement', 'SELECT id, customer, total, currency FROM orders WHERE customer = $1 AND state = $2 LIMIT 50'],
      ['server.address', 'postgres.shop.svc.cluster.local'],
      ['server.port', 5432],
      ['network.transport', 'tcp'],
      ...common,
    ];
  }
  const http: [string, string | number][] = [
    ['http.request.method', 'GET'],
    ['url.path', `${operation.slice(4)}/${random(100_000)}`],
    ['http.response.status_code', 200],
    ['server.address', `service-${peer}.shop.svc.cluster.local`],
    ['server.port', 8080],
    ['network.peer.address', `10.0.${random(255)}.${random(255)}`],
    ['user_agent.original', 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36'],
    ['client.address', `192.168.1.${random(255)}`],
    ...common,
  ];
  return [kind === CLIENT ? ['url.scheme', 'https'] : ['http.route', operation.slice(4)], ...http];
}

function resourceBytes(service: number): Uint8Array {
  const pairs: [string, string | number][] = [
    ['service.name', `service-${service}`],
    ['service.namespace', 'shop'],
    ['service.version', `1.2.${service}`],
    ['service.instance.id', `627cc493-f310-47de-96bd-7140${String(10_000_000 + service)}`],
    ['deployment.environment', 'production'],
    ['k8s.cluster.name', 'cluster-1'],
    ['k8s.namespace.name', `namespace-${service % 5}`],
    ['k8s.pod.name', `service-${service}-7d4b9c6f5d-x2k9p`],
    ['k8s.node.name', `node-${service % 7}`],
    ['host.name', `node-${service % 7}`],
    ['os.type', 'linux'],
    ['os.description', 'Debian GNU/Linux 12 (bookworm)'],
    ['process.pid', 1234 + service],
    ['process.runtime.name', 'OpenJDK Runtime Environment'],
    ['process.runtime.version', '17.0.9+9'],
    ['telemetry.sdk.name', 'opentelemetry'],
    ['telemetry.sdk.language', 'java'],
    ['telemetry.sdk.version', '1.40.0'],
    ['cloud.provider', 'aws'],
    ['cloud.region', 'eu-west-1'],
    ['cloud.availability_zone', `eu-west-1${'abc'[service % 3]}`],
    ['container.id', `0123456789abcdef0123456789abcdef${String(service).padStart(2, '0')}`],
  ];
  const writer = new ProtoWriter();
  for (const [key, value] of pairs) writer.message(1, () => writer.keyValue(key, value));
  return writer.take();
}

function requestBytes(spans: readonly Span[], traceId: Uint8Array, resources: readonly Uint8Array[]): Uint8Array {
  const byService = Map.groupBy(spans, (span) => span.service);
  const writer = new ProtoWriter();
  for (const [service, group] of byService) {
    writer.message(1, () => {
      writer.bytes(1, resources[service]!);
      writer.message(2, () => {
        writer.message(1, () => writer.text(1, 'io.opentelemetry.tomcat-10.0'));
        for (const span of group) writer.message(2, () => writeSpan(writer, span, traceId));
      });
    });
  }
  const body = writer.take();
  const framed = Buffer.alloc(4 + body.length);
  framed.writeUInt32LE(body.length);
  framed.set(body, 4);
  return framed;
}

function writeSpan(writer: ProtoWriter, span: Span, traceId: Uint8Array): void {
  writer.bytes(1, traceId);
  writer.bytes(2, span.id);
  if (span.parent) writer.bytes(4, span.parent);
  writer.text(5, span.name);
  writer.varint(6, span.kind);
  writer.fixed64(7, span.startNano);
  writer.fixed64(8, span.endNano);
  for (const [key, value] of span.attributes) writer.message(9, () => writer.keyValue(key, value));
  writer.message(15, () => {
    if (span.failed) writer.varint(3, ERROR);
  });
}
