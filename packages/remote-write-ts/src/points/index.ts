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
