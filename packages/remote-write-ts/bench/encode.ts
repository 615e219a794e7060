// How fast a batch is encoded and compressed: 2,000 series, 8 labels each, one sample per series. Run it with
// `node --conditions=source packages/remote-write-ts/bench/encode.ts`; it prints the best and the median of its rounds.

import {
  createSeries,
  encodeLabels,
  type LabelPair,
  snappyCompress,
  snappyUncompress,
  WriteRequestBuilder,
  WriteRequestV2Builder,
} from '../src/index.ts';

const SERIES = 2_000;
const ROUNDS = 400;
const WARM_UP = 100;
const FIRST_MS = Date.UTC(2026, 0, 1);

// What span metrics look like: a few services and status codes, many span names, a bucket bound.
const sets = Array.from({ length: SERIES }, (_, i): LabelPair[] => [
  ['__name__', 'traces_spanmetrics_latency_bucket'],
  ['service', `shop-${i % 20}-service`],
  ['span_name', `GET /api/v2/resource/${Math.floor(i / 14)}/items`],
  ['span_kind', i % 2 === 0 ? 'SPAN_KIND_SERVER' : 'SPAN_KIND_CLIENT'],
  ['status_code', i % 10 === 0 ? 'STATUS_CODE_ERROR' : 'STATUS_CODE_OK'],
  ['__metrics_gen_instance', 'cluster-a/0'],
  ['k8s_namespace', `namespace-${i % 7}`],
  ['le', String(2 ** (i % 14) / 1000)],
]);
const labels = sets.map((set) => encodeLabels(set));
const series = sets.map((set) => createSeries(set, { type: 'counter', help: 'Observations up to the bound.' }));
const builder = new WriteRequestBuilder();
const builderV2 = new WriteRequestV2Builder();

function encode(round: number): void {
  builder.reset();
  const timestampMs = FIRST_MS + round * 15_000;
  for (let i = 0; i < SERIES; i++) builder.addSample(labels[i]!, round * 1000 + i * 0.37, timestampMs);
}

function encodeV2(round: number): void {
  builderV2.reset();
  const timestampMs = FIRST_MS + round * 15_000;
  for (let i = 0; i < SERIES; i++) builderV2.addSample(series[i]!, round * 1000 + i * 0.37, timestampMs);
}

function measure(name: string, perRound: number, unit: string, run: (round: number) => void): void {
  for (let round = 0; round < WARM_UP; round++) run(round);
  const rates: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const startedNs = process.hrtime.bigint();
    run(round);
    rates.push((perRound / Number(process.hrtime.bigint() - startedNs)) * 1000);
  }
  rates.sort((a, b) => b - a);
  const [best, median] = [rates[0]!, rates[ROUNDS >> 1]!];
  console.log(`${name.padEnd(26)} ${best.toFixed(2).padStart(9)} ${median.toFixed(2).padStart(9)}  ${unit}`);
}

encode(0);
const plain = Uint8Array.from(builder.uncompressed());
const body = builder.finish();
encodeV2(0);
console.log(`${SERIES} series`);
console.log(`1.0: ${plain.length} bytes, compressed ${body.length}`);
console.log(`2.0: ${builderV2.sizeBytes} bytes, compressed ${builderV2.finish().length}\n`);
console.log(`${''.padEnd(26)} ${'best'.padStart(9)} ${'median'.padStart(9)}`);
measure('encode 1.0', SERIES, 'M samples/s', encode);
measure('encode + compress 1.0', SERIES, 'M samples/s', (round) => {
  encode(round);
  builder.finish();
});
measure('encode 2.0', SERIES, 'M samples/s', encodeV2);
measure('encode + compress 2.0', SERIES, 'M samples/s', (round) => {
  encodeV2(round);
  builderV2.finish();
});
measure('create series', SERIES, 'M series/s', () => {
  for (let i = 0; i < SERIES; i++) createSeries(sets[i]!);
});
measure('encode labels', SERIES, 'M series/s', () => {
  for (let i = 0; i < SERIES; i++) encodeLabels(sets[i]!);
});
measure('compress', plain.length, 'MB/s', () => {
  snappyCompress(plain);
});
measure('uncompress', plain.length, 'MB/s', () => {
  snappyUncompress(body, plain.length);
});
