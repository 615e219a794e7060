export { Decoder } from './decode.ts';
export { ExtractionPlan } from './plan.ts';
export { type PushBytes, readPushBytes } from './push-bytes.ts';
export { type AttributeRange, Resource, ResourceTable } from './resources.ts';
export { SpanBatch } from './span-batch.ts';
export { boolValue, doubleValue, intValue, stringValue, valueText } from './value-text.ts';
export { DecodeError, type DecodeReason } from './wire.ts';
