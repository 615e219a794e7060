// A sender with virtual time, in front of a scripted receiver.

import {
  type AttemptInfo,
  createSender,
  encodeLabels,
  type Sender,
  type SenderOptions,
  WriteRequestBuilder,
} from '../../src/index.ts';
import { type Receiver, type Step, startReceiver } from './receiver.ts';

export const NOW_MS = Date.UTC(2026, 0, 2, 3, 4, 5);

export interface Rig {
  receiver: Receiver;
  sender: Sender;
  /** What the sender slept: time here is virtual. */
  sleeps: number[];
  infos: AttemptInfo[];
}

const open: Rig[] = [];

export async function rig(script: Step[], options: Partial<SenderOptions> = {}): Promise<Rig> {
  const receiver = await startReceiver(...script);
  const sleeps: number[] = [];
  const infos: AttemptInfo[] = [];
  const sender = createSender({
    url: receiver.url,
    userAgent: 'test/1.0',
    random: () => 0,
    now: () => NOW_MS,
    sleep: async (waitMs) => {
      sleeps.push(waitMs);
    },
    onAttempt: (info) => infos.push(info),
    ...options,
  });
  const made = { receiver, sender, sleeps, infos };
  open.push(made);
  return made;
}

/** For `afterEach`: closes all that `rig` has opened. */
export async function closeRigs(): Promise<void> {
  for (const { sender, receiver } of open.splice(0)) {
    await sender.close();
    await receiver.close();
  }
}

export function body(value = 1): Uint8Array {
  const builder = new WriteRequestBuilder();
  builder.addSample(encodeLabels([['__name__', 'calls_total']]), value, NOW_MS);
  return builder.finish();
}
