// Reads a remote-write 2.0 request into the same plain objects as the 1.0 decoder: for receivers in tests and for tools.

import { METRIC_TYPES } from '../labels/index.ts';
import { readHistogram } from './decode-histogram.ts';
import type { DecodedExemplar, DecodedMetadata, DecodedSample, DecodedSeries, DecodedWriteRequest } from './decoded.ts';
import { WireError } from './errors.ts';
import { WireReader } from './reader.ts';

/**
 * @param bytes the uncompressed message.
 * @throws WireError `bad_ref` for a reference outside the table of strings or an odd number of them, and others.
 */
export function decodeWriteRequestV2(bytes: Uint8Array): DecodedWriteRequest {
  const symbols: string[] = [];
  const messages: WireReader[] = [];
  const reader = new WireReader(bytes);
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === 0x22) symbols.push(reader.string());
    else if (tag === 0x2a) messages.push(reader.message());
    else reader.skip(tag);
  }
  // Only now: fields may come in any order, the strings after the series that refer to them.
  return { timeseries: messages.map((message) => readSeries(message, symbols)), metadata: [] };
}

function readSeries(reader: WireReader, symbols: readonly string[]): DecodedSeries {
  const series: DecodedSeries = { labels: [], samples: [], exemplars: [], histograms: [] };
  const refs: number[] = [];
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (readRefs(reader, tag, refs)) continue;
    if (tag === 0x12) series.samples.push(readSample(reader.message()));
    else if (tag === 0x1a) series.histograms.push(readHistogram(reader.message()));
    else if (tag === 0x22) series.exemplars.push(readExemplar(reader.message(), symbols));
    else if (tag === 0x2a) series.metadata = readMetadata(reader.message(), symbols);
    else reader.skip(tag);
  }
  series.labels = resolved(refs, symbols);
  return series;
}

function readSample(reader: WireReader): DecodedSample {
  const sample: DecodedSample = { value: 0, bits: 0n, timestampMs: 0 };
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === 0x09) Object.assign(sample, reader.double());
    else if (tag === 0x10) sample.timestampMs = reader.int64();
    else if (tag === 0x18) sample.startMs = reader.int64();
    else reader.skip(tag);
  }
  return sample;
}

function readExemplar(reader: WireReader, symbols: readonly string[]): DecodedExemplar {
  const exemplar: DecodedExemplar = { labels: [], value: 0, bits: 0n, timestampMs: 0 };
  const refs: number[] = [];
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (readRefs(reader, tag, refs)) continue;
    if (tag === 0x11) Object.assign(exemplar, reader.double());
    else if (tag === 0x18) exemplar.timestampMs = reader.int64();
    else reader.skip(tag);
  }
  exemplar.labels = resolved(refs, symbols);
  return exemplar;
}

function readMetadata(reader: WireReader, symbols: readonly string[]): DecodedMetadata {
  const metadata: DecodedMetadata = { type: 'unknown', help: '', unit: '' };
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === 0x08) metadata.type = METRIC_TYPES[reader.unsigned()] ?? 'unknown';
    else if (tag === 0x18) metadata.help = symbolAt(reader.unsigned(), symbols);
    else if (tag === 0x20) metadata.unit = symbolAt(reader.unsigned(), symbols);
    else reader.skip(tag);
  }
  return metadata;
}

// Field 1 of series and exemplars, packed or one by one.
function readRefs(reader: WireReader, tag: number, into: number[]): boolean {
  if (tag === 0x08) into.push(reader.unsigned());
  else if (tag === 0x0a) for (const packed = reader.message(); !packed.isAtEnd; ) into.push(packed.unsigned());
  else return false;
  return true;
}

function resolved(refs: readonly number[], symbols: readonly string[]): [string, string][] {
  if (refs.length % 2 !== 0) throw new WireError('bad_ref', `${refs.length} references for names and values`);
  const labels: [string, string][] = [];
  for (let i = 0; i < refs.length; i += 2) {
    labels.push([symbolAt(refs[i]!, symbols), symbolAt(refs[i + 1]!, symbols)]);
  }
  return labels;
}

function symbolAt(ref: number, symbols: readonly string[]): string {
  const text = symbols[ref];
  if (text === undefined) throw new WireError('bad_ref', `reference ${ref} of ${symbols.length} strings`);
  return text;
}
