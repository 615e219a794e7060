// An independent reading of the wire: the published schemas, decoded by protobufjs. Nothing of this package is used here.

import protobuf from 'protobufjs';

const HISTOGRAM = `
  oneof count { uint64 count_int = 1; double count_float = 2; }
  double sum = 3; sint32 schema = 4; double zero_threshold = 5;
  oneof zero_count { uint64 zero_count_int = 6; double zero_count_float = 7; }
  repeated BucketSpan negative_spans = 8; repeated sint64 negative_deltas = 9; repeated double negative_counts = 10;
  repeated BucketSpan positive_spans = 11; repeated sint64 positive_deltas = 12; repeated double positive_counts = 13;
  enum ResetHint { UNSPECIFIED = 0; YES = 1; NO = 2; GAUGE = 3; }
  ResetHint reset_hint = 14; int64 timestamp = 15; repeated double custom_values = 16;`;

const SCHEMA = `
syntax = "proto3";
package prometheus;
message WriteRequest { repeated TimeSeries timeseries = 1; reserved 2; repeated MetricMetadata metadata = 3; }
message MetricMetadata {
  enum MetricType {
    UNKNOWN = 0; COUNTER = 1; GAUGE = 2; HISTOGRAM = 3; GAUGEHISTOGRAM = 4; SUMMARY = 5; INFO = 6; STATESET = 7;
  }
  MetricType type = 1; string metric_family_name = 2; string help = 4; string unit = 5;
}
message TimeSeries {
  repeated Label labels = 1; repeated Sample samples = 2; repeated Exemplar exemplars = 3; repeated Histogram histograms = 4;
}
message Label { string name = 1; string value = 2; }
message Sample { double value = 1; int64 timestamp = 2; }
message Exemplar { repeated Label labels = 1; double value = 2; int64 timestamp = 3; }
message Histogram { ${HISTOGRAM} }
message BucketSpan { sint32 offset = 1; uint32 length = 2; }
`;

const SCHEMA_V2 = `
syntax = "proto3";
package io.prometheus.write.v2;
message Request { reserved 1 to 3; repeated string symbols = 4; repeated TimeSeries timeseries = 5; }
message TimeSeries {
  repeated uint32 labels_refs = 1; repeated Sample samples = 2; repeated Histogram histograms = 3;
  repeated Exemplar exemplars = 4; Metadata metadata = 5; reserved 6;
}
message Exemplar { repeated uint32 labels_refs = 1; double value = 2; int64 timestamp = 3; }
message Sample { double value = 1; int64 timestamp = 2; int64 start_timestamp = 3; }
message Metadata {
  enum MetricType {
    UNSPECIFIED = 0; COUNTER = 1; GAUGE = 2; HISTOGRAM = 3; GAUGEHISTOGRAM = 4; SUMMARY = 5; INFO = 6; STATESET = 7;
  }
  MetricType type = 1; uint32 help_ref = 3; uint32 unit_ref = 4;
}
message Histogram { ${HISTOGRAM} int64 start_timestamp = 17; }
message BucketSpan { sint32 offset = 1; uint32 length = 2; }
`;

const root = protobuf.parse(SCHEMA, { keepCase: true }).root;
const request = root.lookupType('prometheus.WriteRequest');
const series = root.lookupType('prometheus.TimeSeries');
const exemplar = root.lookupType('prometheus.Exemplar');
const requestV2 = protobuf.parse(SCHEMA_V2, { keepCase: true }).root.lookupType('io.prometheus.write.v2.Request');

export interface ProtoLabel {
  name: string;
  value: string;
}
export interface ProtoExemplar {
  labels: ProtoLabel[];
  value: number;
  timestamp: string;
}
export interface ProtoHistogram {
  count_int?: string;
  count_float?: number;
  sum: number;
  schema: number;
  zero_threshold: number;
  zero_count_int?: string;
  zero_count_float?: number;
  negative_spans: { offset: number; length: number }[];
  negative_deltas: string[];
  negative_counts: number[];
  positive_spans: { offset: number; length: number }[];
  positive_deltas: string[];
  positive_counts: number[];
  reset_hint: string;
  timestamp: string;
  custom_values: number[];
  start_timestamp?: string;
}
export interface ProtoSeries {
  labels: ProtoLabel[];
  samples: { value: number; timestamp: string }[];
  exemplars: ProtoExemplar[];
  histograms: ProtoHistogram[];
}
export interface ProtoMetadata {
  type: string;
  metric_family_name: string;
  help: string;
  unit: string;
}
export interface ProtoRequest {
  timeseries: ProtoSeries[];
  metadata: ProtoMetadata[];
}
export interface ProtoSeriesV2 {
  labels_refs: number[];
  samples: { value: number; timestamp: string; start_timestamp: string }[];
  histograms: ProtoHistogram[];
  exemplars: { labels_refs: number[]; value: number; timestamp: string }[];
  metadata: { type: string; help_ref: number; unit_ref: number } | null;
}
export interface ProtoRequestV2 {
  symbols: string[];
  timeseries: ProtoSeriesV2[];
}

const AS_PLAIN = { longs: String, enums: String, arrays: true, defaults: true };

export function protoRequest(bytes: Uint8Array): ProtoRequest {
  return request.toObject(request.decode(bytes), AS_PLAIN) as ProtoRequest;
}

export function protoRequestV2(bytes: Uint8Array): ProtoRequestV2 {
  return requestV2.toObject(requestV2.decode(bytes), AS_PLAIN) as ProtoRequestV2;
}

/** The labels of references, as 1.0 would have them. */
export function protoLabels({ symbols }: ProtoRequestV2, refs: readonly number[]): ProtoLabel[] {
  const labels: ProtoLabel[] = [];
  for (let i = 0; i < refs.length; i += 2) labels.push({ name: symbols[refs[i]!]!, value: symbols[refs[i + 1]!]! });
  return labels;
}

export function protoSeries(bytes: Uint8Array): ProtoSeries {
  return series.toObject(series.decode(bytes), AS_PLAIN) as ProtoSeries;
}

export function protoExemplar(bytes: Uint8Array): ProtoExemplar {
  return exemplar.toObject(exemplar.decode(bytes), AS_PLAIN) as ProtoExemplar;
}

export function encodeProtoRequest(message: object): Uint8Array {
  return request.encode(request.fromObject(message)).finish();
}

export function encodeProtoRequestV2(message: object): Uint8Array {
  return requestV2.encode(requestV2.fromObject(message)).finish();
}
