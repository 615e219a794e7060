// The messages of an OTLP trace request as the walk needs them (opentelemetry-proto: collector/trace/v1, trace/v1,
// resource/v1, common/v1): for each message, what a tag is to be read as. Data only.

/** What to do with a field. From `CHILD` on: a nested message, `CHILD` plus its number in `MESSAGES`. */
export const UNKNOWN = 0;
export const WRONG = 1;
export const VARINT = 2;
export const FIXED64 = 3;
export const FIXED32 = 4;
export const BYTES = 5;
export const CHILD = 16;

type Row = readonly [number: number, name: string, kind: 'varint' | 'fixed64' | 'fixed32' | 'bytes' | number];

const SCOPE_SPANS = 2;
export const SPAN = 3;
export const KEY_VALUE = 4;
export const ANY_VALUE = 5;

interface Message {
  readonly name: string;
  readonly rows: readonly Row[];
}

const DROPPED = 'dropped_attributes_count';

/** By number. A row's last column is a wire format or the number of the nested message. */
const MESSAGES: readonly Message[] = [
  { name: 'ExportTraceServiceRequest', rows: [[1, 'resource_spans', 1]] },
  {
    name: 'ResourceSpans',
    rows: [
      [1, 'resource', 6],
      [2, 'scope_spans', SCOPE_SPANS],
      [3, 'schema_url', 'bytes'],
    ],
  },
  {
    name: 'ScopeSpans',
    rows: [
      [1, 'scope', 7],
      [2, 'spans', SPAN],
      [3, 'schema_url', 'bytes'],
    ],
  },
  {
    name: 'Span',
    rows: [
      [1, 'trace_id', 'bytes'],
      [2, 'span_id', 'bytes'],
      [3, 'trace_state', 'bytes'],
      [4, 'parent_span_id', 'bytes'],
      [5, 'name', 'bytes'],
      [6, 'kind', 'varint'],
      [7, 'start_time_unix_nano', 'fixed64'],
      [8, 'end_time_unix_nano', 'fixed64'],
      [9, 'attributes', KEY_VALUE],
      [10, DROPPED, 'varint'],
      [11, 'events', 8],
      [12, 'dropped_events_count', 'varint'],
      [13, 'links', 9],
      [14, 'dropped_links_count', 'varint'],
      [15, 'status', 10],
      [16, 'flags', 'fixed32'],
    ],
  },
  // key_strindex and string_value_strindex belong to profiles; receivers of other signals take them for absent.
  {
    name: 'KeyValue',
    rows: [
      [1, 'key', 'bytes'],
      [2, 'value', ANY_VALUE],
      [3, 'key_strindex', 'varint'],
    ],
  },
  {
    name: 'AnyValue',
    rows: [
      [1, 'string_value', 'bytes'],
      [2, 'bool_value', 'varint'],
      [3, 'int_value', 'varint'],
      [4, 'double_value', 'fixed64'],
      [5, 'array_value', 11],
      [6, 'kvlist_value', 12],
      [7, 'bytes_value', 'bytes'],
      [8, 'string_value_strindex', 'varint'],
    ],
  },
  {
    name: 'Resource',
    rows: [
      [1, 'attributes', KEY_VALUE],
      [2, DROPPED, 'varint'],
      [3, 'entity_refs', 13],
    ],
  },
  {
    name: 'InstrumentationScope',
    rows: [
      [1, 'name', 'bytes'],
      [2, 'version', 'bytes'],
      [3, 'attributes', KEY_VALUE],
      [4, DROPPED, 'varint'],
    ],
  },
  {
    name: 'Span.Event',
    rows: [
      [1, 'time_unix_nano', 'fixed64'],
      [2, 'name', 'bytes'],
      [3, 'attributes', KEY_VALUE],
      [4, DROPPED, 'varint'],
    ],
  },
  {
    name: 'Span.Link',
    rows: [
      [1, 'trace_id', 'bytes'],
      [2, 'span_id', 'bytes'],
      [3, 'trace_state', 'bytes'],
      [4, 'attributes', KEY_VALUE],
      [5, DROPPED, 'varint'],
      [6, 'flags', 'fixed32'],
    ],
  },
  // Field 1 is reserved: what old senders put there is skipped, whatever it is.
  {
    name: 'Status',
    rows: [
      [2, 'message', 'bytes'],
      [3, 'code', 'varint'],
    ],
  },
  { name: 'ArrayValue', rows: [[1, 'values', ANY_VALUE]] },
  { name: 'KeyValueList', rows: [[1, 'values', KEY_VALUE]] },
  {
    name: 'EntityRef',
    rows: [
      [1, 'schema_url', 'bytes'],
      [2, 'type', 'bytes'],
      [3, 'id_keys', 'bytes'],
      [4, 'description_keys', 'bytes'],
    ],
  },
];

/** Tags up to field 16, the highest that any of the messages knows. */
export const TAGS = 17 * 8;

const WIRE = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const;
const ACTION = { varint: VARINT, fixed64: FIXED64, bytes: BYTES, fixed32: FIXED32 } as const;

/** What to do with the field of tag `t` of message `m`: `ACTIONS[m * TAGS + t]`. A known number in an unknown form is WRONG. */
export const ACTIONS = new Uint8Array(MESSAGES.length * TAGS);
MESSAGES.forEach(({ rows }, m) => {
  for (const [number, , kind] of rows) {
    const first = m * TAGS + number * 8;
    ACTIONS.fill(WRONG, first, first + 8);
    if (typeof kind === 'number') ACTIONS[first + 2] = CHILD + kind;
    else ACTIONS[first + WIRE[kind]] = ACTION[kind];
  }
});

/** A field's name for an error, like `Span.name`; by its number where it is unknown. */
export function fieldName(message: number, number: number): string {
  const { name, rows } = MESSAGES[message]!;
  if (number === 0) return name;
  return `${name}.${rows.find((row) => row[0] === number)?.[1] ?? number}`;
}
