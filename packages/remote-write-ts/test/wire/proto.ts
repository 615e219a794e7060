// An independent reading of the wire: the published schema, decoded by protobufjs. Nothing of this package is used here.

import protobuf from 'protobufjs';

const SCHEMA = `
syntax = "proto3";
package prometheus;
message WriteRequest { repeated TimeSeries timeseries = 1; reserved 2; repeated MetricMetadata metadata = 3; }
message MetricMetadata { int32 type = 1; string metric_family_name = 2; string help = 4; string unit = 5; }
message TimeSeries { repeated Label labels = 1; repeated Sample samples = 2; repeated Exemplar exemplars = 3; }
message Label { string name = 1; string value = 2; }
message Sample { double value = 1; int64 timestamp = 2; }
message Exemplar { repeated Label labels = 1; double value = 2; int64 timestamp = 3; }
`;

const root = protobuf.parse(SCHEMA, { keepCase: true }).root;
const request = root.lookupType('prometheus.WriteRequest');
const series = root.lookupType('prometheus.TimeSeries');
const exemplar = root.lookupType('prometheus.Exemplar');

export interface ProtoLabel {
  name: string;
  value: string;
}
export interface ProtoExemplar {
  labels: ProtoLabel[];
  value: number;
  timestamp: string;
}
export interface ProtoSeries {
  labels: ProtoLabel[];
  samples: { value: number; timestamp: string }[];
  exemplars: ProtoExemplar[];
}

const AS_PLAIN = { longs: String, arrays: true, defaults: true };

export function protoRequest(bytes: Uint8Array): { timeseries: ProtoSeries[] } {
  return request.toObject(request.decode(bytes), AS_PLAIN) as { timeseries: ProtoSeries[] };
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
