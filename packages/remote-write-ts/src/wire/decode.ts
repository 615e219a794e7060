// Reads a remote-write 1.0 request into plain objects: for receivers in tests and for tools. It takes any legal message
// (fields in any order, unknown ones skipped) and is not made for speed.

import { WireReader } from './reader.ts';

export interface DecodedSample {
  value: number;
  /** The value's 64 bits: the only way to tell a stale marker (0x7ff0000000000002) from another NaN. */
  bits: bigint;
  /** Milliseconds since the Unix epoch. */
  timestampMs: number;
}

export interface DecodedExemplar extends DecodedSample {
  labels: [name: string, value: string][];
}

export interface DecodedSeries {
  /** In the order of the wire. */
  labels: [name: string, value: string][];
  samples: DecodedSample[];
  exemplars: DecodedExemplar[];
}

export interface DecodedWriteRequest {
  timeseries: DecodedSeries[];
}

// Tags: field number * 8 + wire type (FORMAT.md). A known field with another wire type is skipped like an unknown one.
const FIELD_1_BYTES = 0x0a;
const FIELD_2_BYTES = 0x12;
const FIELD_3_BYTES = 0x1a;
const FIELD_1_DOUBLE = 0x09;
const FIELD_2_DOUBLE = 0x11;
const FIELD_2_VARINT = 0x10;
const FIELD_3_VARINT = 0x18;

/**
 * @param bytes the uncompressed message. Metadata and native histograms are skipped.
 * @throws WireError
 */
export function decodeWriteRequest(bytes: Uint8Array): DecodedWriteRequest {
  const reader = new WireReader(bytes);
  const timeseries: DecodedSeries[] = [];
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === FIELD_1_BYTES) timeseries.push(readSeries(reader.message()));
    else reader.skip(tag);
  }
  return { timeseries };
}

function readSeries(reader: WireReader): DecodedSeries {
  const series: DecodedSeries = { labels: [], samples: [], exemplars: [] };
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === FIELD_1_BYTES) series.labels.push(readLabel(reader.message()));
    else if (tag === FIELD_2_BYTES) series.samples.push(readSample(reader.message()));
    else if (tag === FIELD_3_BYTES) series.exemplars.push(readExemplar(reader.message()));
    else reader.skip(tag);
  }
  return series;
}

function readLabel(reader: WireReader): [string, string] {
  const label: [string, string] = ['', ''];
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === FIELD_1_BYTES) label[0] = reader.string();
    else if (tag === FIELD_2_BYTES) label[1] = reader.string();
    else reader.skip(tag);
  }
  return label;
}

function readSample(reader: WireReader): DecodedSample {
  const sample: DecodedSample = { value: 0, bits: 0n, timestampMs: 0 };
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === FIELD_1_DOUBLE) Object.assign(sample, reader.double());
    else if (tag === FIELD_2_VARINT) sample.timestampMs = reader.int64();
    else reader.skip(tag);
  }
  return sample;
}

function readExemplar(reader: WireReader): DecodedExemplar {
  const exemplar: DecodedExemplar = { labels: [], value: 0, bits: 0n, timestampMs: 0 };
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === FIELD_1_BYTES) exemplar.labels.push(readLabel(reader.message()));
    else if (tag === FIELD_2_DOUBLE) Object.assign(exemplar, reader.double());
    else if (tag === FIELD_3_VARINT) exemplar.timestampMs = reader.int64();
    else reader.skip(tag);
  }
  return exemplar;
}
