export { serviceGraphsSpec } from './service-graphs.ts';
