// A Jaeger span as the OpenTelemetry collector understands it (opentelemetry-collector-contrib, translator/jaeger; OpenTelemetry to
// Jaeger Transformation): kind, status, scope and trace state are tags, the parent is a reference.

import { type JaegerProcess, type JaegerSpan, type JaegerTag, REF_TYPE } from './jaeger-model.ts';
import {
  type Attributes,
  type AttributeValue,
  type Event,
  isZero,
  type Link,
  SPAN_KIND,
  type Span,
  STATUS,
  sameId,
} from './model.ts';
import type { RequestBuilder } from './write-request.ts';

/** What the collector's exporter calls the service of a resource that has no attributes. */
const NO_SERVICE = 'OTLPResourceNoServiceName';

/** Adds the span to the request, unless there is nothing in it. */
export function addJaegerSpan(request: RequestBuilder, span: JaegerSpan): void {
  if (isBlank(span)) return;
  const scope = takeScope(span.tags);
  request.add(resourceOf(span.process), scope.name, scope.version, spanOf(span, scope.rest));
}

function isBlank(span: JaegerSpan): boolean {
  return (
    isZero(span.traceId) &&
    isZero(span.spanId) &&
    span.operationName === '' &&
    span.startUnixNano === 0n &&
    span.durationNano === 0n &&
    span.references.length + span.tags.length + span.logs.length === 0 &&
    span.process === undefined
  );
}

function resourceOf(process: JaegerProcess | undefined): Attributes {
  const attributes: Attributes = new Map();
  if (process === undefined || process.serviceName === NO_SERVICE) return attributes;
  if (process.serviceName !== '') attributes.set('service.name', process.serviceName);
  addTags(attributes, process.tags);
  const hostname = attributes.get('hostname');
  if (hostname !== undefined && !attributes.has('host.name')) {
    attributes.set('host.name', hostname);
    attributes.delete('hostname');
  }
  const client = attributes.get('jaeger.version');
  if (client !== undefined && !attributes.has('opencensus.exporterversion')) {
    attributes.set('opencensus.exporterversion', `Jaeger-${textOf(client)}`);
    attributes.delete('jaeger.version');
  }
  return attributes;
}

/** Of tags with the same key the last one counts. */
function addTags(attributes: Attributes, tags: readonly JaegerTag[]): void {
  for (const { key, value } of tags) attributes.set(key, value);
}

/**
 * `otel.scope.*`, or `otel.library.*` as exporters wrote them before 2023. A version alone is no scope and stays a tag.
 */
function takeScope(tags: readonly JaegerTag[]): { name: string; version: string; rest: readonly JaegerTag[] } {
  for (const prefix of ['otel.scope', 'otel.library']) {
    const nameAt = tags.findIndex(({ key }) => key === `${prefix}.name`);
    if (nameAt < 0) continue;
    const versionAt = tags.findIndex(({ key }) => key === `${prefix}.version`);
    return {
      name: textOf(tags[nameAt]!.value),
      version: versionAt < 0 ? '' : textOf(tags[versionAt]!.value),
      rest: tags.filter((_, i) => i !== nameAt && i !== versionAt),
    };
  }
  return { name: '', version: '', rest: tags };
}

function spanOf(span: JaegerSpan, tags: readonly JaegerTag[]): Span {
  const attributes: Attributes = new Map();
  addTags(attributes, tags);
  const kind = KINDS.get(textOf(take(attributes, 'span.kind'))) ?? SPAN_KIND.unspecified;
  const status = takeStatus(attributes, kind);
  const parent = parentOf(span);
  return {
    traceId: span.traceId,
    spanId: span.spanId,
    parentSpanId: parent,
    traceState: textOf(take(attributes, 'w3c.tracestate')),
    name: span.operationName,
    kind,
    // Bit 0 means sampled on both sides (model.proto, Span.flags; W3C Trace Context, trace-flags).
    flags: span.flags & 1,
    startUnixNano: BigInt.asUintN(64, span.startUnixNano),
    endUnixNano: BigInt.asUintN(64, span.startUnixNano + span.durationNano),
    attributes,
    events: span.logs.map(({ unixNano, fields }) => eventOf(unixNano, fields)),
    links: linksOf(span, parent),
    statusCode: status.code,
    statusMessage: status.message,
  };
}

const KINDS: ReadonlyMap<string, number> = new Map([
  ['internal', SPAN_KIND.internal],
  ['server', SPAN_KIND.server],
  ['client', SPAN_KIND.client],
  ['producer', SPAN_KIND.producer],
  ['consumer', SPAN_KIND.consumer],
]);

/** The first CHILD_OF of the same trace, or else its first FOLLOWS_FROM. */
function parentOf({ traceId, references }: JaegerSpan): Uint8Array | undefined {
  const own = references.filter((reference) => sameId(reference.traceId, traceId));
  const parent =
    own.find(({ refType }) => refType === REF_TYPE.childOf) ??
    own.find(({ refType }) => refType === REF_TYPE.followsFrom);
  return parent?.spanId;
}

/** Every reference but those that say CHILD_OF the parent: a parent that is followed is both. */
function linksOf({ references }: JaegerSpan, parent: Uint8Array | undefined): Link[] {
  return references
    .filter(({ refType, spanId }) => {
      return !(refType === REF_TYPE.childOf && (parent === undefined ? isZero(spanId) : sameId(spanId, parent)));
    })
    .map(({ traceId, spanId, refType }) => ({
      traceId,
      spanId,
      traceState: '',
      attributes: new Map([
        ['opentracing.ref_type', refType === REF_TYPE.childOf ? 'child_of' : 'follows_from'],
      ]) as Attributes,
      droppedAttributes: 0,
    }));
}

function eventOf(unixNano: bigint, fields: readonly JaegerTag[]): Event {
  const attributes: Attributes = new Map();
  addTags(attributes, fields);
  const name = textOf(take(attributes, 'event'));
  return { unixNano: BigInt.asUintN(64, unixNano), name, attributes, droppedAttributes: 0 };
}

interface Status {
  code: number;
  message: string;
}

/**
 * `error` = true decides; then `otel.status_code`; then the HTTP status code, which is an error from 400 on, in a server's span from
 * 500 on (HTTP semantic conventions, Status).
 */
function takeStatus(attributes: Attributes, kind: number): Status {
  const httpMessage = textOf(attributes.get('http.status_message'));
  if (attributes.get('error') === true) {
    attributes.delete('error');
    attributes.delete('otel.status_code');
    const hasDescription = attributes.has('otel.status_description');
    const description = textOf(take(attributes, 'otel.status_description'));
    return { code: STATUS.error, message: hasDescription ? description : httpMessage };
  }
  const said = take(attributes, 'otel.status_code');
  if (said !== undefined) {
    const code = STATUS_CODES.get(textOf(said).toUpperCase()) ?? STATUS.unset;
    return { code, message: textOf(take(attributes, 'otel.status_description')) };
  }
  return isHttpError(attributes.get('http.status_code') ?? attributes.get('http.response.status_code'), kind)
    ? { code: STATUS.error, message: httpMessage }
    : { code: STATUS.unset, message: '' };
}

const STATUS_CODES: ReadonlyMap<string, number> = new Map([
  ['OK', STATUS.ok],
  ['ERROR', STATUS.error],
]);

function isHttpError(value: AttributeValue | undefined, kind: number): boolean {
  const code =
    typeof value === 'bigint'
      ? Number(value)
      : typeof value === 'string' && /^[+-]?\d+$/.test(value)
        ? Number(value)
        : 200;
  if (code >= 400 && code < 500 && kind === SPAN_KIND.server) return false;
  // Nobody sends 399; the collector takes it for an error.
  return code < 100 || code >= 399;
}

function take(attributes: Attributes, key: string): AttributeValue | undefined {
  const value = attributes.get(key);
  attributes.delete(key);
  return value;
}

/** A value of another type counts as an empty text. */
function textOf(value: AttributeValue | undefined): string {
  return typeof value === 'string' ? value : '';
}
