// Reads a remote-write 1.0 request into plain objects: for receivers in tests and for tools. It takes any legal message
// (fields in any order, unknown ones skipped) and is not made for speed.

import { METRIC_TYPES } from '../labels/index.ts';
import { readHistogram } from './decode-histogram.ts';
import type { DecodedExemplar, DecodedSample, DecodedSeries, DecodedWriteRequest } from './decoded.ts';
import { WireReader } from './reader.ts';

// Tags: field number * 8 + wire type (FORMAT.md). A known field with another wire type is skipped like an unknown one.
const FIELD_1_BYTES = 0x0a;
const FIELD_2_BYTES = 0x12;
const FIELD_3_BYTES = 0x1a;
const FIELD_4_BYTES = 0x22;
const FIELD_5_BYTES = 0x2a;
const FIELD_1_VARINT = 0x08;
const FIELD_1_DOUBLE = 0x09;
const FIELD_2_DOUBLE = 0x11;
const FIELD_2_VARINT = 0x10;
const FIELD_3_VARINT = 0x18;

/**
 * @param bytes the uncompressed message.
 * @throws WireError
 */
export function decodeWriteRequest(bytes: Uint8Array): DecodedWriteRequest {
  const reader = new WireReader(bytes);
  const timeseries: DecodedSeries[] = [];
  const metadata: DecodedWriteRequest['metadata'] = [];
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === FIELD_1_BYTES) timeseries.push(readSeries(reader.message()));
    else if (tag === FIELD_3_BYTES) metadata.push(readMetadata(reader.message()));
    else reader.skip(tag);
  }
  return { timeseries, metadata };
}

function readSeries(reader: WireReader): DecodedSeries {
  const series: DecodedSeries = { labels: [], samples: [], exemplars: [], histograms: [] };
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === FIELD_1_BYTES) series.labels.push(readLabel(reader.message()));
    else if (tag === FIELD_2_BYTES) series.samples.push(readSample(reader.message()));
    else if (tag === FIELD_3_BYTES) series.exemplars.push(readExemplar(reader.message()));
    else if (tag === FIELD_4_BYTES) series.histograms.push(readHistogram(reader.message()));
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

function readMetadata(reader: WireReader): DecodedWriteRequest['metadata'][number] {
  const metadata: DecodedWriteRequest['metadata'][number] = { type: 'unknown', family: '', help: '', unit: '' };
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === FIELD_1_VARINT) metadata.type = METRIC_TYPES[reader.unsigned()] ?? 'unknown';
    else if (tag === FIELD_2_BYTES) metadata.family = reader.string();
    else if (tag === FIELD_4_BYTES) metadata.help = reader.string();
    else if (tag === FIELD_5_BYTES) metadata.unit = reader.string();
    else reader.skip(tag);
  }
  return metadata;
}
