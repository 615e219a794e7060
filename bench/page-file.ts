// The page docs/reference/performance.md has two makers: `npm run bench` its first part, `npm run bench:kafka` its last section. Each
// leaves the other's alone.

import os from 'node:os';
import path from 'node:path';

export const PAGE = path.join(import.meta.dirname, '../docs/reference/performance.md');
export const KAFKA_HEADING = '## From a Kafka topic to remote-write';

/** The page with another section on Kafka, which begins with its heading; with none, if that is ''. */
export function withKafkaSection(page: string, section: string): string {
  const first = page.split(`\n${KAFKA_HEADING}\n`)[0]!.trimEnd();
  return section === '' ? `${first}\n` : `${first}\n\n${section.trim()}\n`;
}

/** The section on Kafka, or ''. */
export function kafkaSection(page: string): string {
  const at = page.indexOf(`\n${KAFKA_HEADING}\n`);
  return at < 0 ? '' : page.slice(at + 1);
}

/** Processors, memory and system, without a name. */
export function machine(): string {
  const cpus = os.cpus();
  const gib = Math.round(os.totalmem() / 2 ** 30);
  return `${cpus.length} × ${cpus[0]?.model.trim() ?? 'unknown'}, ${gib} GiB, ${os.type()} ${os.arch()}`;
}
