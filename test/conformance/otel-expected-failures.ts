// Cases of the collector whose options are not built yet: their configuration is refused, with these keys named. One that starts to
// run fails the suite until its line is taken out.

export const OTEL_EXPECTED_FAILURES: ReadonlyMap<string, { why: string; keys: string[] }> = new Map([
  [
    '08-exemplars',
    { why: 'exemplars are one for each bucket, not a number for each data point', keys: ['max_per_data_point'] },
  ],
  [
    '17-instrumentation-scope',
    { why: 'the scope of a span is not kept by the decoder', keys: ['include_instrumentation_scope'] },
  ],
  [
    '23-resource-to-telemetry',
    { why: 'attributes of the resource are no labels unless named', keys: ['resource_to_telemetry_conversion'] },
  ],
  ['26-glob-dimensions', { why: 'dimensions are named one by one', keys: ['glob'] }],
]);
