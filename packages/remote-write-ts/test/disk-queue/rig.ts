// A disk queue on a simulated disk, with a clock and an endpoint that a test holds in its hand.

import { DiskQueue, type DiskQueueOptions } from '../../src/disk-queue/index.ts';
import type { DiskDropReason, PointCounts, RequestBody } from '../../src/index.ts';
import { seeded } from './random.ts';
import { type SimulatedDisk, simulatedDisk } from './simulated-disk.ts';

export interface Delivery {
  text: string;
  isRepeat: boolean;
  isStored: boolean;
}

export interface QueueRig {
  disk: SimulatedDisk;
  queue: DiskQueue;
  clock: { ms: number };
  /** In the order of their arrival. */
  delivered: Delivery[];
  texts(): string[];
  dropped: { reason: DiskDropReason; samples: number }[];
  warnings: string[];
  sleeps: number[];
  /** Ends what sleeps, if it isn't patient. */
  wake(): void;
  /** While it is closed, what arrives waits for its answer. */
  gate: { isOpen: boolean; open(): void; answer(text: string): void; abort(): void };
}

export function body(text: string, samples = 1): RequestBody {
  const counts = { samples, histograms: 0, exemplars: 0, metadata: 0 };
  return { protocol: '1.0', bytes: Buffer.from(text), counts, minTimestampMs: 1, maxTimestampMs: 2 };
}

/** @param isPatient false: it sleeps until it is woken or stopped. */
export function queueRig(
  options: Partial<DiskQueueOptions> = {},
  { disk = simulatedDisk(seeded(1)), isOpen = true, shards = 1, isPatient = true, clock = { ms: 1_000_000 } } = {},
): QueueRig {
  const waiting: { text: string; resolve: (fate: 'settled' | 'unsettled') => void }[] = [];
  const answerAll = (fate: 'settled' | 'unsettled') => {
    for (const { resolve } of waiting.splice(0)) resolve(fate);
  };
  const gate = {
    isOpen,
    isAborted: false,
    open() {
      gate.isOpen = true;
      answerAll('settled');
    },
    /** Only that one. */
    answer(text: string) {
      const index = waiting.findIndex((one) => one.text === text);
      waiting.splice(index, 1)[0]!.resolve('settled');
    },
    abort() {
      gate.isAborted = true;
      answerAll('unsettled');
    },
  };
  const delivered: Delivery[] = [];
  const dropped: QueueRig['dropped'] = [];
  const warnings: string[] = [];
  const sleeps: number[] = [];
  const sleepers: (() => void)[] = [];
  const wake = () => {
    for (const resolve of sleepers.splice(0)) resolve();
  };
  const queue = new DiskQueue(
    { dir: 'queue', fileSystem: disk, ...options },
    {
      now: () => clock.ms,
      random: () => 0.5,
      sleep: async (ms, signal) => {
        sleeps.push(ms);
        if (isPatient) return;
        await new Promise<void>((resolve) => {
          sleepers.push(resolve);
          signal.addEventListener('abort', () => resolve());
        });
      },
      async deliver({ bytes }, info) {
        const text = Buffer.from(bytes).toString();
        delivered.push({ text, ...info });
        if (gate.isAborted) return 'unsettled';
        return gate.isOpen ? 'settled' : new Promise((resolve) => waiting.push({ text, resolve }));
      },
      onFound() {},
      onDropped: (reason: DiskDropReason, { samples }: PointCounts) => dropped.push({ reason, samples }),
      onWarning: (message) => warnings.push(message),
    },
  );
  queue.relayout(shards);
  const texts = () => delivered.map(({ text }) => text);
  return { disk, queue, clock, delivered, texts, dropped, warnings, sleeps, wake, gate };
}

export const SEGMENT = /\.segment$/;

/** Names of files, in their order. */
export function names({ files }: SimulatedDisk, which: RegExp): string[] {
  return [...files.keys()].filter((name) => which.test(name)).sort();
}

export function content({ files }: SimulatedDisk, name: string): Buffer {
  return files.get(name)!.content;
}

/** Long enough for all that doesn't wait for something. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 50; i++) await new Promise((resolve) => setImmediate(resolve));
}
