export * from './embedded/index.ts';
export * from './port.ts';
