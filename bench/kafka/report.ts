// The section on Kafka of docs/reference/performance.md: text around the numbers of one run.

import { KAFKA_HEADING } from '../page-file.ts';
import { type ThreadCpu, total } from './threads.ts';

/** Costs are CPU µs per span. */
export interface KafkaCell {
  encoding: string;
  codec: string;
  /** Once warm, a backlog. */
  cpu: ThreadCpu;
  /** From the start of the process on. */
  wholeRun: number;
  /** Once warm, while the topic is being filled. */
  live: number;
  readOnly: number;
  /** The fold alone, without a process around it, in the same minutes. */
  fold: number;
  spansPerSecond: number;
  spansPerRecord: number;
  byOwner: Record<string, number>;
}

export interface KafkaReport {
  date: string;
  node: string;
  machine: string;
  /** Spans of the warm-up, and those that are measured. */
  warm: number;
  spans: number;
  rounds: number;
  cells: readonly KafkaCell[];
}

const GOAL_US = 5;
/** Told by hand, of trials that this bench does not repeat. */
const TO_BE_DONE = `What would bring it to 4, by size. Trials on 2026-11-26, on a busy machine:

- The helper threads are the largest row, and a longer warm-up did not make it smaller: 5.6 µs for *otlp_proto, none* in a single run
  that measured 400,000 spans after 500,000. What of it is the garbage collector and what the compiler is not told apart yet. First to
  try: fewer and reused buffers, as a fetch answer's bytes are copied outside the heap more than once.
- Live figures above are from before fetches waited for 1 MiB or 250 ms: in a trial at 5,000 spans/s that took 19.4 µs/span instead of
  32.7, the main thread 5.4 instead of 13.1.
- CRC-32C with two 32-bit reads for each eight bytes instead of eight reads: 745 instead of 1,031 ns/KiB.
- kafkajs itself is a small part of a backlog: another client would not bring it to the goal.
`;
/** What is below this in all columns is summed up. */
const LEAST_US = 0.05;

export function section({ date, node, machine, warm, spans, rounds, cells }: KafkaReport): string {
  const names = cells.map(({ encoding, codec }) => `${encoding}, ${codec}`);
  const within = cells.filter(({ cpu }) => total(cpu) <= GOAL_US).length;
  return `${KAFKA_HEADING}

Made by \`npm run bench:kafka\` on ${date}, Node ${node}, ${machine}; the least of ${rounds} processes each. One process, one shard,
default configuration with span metrics and service graphs, a topic of four partitions that \`spanmill generate --kafka --unkeyed\` has
filled (records of ${cells[0]!.spansPerRecord.toFixed(0)} spans), a broker on the same machine, samples sent by remote-write to a receiver that
forgets them. CPU time, user and system, of the whole process. The goal is ${GOAL_US} µs/span for a
backlog: ${within} of ${cells.length} loads are within it.

| CPU µs/span | ${names.join(' | ')} |
|---|${cells.map(() => '--:|').join('')}
${line('**backlog**', cells, ({ cpu }) => total(cpu))}
${line('- main thread: Kafka', cells, ({ cpu }) => cpu.main)}
${line('- shard: fold', cells, ({ cpu }) => cpu.shard)}
${line('- ledger and senders', cells, ({ cpu }) => cpu.ledger)}
${line('- compiler, helpers of the garbage collector', cells, ({ cpu }) => cpu.helpers)}
${line('reading alone', cells, ({ readOnly }) => readOnly)}
${line('backlog, start of the process included', cells, ({ wholeRun }) => wholeRun)}
${line('live', cells, ({ live }) => live)}
${line('fold alone, in the same minutes', cells, ({ fold }) => fold)}
${line('M spans/s of a backlog, best second', cells, ({ spansPerSecond }) => spansPerSecond / 1e6)}

- **backlog**: ${count(spans)} spans that are in the topic already, for a process that has folded ${count(warm)} before them: what a process needs
  for all, less what one needs for the first.
- **reading alone**: the same code up to the shard (\`src/log/kafka\` and kafkajs), in a process that throws the records away, after the
  first ${count(warm)} spans.
- **live**: the same spans while they are written as fast as the generator and the broker can beside the process, on the same processors. It
  has the costs of time (fetches, ticks, boundaries, statistics) in it, which more spans per second share.
- **fold alone**: \`spanmill bench fold\` on the same kind of load, its best pass: a yardstick of the machine in these minutes.

Where a backlog's time goes, by CPU profiles of the three threads in a run of their own. What Node and the engine do counts for the module
that called them.

| CPU µs/span | ${names.join(' | ')} |
|---|${cells.map(() => '--:|').join('')}
${owners(cells)}

${TO_BE_DONE}`;
}

function owners(cells: readonly KafkaCell[]): string {
  const of = (owner: string) => cells.map(({ byOwner }) => byOwner[owner] ?? 0);
  const all = [...new Set(cells.flatMap(({ byOwner }) => Object.keys(byOwner)))];
  const large = all.filter((owner) => Math.max(...of(owner)) >= LEAST_US);
  const sum = (owner: string) => of(owner).reduce((a, b) => a + b, 0);
  const rest = ({ byOwner }: KafkaCell) =>
    Object.entries(byOwner).reduce((us, [owner, part]) => us + (large.includes(owner) ? 0 : part), 0);
  return [
    ...large
      .sort((a, b) => sum(b) - sum(a))
      .map((owner) => line(MEANINGS[owner] ?? owner, cells, ({ byOwner }) => byOwner[owner] ?? 0)),
    line('the rest', cells, rest),
  ].join('\n');
}

const MEANINGS: Record<string, string | undefined> = {
  kafkajs: 'kafkajs: connection, requests',
  'log/kafka': '`src/log/kafka`: record batches, copies',
  'log/embedded': '`src/log/embedded`: CRC-32C of record batches',
  decompression: 'zlib: zstd, and compression of what is sent',
  otlp: '`src/otlp`: the decoder',
  node: 'Node: sockets, streams, timers',
};

function line(what: string, cells: readonly KafkaCell[], value: (cell: KafkaCell) => number): string {
  return `| ${[what, ...cells.map((cell) => value(cell).toFixed(2))].join(' | ')} |`;
}

function count(value: number): string {
  return value.toLocaleString('en-US');
}
