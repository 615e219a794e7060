// Writes requests as records to a topic. Each request in flight has a session of its own, because batches of one producer must not
// overlap.
import type { Message } from 'kafkajs';
import type { Attempt, Exporter } from '../http-exporter.ts';
import { loadCodec } from './kafkajs.ts';
import type { KafkaEncoding } from './names.ts';
import { type KafkaRecord, recordMaker } from './records.ts';
import { Session, type SessionOptions } from './session.ts';

export interface KafkaExporterOptions extends SessionOptions {
  encoding: KafkaEncoding;
  isKeyed: boolean;
  tenant: string;
}

/** The topic's partitions are counted once: those that are added later get nothing. @throws Error of one line */
export async function openKafkaExporter(options: KafkaExporterOptions): Promise<Exporter> {
  await loadCodec(options.codec);
  const first = new Session(options);
  const partitions = await first.open();
  const makeRecords = recordMaker({ ...options, partitions });
  const idle = [first];
  const open = new Set(idle);

  const close = (session: Session): void => {
    open.delete(session);
    void session.close();
  };

  return {
    async send(bytes, _spans, signal) {
      let session = idle.pop();
      if (session === undefined) {
        session = new Session(options);
        open.add(session);
        try {
          await session.open();
        } catch (error) {
          open.delete(session);
          return { type: 'retry', reason: (error as Error).message, afterMs: undefined };
        }
      }
      if (signal.aborted) {
        idle.push(session);
        return { type: 'retry', reason: 'given up', afterMs: undefined };
      }
      const attempt = await writeAll(session, batchesOf(makeRecords(bytes)), signal);
      if (attempt.type === 'acknowledged') idle.push(session);
      else close(session);
      return attempt;
    },
    close() {
      for (const session of open) close(session);
    },
  };

  function batchesOf(records: KafkaRecord[]): Message[][] {
    const messages = records.map(({ value, ...record }) => ({
      ...record,
      value: Buffer.from(value.buffer, value.byteOffset, value.length),
    }));
    return [...Map.groupBy(messages, ({ partition }) => partition).values()];
  }
}

/** A request counts as acknowledged when all its batches are. Where some are and one is not, there is no telling which spans. */
async function writeAll(session: Session, batches: Message[][], signal: AbortSignal): Promise<Attempt> {
  for (const [i, batch] of batches.entries()) {
    const written = await session.write(batch, signal);
    if (written.type === 'acknowledged') continue;
    return i === 0 ? written : { type: 'unknown', reason: written.reason };
  }
  return { type: 'acknowledged' };
}
