// kafkajs, loaded with what it lacks: codecs, and a timer that is not negative. Nothing else of the generator touches its inside.
import { createRequire } from 'node:module';
import { promisify } from 'node:util';
import { zstdCompress } from 'node:zlib';
import { CODECS, type KafkaCodec } from './names.ts';

const require = createRequire(import.meta.url);

type Compress = (bytes: Buffer) => Promise<Buffer>;
type Codec = () => {
  compress(encoder: { buffer: Buffer }): Promise<Buffer>;
  decompress(bytes: Buffer): Promise<Buffer>;
};

interface RequestQueue {
  throttledUntil: number;
  pending: readonly unknown[];
  scheduleCheckPendingRequests(): void;
}

let loaded: typeof import('kafkajs') | undefined;

export function loadKafkajs(): typeof import('kafkajs') {
  if (loaded === undefined) {
    loaded = require('kafkajs') as typeof import('kafkajs');
    quietTimers();
  }
  return loaded;
}

/** Lets producers write with the codec. */
export async function loadCodec(codec: KafkaCodec): Promise<void> {
  const compress = await compressor(codec);
  if (compress === undefined) return;
  const codecs = loadKafkajs().CompressionCodecs as Record<number, Codec>;
  // The table is the process's: who reads here reads on with the codec that was there.
  const before = codecs[CODECS[codec]]!;
  codecs[CODECS[codec]] = () => ({
    compress: (encoder) => compress(encoder.buffer),
    decompress: async (bytes) => await before().decompress(bytes),
  });
}

/** Undefined for what kafkajs has of its own. */
async function compressor(codec: KafkaCodec): Promise<Compress | undefined> {
  switch (codec) {
    case 'snappy': {
      // One raw block, as franz-go, and so the collector and Tempo, write it.
      const { snappyCompress } = await import('remote-write-ts');
      return async (bytes) => Buffer.from(snappyCompress(bytes));
    }
    case 'lz4': {
      const { compressFrame } = await import('lz4-napi');
      return (bytes) => compressFrame(bytes);
    }
    case 'zstd':
      return promisify(zstdCompress);
    default:
      return undefined;
  }
}

/** After each answer kafkajs sets a timer to a time long past, of which Node warns, though there is nothing to do when it fires. */
function quietTimers(): void {
  const { prototype } = require('kafkajs/src/network/requestQueue') as { prototype: RequestQueue };
  const schedule = prototype.scheduleCheckPendingRequests;
  prototype.scheduleCheckPendingRequests = function quiet(this: RequestQueue): void {
    // The clock that `throttledUntil` was taken from.
    if (this.pending.length > 0 || this.throttledUntil > Date.now()) schedule.call(this);
  };
}
