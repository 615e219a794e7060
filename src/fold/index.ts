export { Fold, type FoldOptions } from './fold.ts';
export { TenantFold } from './tenant-fold.ts';
