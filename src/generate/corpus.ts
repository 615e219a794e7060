// A load as a file: each request as a uint32 length (little endian) and an ExportTraceServiceRequest. Everything that was written
// counts as acknowledged.
import { open } from 'node:fs/promises';
import type { LoadResult } from './account.ts';
import { createLoad, type LoadOptions } from './load.ts';

const CHUNK_BYTES = 1024 * 1024;
export const CORPUS_SPANS = 100_000;

export interface CorpusOptions extends LoadOptions {
  /** Ends the file early, at a whole request. */
  signal?: AbortSignal;
  /** Called about once per MiB. */
  onProgress?: (spans: number) => void;
}

/**
 * Writes `options.spans` spans (100 000 if neither a number nor a duration is given) and resolves with the account of the file.
 * @throws the file system's errors.
 */
export async function writeCorpus(file: string, options: CorpusOptions): Promise<LoadResult> {
  const isOpen = options.spans === undefined && options.durationNano === undefined;
  const load = createLoad(isOpen ? { ...options, spans: CORPUS_SPANS } : options);
  const handle = await open(file, 'w');
  try {
    const chunk = new Uint8Array(2 * CHUNK_BYTES);
    const view = new DataView(chunk.buffer);
    let used = 0;
    for (;;) {
      if (options.signal?.aborted) load.stop();
      const request = load.nextRequest();
      if (request === undefined) break;
      view.setUint32(used, request.bytes.length, true);
      chunk.set(request.bytes, used + 4);
      used += 4 + request.bytes.length;
      load.account.settle(request, 'acknowledged');
      if (used >= CHUNK_BYTES) {
        await handle.writeFile(chunk.subarray(0, used));
        used = 0;
        options.onProgress?.(load.account.spans);
      }
    }
    await handle.writeFile(chunk.subarray(0, used));
  } finally {
    await handle.close();
  }
  return load.account.result();
}
