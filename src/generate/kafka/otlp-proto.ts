// OTLP protobuf as the OpenTelemetry collector writes it: in every message the fields descend, so that spans stand before the resource
// and the scope they belong to, and parent id and status are there even where they are empty.
import { ProtoWriter } from '../proto-writer.ts';
import { type ResourceSpans, readFields } from './read-request.ts';

/** The fields that are messages, by their tags, and those that are written though they are absent. */
interface Layout {
  messages: ReadonlyMap<number, Layout>;
  always: readonly number[];
}

const layout = (messages: [number, Layout][], always: readonly number[] = []): Layout => ({
  messages: new Map(messages),
  always,
});
const LEAF = layout([]);
// Arrays hold texts only.
const ANY_VALUE = layout([[0x2a, layout([[0x0a, LEAF]])]]);
const KEY_VALUE = layout([[0x12, ANY_VALUE]]);
const SPAN = layout(
  [
    [0x4a, KEY_VALUE],
    [0x5a, layout([[0x1a, KEY_VALUE]])],
    [0x6a, LEAF],
    [0x7a, LEAF],
  ],
  [0x22, 0x7a],
);
const RESOURCE = layout([[0x0a, KEY_VALUE]]);

const EMPTY = new Uint8Array(0);
const writer = new ProtoWriter(256 * 1024);

/** An ExportTraceServiceRequest. */
export function otlpProto(resources: readonly ResourceSpans[]): Uint8Array {
  writer.reset();
  for (const { resource, schemaUrl, scopes } of resources) {
    const resourceAt = writer.open(0x0a);
    writer.field(0x1a, schemaUrl);
    for (const { scope, spans } of scopes) {
      const scopeAt = writer.open(0x12);
      for (const { body } of spans) writeMessage(0x12, body, SPAN);
      writeMessage(0x0a, scope, LEAF);
      writer.close(scopeAt);
    }
    writeMessage(0x0a, resource, RESOURCE);
    writer.close(resourceAt);
  }
  return writer.copy();
}

function writeMessage(tag: number, body: Uint8Array, { messages, always }: Layout): void {
  const fields = readFields(body);
  for (const wanted of always) {
    if (fields.every((field) => field.tag !== wanted)) fields.push({ tag: wanted, varint: 0, body: EMPTY });
  }
  // Elements of a repeated field keep their order: sorting is stable.
  fields.sort((a, b) => (b.tag >> 3) - (a.tag >> 3));
  const at = writer.open(tag);
  for (const field of fields) {
    const inner = messages.get(field.tag);
    if (inner !== undefined) writeMessage(field.tag, field.body, inner);
    else {
      writer.varint(field.tag);
      const type = field.tag & 7;
      if (type === 0) writer.varint(field.varint);
      else {
        if (type === 2) writer.varint(field.body.length);
        writer.raw(field.body);
      }
    }
  }
  writer.close(at);
}
