export { countKinds, type KindCounts, type RequestBody, timeRange } from './body.ts';
export { decodePoints } from './decode.ts';
export { PointEncoder } from './encode.ts';
export {
  checkPoint,
  countPoints,
  exemplarsOf,
  type HistogramPoint,
  isCarriedBy,
  type Point,
  type PointCounts,
  type SamplePoint,
  type StaleHistogramPoint,
  type StalePoint,
} from './point.ts';
