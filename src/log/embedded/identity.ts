// log.json: the log's name for good, its format and its number of partitions. Written beside and renamed, never in place.
import { randomBytes } from 'node:crypto';
import path from 'node:path';
import { LogError } from '../port.ts';
import { type LogFileSystem, readFully, writeFully } from './file-system.ts';
import { FORMAT_VERSION } from './frame.ts';

const FILE = 'log.json';
const MAX_FILE_BYTES = 4_096;

export interface LogIdentity {
  format: number;
  /** 16 hex digits, random, made with the log. */
  identity: string;
  partitions: number;
}

export function partitionDirectory(root: string, partition: number): string {
  return path.join(root, `partition-${partition}`);
}

/**
 * Reads or creates the log's identity and makes its partitions' directories. More partitions than stored: the log grows.
 * @throws LogError `log_incompatible` for fewer partitions than stored or another format, `log_damaged`
 */
export async function openIdentity(fileSystem: LogFileSystem, root: string, partitions: number): Promise<LogIdentity> {
  const names = await fileSystem.readDirectory(root);
  const stored = names.includes(FILE) ? await readIdentity(fileSystem, root) : undefined;
  if (stored === undefined && names.some((name) => name.startsWith('partition-'))) {
    throw new LogError('log_damaged', `${root} has partitions but no ${FILE}: put it back, or use an empty directory`);
  }
  if (stored !== undefined && partitions < stored.partitions) {
    const counts = `${stored.partitions} partitions and ${partitions} are configured`;
    throw new LogError('log_incompatible', `${root} has ${counts}: a log can grow, but not shrink`);
  }
  if (stored?.partitions === partitions) return stored;
  const identity = stored?.identity ?? randomBytes(8).toString('hex');
  const fresh = { format: FORMAT_VERSION, identity, partitions };
  // log.json first: a log whose creation was cut short must not look like one that lost it. Directories are made again below.
  await writeIdentity(fileSystem, root, fresh);
  return fresh;
}

async function readIdentity(fileSystem: LogFileSystem, root: string): Promise<LogIdentity> {
  const file = await fileSystem.open(path.join(root, FILE), 'r');
  const bytes = new Uint8Array(MAX_FILE_BYTES);
  let text: string;
  try {
    text = Buffer.from(bytes.subarray(0, await readFully(file, bytes, 0))).toString('utf8');
  } finally {
    await file.close();
  }
  let value: Partial<LogIdentity>;
  try {
    value = JSON.parse(text) as Partial<LogIdentity>;
  } catch (cause) {
    throw new LogError('log_damaged', `${path.join(root, FILE)} is no JSON`, { cause });
  }
  const { format, identity, partitions } = value ?? {};
  if (typeof format === 'number' && format !== FORMAT_VERSION) {
    throw new LogError('log_incompatible', `${root} has format ${format}; this version reads ${FORMAT_VERSION}`);
  }
  const isSound = typeof identity === 'string' && /^[0-9a-f]{16}$/.test(identity) && Number.isSafeInteger(partitions);
  if (format !== FORMAT_VERSION || !isSound || partitions! < 1) {
    throw new LogError('log_damaged', `${path.join(root, FILE)} isn't a log's identity`);
  }
  return { format, identity, partitions: partitions! };
}

async function writeIdentity(fileSystem: LogFileSystem, root: string, value: LogIdentity): Promise<void> {
  const target = path.join(root, FILE);
  const temporary = `${target}.new`;
  const file = await fileSystem.open(temporary, 'w+');
  try {
    await writeFully(file, new TextEncoder().encode(`${JSON.stringify(value)}\n`), 0);
    await file.datasync();
  } finally {
    await file.close();
  }
  await fileSystem.rename(temporary, target);
  await fileSystem.syncDirectory(root);
}
