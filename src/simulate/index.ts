export { CaseError, type CaseResult, runCase, splitMessages } from './case.ts';
export { type CommandIo, simulateCommand } from './command.ts';
export { newestEndMs } from './what-if.ts';
