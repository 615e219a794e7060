export {
  type PartitionStats,
  TICK_TIMES,
  type TickCallbacks,
  type TickCounters,
  type TickFold,
  type TickOptions,
  type TickStats,
} from './contract.ts';
export { batchSizeBytes } from './partition-queue.ts';
export { type ClosedTick, type ReadRange, replayTicks } from './replay.ts';
export { TickMachine } from './tick-machine.ts';
