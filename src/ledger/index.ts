export { decodeEntry, digestOf, encodeEntry } from './entry-codec.ts';
export { LEDGER_ERRORS, LedgerError, type LedgerErrorCode } from './errors.ts';
export { type LedgerFile, type LedgerFileSystem, nodeFileSystem, type OpenFlags } from './file-system.ts';
export { openLedger } from './ledger.ts';
export type { Lock } from './lock.ts';
export type { Appended, Ledger, LedgerLogger, LedgerOptions, LedgerStats, Recovered } from './options.ts';
export type { Column, Entry, EntryContent, EntryHead, Section, SettledPointer } from './section.ts';
export { type ChainReport, type Finding, verifyChain } from './verify.ts';
