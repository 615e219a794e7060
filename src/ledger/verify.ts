// Walks a shard's ledger without changing it and without its lock, and reports what it finds. For an operator's check; damage is
// a finding, not an exception.
import path from 'node:path';
import { readBase } from './base-file.ts';
import { digestOfBody } from './entry-codec.ts';
import { asLedgerError, damaged, type LedgerError, type LedgerErrorCode, type Where } from './errors.ts';
import { type LedgerFileSystem, nodeFileSystem } from './file-system.ts';
import { bodyOf, type Frame } from './frame.ts';
import { parseEntryHead } from './heads.ts';
import { scanDirectory } from './scan.ts';

export interface Finding {
  code: LedgerErrorCode;
  message: string;
  file: string | undefined;
  position: number | undefined;
}

export interface ChainReport {
  /** No findings. A torn tail is none: the next opening cuts it. */
  isSound: boolean;
  files: number;
  bases: number;
  /** Entries whose digest was computed again from their content. */
  entriesChecked: number;
  /** Of these, entries of a claim that had been taken over. */
  orphans: number;
  claim: number;
  firstMs: number | undefined;
  lastMs: number | undefined;
  lastDigest: string | undefined;
  tornBytes: number;
  /** Digests that are wrong, then whatever stopped the walk. */
  findings: Finding[];
}

/** `directory` is one shard's, `shard-<n>`. While its writer runs, its newest record may show as a torn tail. */
export async function verifyChain(
  directory: string,
  fileSystem: LedgerFileSystem = nodeFileSystem,
): Promise<ChainReport> {
  const findings: Finding[] = [];
  const note = ({ code, message, file, position }: LedgerError) => findings.push({ code, message, file, position });
  const report: ChainReport = {
    isSound: false,
    files: 0,
    bases: 0,
    entriesChecked: 0,
    orphans: 0,
    claim: 0,
    firstMs: undefined,
    lastMs: undefined,
    lastDigest: undefined,
    tornBytes: 0,
    findings,
  };
  const check = (frame: Frame, where: Where): void => {
    if (frame.type !== 'entry') return;
    const head = parseEntryHead(frame.head, where);
    const digest = digestOfBody(head, bodyOf(frame, where), head.shard, head.logIdentity);
    if (digest !== head.digest) {
      note(damaged(where, `entry T=${head.tMs} says digest ${head.digest}, its content has ${digest}`));
    }
    report.entriesChecked++;
    report.firstMs ??= head.tMs;
    report.lastMs = head.tMs;
    report.lastDigest = head.digest;
  };
  try {
    const shard = Number(/^shard-(\d+)$/.exec(path.basename(path.resolve(directory)))?.[1] ?? 0);
    const { chain, files, bases, tornBytes } = await scanDirectory(fileSystem, directory, shard, check);
    Object.assign(report, { files: files.length, bases: bases.length, tornBytes });
    Object.assign(report, { orphans: chain.orphans, claim: chain.claim });
    Object.assign(report, { lastMs: chain.last?.tMs, lastDigest: chain.last?.digest });
    for (const base of bases) await readBase(fileSystem, base);
  } catch (cause) {
    note(asLedgerError(cause, directory));
  }
  report.isSound = findings.length === 0;
  return report;
}
