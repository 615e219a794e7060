// A client's figures, each one different, so that none can stand in for another.

import { DROP_REASONS, type RemoteStorageState } from '../../src/index.ts';

export function state(changes: Partial<RemoteStorageState> = {}): RemoteStorageState {
  let next = 1;
  const points = () => ({ samples: next++, histograms: next++, exemplars: next++ });
  const kinds = () => ({ ...points(), metadata: next++ });
  return {
    name: 'a',
    url: 'https://receiver.example/api/v1/write',
    stats: {
      taken: points(),
      attempted: kinds(),
      retried: kinds(),
      failed: kinds(),
      dropped: Object.fromEntries(
        DROP_REASONS.map((reason) => [reason, points()]),
      ) as RemoteStorageState['stats']['dropped'],
      unsettled: points(),
      enqueueRetries: next++,
      shards: next++,
      minShards: next++,
      maxShards: next++,
      desiredShards: next++,
      shardCapacity: next++,
      maxSamplesPerSend: next++,
      bytes: next++,
      metadataBytes: next++,
      highestTimestampMs: 1_700_000_000_500,
      highestSentTimestampMs: 1_700_000_000_250,
    },
    durations: { buckets: Array.from({ length: 15 }, (_, i) => i), count: 20, sumSeconds: 1.5 },
    ...changes,
  };
}
