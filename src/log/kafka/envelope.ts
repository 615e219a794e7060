// The envelope of a record: whose it is and how its value is encoded. Never reads the spans themselves.

import type { Encoding } from '../port.ts';
import { at, varint } from './bytes.ts';
import type { SkipReason } from './options.ts';
import type { RecordView } from './record-batch.ts';

/** Who has no other name: Tempo's and Cortex's name for the tenant of an installation without tenants. */
export const SINGLE_TENANT = 'single-tenant';
const TENANT_HEADER = 'x-scope-orgid';
const TENANT_HEADER_BYTES = TENANT_HEADER.length;
/** First tags: OTLP's resource_spans is field 1; of push-bytes, field 2 holds the traces, 3 the ids and 5 the skip flag. */
const OTLP_TAG = 0x0a;
const PUSH_BYTES_TAGS = [0x12, 0x1a, 0x28] as const;
const MAX_CACHED = 10_000;

/**
 * Turns a value of another encoding into one that shards read, and gives back the very bytes that it was given where nothing is to be done.
 * @throws Error for a value that isn't of that encoding
 */
export type Transcode = (encoding: string, bytes: Uint8Array) => { encoding: Encoding; bytes: Uint8Array };

export interface Envelope {
  tenant: string;
  encoding: Encoding;
  bytes: Uint8Array;
  start: number;
  end: number;
  /** The bytes aren't those of the topic: they were made from them. */
  isTranscoded: boolean;
}

export interface EnvelopeOptions {
  encoding: string;
  transcode?: Transcode;
  isTenantId(tenant: string): boolean;
  /** Whatever key and headers say, all records are of the one tenant. */
  isSingleTenant?: boolean;
}

export interface EnvelopeReader {
  /** The envelope, good until the next call, or why the record is for nobody. */
  open(record: RecordView): Envelope | SkipReason;
}

/** `push-bytes` or `otlp` by a value's first tag; undefined = neither. An empty value is an OTLP request without spans. */
export function encodingOf(bytes: Uint8Array, start: number, end: number): Encoding | undefined {
  if (start === end) return 'otlp';
  const tag = bytes[start]!;
  if (tag === OTLP_TAG) return 'otlp';
  return (PUSH_BYTES_TAGS as readonly number[]).includes(tag) ? 'push-bytes' : undefined;
}

export function createEnvelopeReader(options: EnvelopeOptions): EnvelopeReader {
  const { transcode } = options;
  const tenants = new TenantNames(options.isTenantId);
  const envelope: Envelope = {
    tenant: '',
    encoding: 'otlp',
    bytes: new Uint8Array(0),
    start: 0,
    end: 0,
    isTranscoded: false,
  };

  const open = (record: RecordView): Envelope | SkipReason => {
    if (record.valueStart < 0) return 'tombstone';
    envelope.bytes = record.bytes;
    envelope.start = record.valueStart;
    envelope.end = record.valueEnd;
    envelope.isTranscoded = false;
    let known: Encoding | undefined =
      options.encoding === 'otlp' || options.encoding === 'push-bytes' ? options.encoding : undefined;
    if (options.encoding === 'auto' && transcode === undefined)
      known = encodingOf(record.bytes, record.valueStart, record.valueEnd);
    if (known === undefined && transcode !== undefined) {
      try {
        const value = record.bytes.subarray(record.valueStart, record.valueEnd);
        const made = transcode(options.encoding, value);
        envelope.bytes = made.bytes;
        envelope.start = 0;
        envelope.end = made.bytes.length;
        envelope.isTranscoded = made.bytes !== value;
        known = made.encoding;
      } catch {
        return 'undecodable';
      }
    }
    if (known === undefined) return 'undecodable';
    envelope.encoding = known;
    const tenant = options.isSingleTenant ? SINGLE_TENANT : tenants.of(record, known === 'push-bytes');
    if (tenant === undefined) return 'invalid_tenant';
    envelope.tenant = tenant;
    return envelope;
  };
  return { open };
}

/** Names by their bytes: neighbours mostly share their tenant, and text is decoded and checked once. */
class TenantNames {
  private readonly isTenantId: (tenant: string) => boolean;
  private readonly known = new Map<string, string | undefined>();
  private lastBytes = Buffer.alloc(0);
  private lastName: string | undefined;

  constructor(isTenantId: (tenant: string) => boolean) {
    this.isTenantId = isTenantId;
  }

  of(record: RecordView, isByKey: boolean): string | undefined {
    if (isByKey && record.keyEnd > record.keyStart) return this.name(record.bytes, record.keyStart, record.keyEnd);
    return record.headerCount > 0 ? this.ofHeaders(record) : SINGLE_TENANT;
  }

  private ofHeaders({ bytes, headersStart, headersEnd, headerCount }: RecordView): string | undefined {
    let position = headersStart;
    for (let i = 0; i < headerCount; i++) {
      const keyBytes = varint(bytes, position, headersEnd);
      const keyStart = at;
      if (keyBytes < 0) throw new RangeError('a header has no name');
      const valueBytes = varint(bytes, keyStart + keyBytes, headersEnd);
      const valueStart = at;
      if (valueBytes >= 0 && keyBytes === TENANT_HEADER_BYTES) {
        const key = Buffer.from(bytes.buffer, bytes.byteOffset + keyStart, keyBytes).toString('latin1');
        if (key.toLowerCase() === TENANT_HEADER) return this.name(bytes, valueStart, valueStart + valueBytes);
      }
      position = valueStart + Math.max(0, valueBytes);
    }
    return SINGLE_TENANT;
  }

  private name(bytes: Uint8Array, start: number, end: number): string | undefined {
    const raw = Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start);
    if (raw.equals(this.lastBytes)) return this.lastName;
    const key = raw.toString('latin1');
    let name = this.known.get(key);
    if (name === undefined && !this.known.has(key)) {
      const text = raw.toString('utf8');
      name = this.isTenantId(text) ? text : undefined;
      // Keys of a topic that isn't ours could be anything: forgetting costs time only.
      if (this.known.size >= MAX_CACHED) this.known.clear();
      this.known.set(key, name);
    }
    this.lastBytes = Buffer.from(raw);
    this.lastName = name;
    return name;
  }
}
