// The declarations of what the server speaks, for reflection only: nothing is decoded by them. From opentelemetry-proto 1.x, and from
// grpc-proto (both Apache-2.0), without their comments and options.

export const SCHEMAS: Readonly<Record<string, string>> = {
  'opentelemetry/proto/common/v1/common.proto': `
    package opentelemetry.proto.common.v1;
    message AnyValue {
      oneof value {
        string string_value = 1;
        bool bool_value = 2;
        int64 int_value = 3;
        double double_value = 4;
        ArrayValue array_value = 5;
        KeyValueList kvlist_value = 6;
        bytes bytes_value = 7;
      }
    }
    message ArrayValue { repeated AnyValue values = 1; }
    message KeyValueList { repeated KeyValue values = 1; }
    message KeyValue { string key = 1; AnyValue value = 2; }
    message InstrumentationScope {
      string name = 1;
      string version = 2;
      repeated KeyValue attributes = 3;
      uint32 dropped_attributes_count = 4;
    }
    message EntityRef {
      string schema_url = 1;
      string type = 2;
      repeated string id_keys = 3;
      repeated string description_keys = 4;
    }`,
  'opentelemetry/proto/resource/v1/resource.proto': `
    package opentelemetry.proto.resource.v1;
    import "opentelemetry/proto/common/v1/common.proto";
    message Resource {
      repeated opentelemetry.proto.common.v1.KeyValue attributes = 1;
      uint32 dropped_attributes_count = 2;
      repeated opentelemetry.proto.common.v1.EntityRef entity_refs = 3;
    }`,
  'opentelemetry/proto/trace/v1/trace.proto': `
    package opentelemetry.proto.trace.v1;
    import "opentelemetry/proto/common/v1/common.proto";
    import "opentelemetry/proto/resource/v1/resource.proto";
    message TracesData { repeated ResourceSpans resource_spans = 1; }
    message ResourceSpans {
      opentelemetry.proto.resource.v1.Resource resource = 1;
      repeated ScopeSpans scope_spans = 2;
      string schema_url = 3;
    }
    message ScopeSpans {
      opentelemetry.proto.common.v1.InstrumentationScope scope = 1;
      repeated Span spans = 2;
      string schema_url = 3;
    }
    message Span {
      bytes trace_id = 1;
      bytes span_id = 2;
      string trace_state = 3;
      bytes parent_span_id = 4;
      fixed32 flags = 16;
      string name = 5;
      enum SpanKind {
        SPAN_KIND_UNSPECIFIED = 0;
        SPAN_KIND_INTERNAL = 1;
        SPAN_KIND_SERVER = 2;
        SPAN_KIND_CLIENT = 3;
        SPAN_KIND_PRODUCER = 4;
        SPAN_KIND_CONSUMER = 5;
      }
      SpanKind kind = 6;
      fixed64 start_time_unix_nano = 7;
      fixed64 end_time_unix_nano = 8;
      repeated opentelemetry.proto.common.v1.KeyValue attributes = 9;
      uint32 dropped_attributes_count = 10;
      message Event {
        fixed64 time_unix_nano = 1;
        string name = 2;
        repeated opentelemetry.proto.common.v1.KeyValue attributes = 3;
        uint32 dropped_attributes_count = 4;
      }
      repeated Event events = 11;
      uint32 dropped_events_count = 12;
      message Link {
        bytes trace_id = 1;
        bytes span_id = 2;
        string trace_state = 3;
        repeated opentelemetry.proto.common.v1.KeyValue attributes = 4;
        uint32 dropped_attributes_count = 5;
        fixed32 flags = 6;
      }
      repeated Link links = 13;
      uint32 dropped_links_count = 14;
      Status status = 15;
    }
    message Status {
      string message = 2;
      enum StatusCode { STATUS_CODE_UNSET = 0; STATUS_CODE_OK = 1; STATUS_CODE_ERROR = 2; }
      StatusCode code = 3;
    }`,
  'opentelemetry/proto/collector/trace/v1/trace_service.proto': `
    package opentelemetry.proto.collector.trace.v1;
    import "opentelemetry/proto/trace/v1/trace.proto";
    service TraceService { rpc Export(ExportTraceServiceRequest) returns (ExportTraceServiceResponse); }
    message ExportTraceServiceRequest { repeated opentelemetry.proto.trace.v1.ResourceSpans resource_spans = 1; }
    message ExportTraceServiceResponse { ExportTracePartialSuccess partial_success = 1; }
    message ExportTracePartialSuccess { int64 rejected_spans = 1; string error_message = 2; }`,
  'grpc/health/v1/health.proto': `
    package grpc.health.v1;
    message HealthCheckRequest { string service = 1; }
    message HealthCheckResponse {
      enum ServingStatus { UNKNOWN = 0; SERVING = 1; NOT_SERVING = 2; SERVICE_UNKNOWN = 3; }
      ServingStatus status = 1;
    }
    service Health {
      rpc Check(HealthCheckRequest) returns (HealthCheckResponse);
      rpc Watch(HealthCheckRequest) returns (stream HealthCheckResponse);
    }`,
  'grpc/reflection/v1/reflection.proto': `
    package grpc.reflection.v1;
    service ServerReflection {
      rpc ServerReflectionInfo(stream ServerReflectionRequest) returns (stream ServerReflectionResponse);
    }
    message ServerReflectionRequest {
      string host = 1;
      oneof message_request {
        string file_by_filename = 3;
        string file_containing_symbol = 4;
        ExtensionRequest file_containing_extension = 5;
        string all_extension_numbers_of_type = 6;
        string list_services = 7;
      }
    }
    message ExtensionRequest { string containing_type = 1; int32 extension_number = 2; }
    message ServerReflectionResponse {
      string valid_host = 1;
      ServerReflectionRequest original_request = 2;
      oneof message_response {
        FileDescriptorResponse file_descriptor_response = 4;
        ExtensionNumberResponse all_extension_numbers_response = 5;
        ListServiceResponse list_services_response = 6;
        ErrorResponse error_response = 7;
      }
    }
    message FileDescriptorResponse { repeated bytes file_descriptor_proto = 1; }
    message ExtensionNumberResponse { string base_type_name = 1; repeated int32 extension_number = 2; }
    message ListServiceResponse { repeated ServiceResponse service = 1; }
    message ServiceResponse { string name = 1; }
    message ErrorResponse { int32 error_code = 1; string error_message = 2; }`,
};
