export type { OutgoingRequest, WrittenCounts } from './attempt.ts';
export { type Channel, type ChannelOutcome, type ChannelSendOptions, createChannel } from './channel.ts';
export { FORBIDDEN_HEADERS } from './headers.ts';
export { type AttemptInfo, MAX_TIMER_MS, type SenderOptions, whole } from './options.ts';
export type { SenderStats, SendOutcome } from './outcome.ts';
export { createSender, type Sender } from './sender.ts';
export { TAKES_NO_HISTOGRAMS } from './verdict.ts';
