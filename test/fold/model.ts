// The door of the plain model of a tenant's fold.

export { POLICY_KEYS } from './model/filters.ts';
export { Model } from './model/model.ts';
export { INSTANCE, type Said } from './model/registry.ts';
export * from './model/request.ts';
export { dimensionName, INTRINSICS, labelName, seriesKey } from './model/text.ts';
