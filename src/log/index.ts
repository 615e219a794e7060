export * from './embedded/index.ts';
export * from './kafka/index.ts';
export * from './port.ts';
