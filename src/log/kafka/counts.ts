// The counts of a log that has just been opened.

import type { KafkaLogStats } from './options.ts';

export function emptyStats(): KafkaLogStats {
  return {
    records: 0,
    bytes: 0,
    fetchedBytes: 0,
    fetches: 0,
    batches: 0,
    skipped: {
      aborted: 0,
      bad_crc: 0,
      control: 0,
      damaged: 0,
      invalid_tenant: 0,
      old_format: 0,
      tombstone: 0,
      undecodable: 0,
      unknown_codec: 0,
    },
    generation: -1,
    rebalances: 0,
    commits: 0,
    refusedCommits: 0,
    repeatedCommits: 0,
    appendedRecords: 0,
    failedAppends: 0,
    deadLetters: 0,
    lostDeadLetters: 0,
  };
}
