export { ABSENT, AttributeSymbols } from './attribute-symbols.ts';
export { constantLabels } from './constant-labels.ts';
export { type DiscardReason, TenantCounters } from './counters.ts';
export { hostInfoSpec } from './host-info.ts';
export { KIND_CLIENT, KIND_CONSUMER, KIND_PRODUCER, KIND_SERVER, kindName, STATUS_ERROR } from './names.ts';
export type { Processor, ProcessorContext, ProcessorSpec } from './processor.ts';
export { compileFilter, filterKeys, type SpanFilter } from './span-filter.ts';
export { spanMetricsSpec } from './span-metrics.ts';
export { SpanWeight, weightKeys } from './span-weight.ts';
