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
const TO_BE_DONE = `Trials on 2026-11-26, old against new in turn, on a busy machine; 600,000 spans after 300,000:

- Memory outside the heap is what the garbage collector answers to: each 32 to 64 MB of it, whatever becomes of it, made it go through the
  whole heap, twelve times a second in a backlog. With answers that are read into one buffer that is used again, and batches that are freed
  when they are folded, *otlp_proto, none* took 4.4 to 4.6 µs instead of 8.6 to 9.3, the helper threads 0.3 to 0.4 of it instead of 3.4 to
  3.9. With uncompressed batches in one piece, freed as well, *push-bytes, zstd* took 5.5 to 6.5 instead of 10.3 to 11.3.
- CRC-32C by sixteen bytes with reads of four: 570 instead of 1,030 ns/KiB.
- kafkajs itself is a small part of a backlog: another client would not change much.
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
