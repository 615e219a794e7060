// The messages of an OTLP trace request as the transcoder needs them (opentelemetry-proto: collector/trace/v1, trace/v1,
// resource/v1, common/v1): field numbers, JSON names, and how JSON carries each kind. Data only.

/** How a field looks in JSON and on the wire. `id` is hex in OTLP/JSON, `bytes` is base64 (OTLP specification, JSON Protobuf Encoding). */
export type Kind =
  | 'string'
  | 'id'
  | 'bytes'
  | 'bool'
  | 'double'
  | 'enum'
  | 'uint32'
  | 'int64'
  | 'fixed32'
  | 'fixed64'
  | 'message'
  | 'anyValue';

export interface Field {
  /** lowerCamelCase name. */
  readonly name: string;
  readonly kind: Kind;
  /** Field number and wire type, as written on the wire. */
  readonly tag: number;
  readonly repeated: boolean;
  /** Written even when empty by the collector's encoder. */
  readonly always: boolean;
  readonly message: Message | undefined;
  readonly names: Readonly<Record<string, number>> | undefined;
}

export interface Message {
  /** In the order of the .proto files, which is not always that of the numbers. */
  readonly fields: Field[];
  /** Indexes in `fields`, ascending by field number. */
  readonly ascending: number[];
  /** Index in `fields` by lowerCamelCase name and by the original name in the .proto file. */
  readonly slotOf: Map<string, number>;
}

const WIRE: Record<Kind, 0 | 1 | 2 | 5> = {
  string: 2,
  id: 2,
  bytes: 2,
  bool: 0,
  double: 1,
  enum: 0,
  uint32: 0,
  int64: 0,
  fixed32: 5,
  fixed64: 1,
  message: 2,
  anyValue: 2,
};

interface FieldOptions {
  repeated?: boolean;
  always?: boolean;
  message?: Message;
  names?: Record<string, number>;
}

type FieldRow = readonly [number: number, original: string, kind: Kind, options?: FieldOptions];

function message(rows: readonly FieldRow[]): Message {
  const fields: Field[] = [];
  const slotOf = new Map<string, number>();
  for (const [number, original, kind, options = {}] of rows) {
    const name = original.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
    slotOf.set(original, fields.length);
    slotOf.set(name, fields.length);
    fields.push({
      name,
      kind,
      tag: number * 8 + WIRE[kind],
      repeated: options.repeated ?? false,
      always: options.always ?? false,
      message: options.message,
      names: options.names,
    });
  }
  const ascending = fields.map((_, slot) => slot).sort((a, b) => fields[a]!.tag - fields[b]!.tag);
  return { fields, ascending, slotOf };
}

const repeated = (of: Message): FieldOptions => ({ repeated: true, message: of });

const KEY_VALUE = message([
  [1, 'key', 'string'],
  [2, 'value', 'anyValue', { always: true }],
]);
const ARRAY_VALUE = message([[1, 'values', 'anyValue', { repeated: true }]]);
const KEY_VALUE_LIST = message([[1, 'values', 'message', repeated(KEY_VALUE)]]);

/** A oneof: at most one member, and a member that is there is written even if it is zero. */
export const ANY_VALUE = message([
  [1, 'string_value', 'string'],
  [2, 'bool_value', 'bool'],
  [3, 'int_value', 'int64'],
  [4, 'double_value', 'double'],
  [5, 'array_value', 'message', { message: ARRAY_VALUE }],
  [6, 'kvlist_value', 'message', { message: KEY_VALUE_LIST }],
  [7, 'bytes_value', 'bytes'],
]);

const ENTITY_REF = message([
  [1, 'schema_url', 'string'],
  [2, 'type', 'string'],
  [3, 'id_keys', 'string', { repeated: true }],
  [4, 'description_keys', 'string', { repeated: true }],
]);
const RESOURCE = message([
  [1, 'attributes', 'message', repeated(KEY_VALUE)],
  [2, 'dropped_attributes_count', 'uint32'],
  [3, 'entity_refs', 'message', repeated(ENTITY_REF)],
]);
const SCOPE = message([
  [1, 'name', 'string'],
  [2, 'version', 'string'],
  [3, 'attributes', 'message', repeated(KEY_VALUE)],
  [4, 'dropped_attributes_count', 'uint32'],
]);
const EVENT = message([
  [1, 'time_unix_nano', 'fixed64'],
  [2, 'name', 'string'],
  [3, 'attributes', 'message', repeated(KEY_VALUE)],
  [4, 'dropped_attributes_count', 'uint32'],
]);
const LINK = message([
  [1, 'trace_id', 'id', { always: true }],
  [2, 'span_id', 'id', { always: true }],
  [3, 'trace_state', 'string'],
  [4, 'attributes', 'message', repeated(KEY_VALUE)],
  [5, 'dropped_attributes_count', 'uint32'],
  [6, 'flags', 'fixed32'],
]);
const STATUS = message([
  [2, 'message', 'string'],
  [
    3,
    'code',
    'enum',
    {
      names: { STATUS_CODE_UNSET: 0, STATUS_CODE_OK: 1, STATUS_CODE_ERROR: 2 },
    },
  ],
]);
const SPAN_KINDS = {
  SPAN_KIND_UNSPECIFIED: 0,
  SPAN_KIND_INTERNAL: 1,
  SPAN_KIND_SERVER: 2,
  SPAN_KIND_CLIENT: 3,
  SPAN_KIND_PRODUCER: 4,
  SPAN_KIND_CONSUMER: 5,
};
const SPAN = message([
  [1, 'trace_id', 'id', { always: true }],
  [2, 'span_id', 'id', { always: true }],
  [3, 'trace_state', 'string'],
  [4, 'parent_span_id', 'id', { always: true }],
  [16, 'flags', 'fixed32'],
  [5, 'name', 'string'],
  [6, 'kind', 'enum', { names: SPAN_KINDS }],
  [7, 'start_time_unix_nano', 'fixed64'],
  [8, 'end_time_unix_nano', 'fixed64'],
  [9, 'attributes', 'message', repeated(KEY_VALUE)],
  [10, 'dropped_attributes_count', 'uint32'],
  [11, 'events', 'message', repeated(EVENT)],
  [12, 'dropped_events_count', 'uint32'],
  [13, 'links', 'message', repeated(LINK)],
  [14, 'dropped_links_count', 'uint32'],
  [15, 'status', 'message', { always: true, message: STATUS }],
]);
const SCOPE_SPANS = message([
  [1, 'scope', 'message', { always: true, message: SCOPE }],
  [2, 'spans', 'message', repeated(SPAN)],
  [3, 'schema_url', 'string'],
]);
const RESOURCE_SPANS = message([
  [1, 'resource', 'message', { always: true, message: RESOURCE }],
  [2, 'scope_spans', 'message', repeated(SCOPE_SPANS)],
  [3, 'schema_url', 'string'],
]);
export const REQUEST = message([[1, 'resource_spans', 'message', repeated(RESOURCE_SPANS)]]);
