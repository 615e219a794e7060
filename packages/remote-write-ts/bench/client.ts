// How much the client costs from `append` to the answer: 2,000 series, 8 labels each, to a receiver in another process that
// throws everything away. Run it with `node --conditions=source packages/remote-write-ts/bench/client.ts`; it prints the
// sender's own CPU time, for each protocol, and the best and the median of its rounds.

import { fork } from 'node:child_process';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createRemoteWrite, type LabelPair, type Point, type Protocol } from '../src/index.ts';

const SERIES = 2_000;
const BOUNDARIES = 100;
const ROUNDS = 8;
const FIRST_MS = Date.UTC(2026, 0, 1);

if (process.argv[2] === 'receiver') receive();
else await run();

function receive(): void {
  const server = createServer((request, response) => {
    request.resume().on('end', () => {
      response.writeHead(204, { 'x-prometheus-remote-write-samples-written': String(SERIES) }).end();
    });
  });
  server.listen(0, '127.0.0.1', () => process.send?.((server.address() as AddressInfo).port));
  process.once('disconnect', () => process.exit());
}

async function run(): Promise<void> {
  const receiver = fork(import.meta.filename, ['receiver'], { execArgv: process.execArgv });
  const port = await new Promise<number>((resolve) => receiver.once('message', resolve as (message: unknown) => void));
  console.log(`${SERIES * BOUNDARIES} samples a round, 4 shards\n`);
  console.log(`${''.padEnd(6)} ${'best'.padStart(9)} ${'median'.padStart(9)}`);
  for (const protocol of ['1.0', '2.0'] as const) await measure(protocol, port);
  receiver.disconnect();
}

async function measure(protocol: Protocol, port: number): Promise<void> {
  const client = createRemoteWrite({
    url: `http://127.0.0.1:${port}/write`,
    userAgent: 'bench/1.0',
    protocol,
    queue: { minShards: 4, maxShards: 4 },
    sendExemplars: false,
  });
  const series = Array.from({ length: SERIES }, (_, i) => client.series(labelsOf(i), { type: 'counter' }));
  const rates: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const before = process.cpuUsage();
    for (let k = 0; k < BOUNDARIES; k++) {
      const timestampMs = FIRST_MS + (round * BOUNDARIES + k) * 15_000;
      await client.append(
        series.map((s, i): Point => ({ kind: 'sample', series: s, value: k + i * 0.37, timestampMs })),
      );
    }
    await client.flush();
    const { user, system } = process.cpuUsage(before);
    rates.push((SERIES * BOUNDARIES) / (user + system));
  }
  await client.close();
  rates.sort((a, b) => b - a);
  const [best, median] = [rates[0]!, rates[ROUNDS >> 1]!];
  console.log(
    `${protocol.padEnd(6)} ${best.toFixed(2).padStart(9)} ${median.toFixed(2).padStart(9)}  M samples per CPU second`,
  );
}

// What span metrics look like: a few services and status codes, many span names, a bucket bound.
function labelsOf(i: number): LabelPair[] {
  return [
    ['__name__', 'traces_spanmetrics_latency_bucket'],
    ['service', `shop-${i % 20}-service`],
    ['span_name', `GET /api/v2/resource/${Math.floor(i / 14)}/items`],
    ['span_kind', i % 2 === 0 ? 'SPAN_KIND_SERVER' : 'SPAN_KIND_CLIENT'],
    ['status_code', i % 10 === 0 ? 'STATUS_CODE_ERROR' : 'STATUS_CODE_OK'],
    ['__metrics_gen_instance', 'cluster-a/0'],
    ['k8s_namespace', `namespace-${i % 7}`],
    ['le', String(2 ** (i % 14) / 1000)],
  ];
}
