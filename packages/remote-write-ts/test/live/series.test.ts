// What real receivers know of a series: its names in UTF-8, and its metadata, which 2.0 brings with each series and 1.0 in requests of
// their own. No Prometheus tells metadata that were written to it by its API, so they are looked for in its log.

import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createRemoteWrite, createSeries, type Point, type RemoteWrite } from '../../src/index.ts';
import { abilitiesOf, api, findBinary, type Live, liveTitle, startPrometheus } from './servers.ts';

const PROMETHEUS = findBinary('PROMETHEUS_BIN', 'prometheus');
const { speaks2 } = abilitiesOf(PROMETHEUS);

describe.skipIf(!PROMETHEUS)(
  liveTitle('a series and a real Prometheus', PROMETHEUS, 'PROMETHEUS_BIN', 'prometheus'),
  () => {
    let live: Live;
    let client: RemoteWrite;

    beforeAll(async () => {
      live = await startPrometheus(PROMETHEUS!, 'metadata-wal-records', {
        flags: ['--no-storage.tsdb.wal-compression'],
      });
      client = createRemoteWrite({ url: `${live.base}/api/v1/write`, userAgent: 'remote-write-ts-test/0.1' });
    });
    afterAll(async () => {
      await client?.close(1_000);
      await live?.remove();
    });

    async function send(...points: Point[]): Promise<void> {
      await client.append(points);
      await client.flush();
    }

    const select = async (query: string, atMs: number) =>
      (
        await api<{ result: { metric: Record<string, string>; value: [number, string] }[] }>(live.base, 'query', {
          query,
          time: String(atMs / 1000),
        })
      ).result.map(({ metric, value }) => [metric, value[1]]);

    it('keeps names of any Unicode letters, and they can be selected where the query language has them', async () => {
      const labels: [string, string][] = [
        ['__name__', 'http.requests'],
        ['http.method', 'GET'],
        ['größe', '日本'],
        ['😀', '😀'],
      ];
      const nowMs = Date.now();
      await send({ kind: 'sample', series: createSeries(labels), value: 4, timestampMs: nowMs });
      expect(client.stats()).toMatchObject({ sent: { samples: 1 }, failed: { samples: 0 } });
      const all = [[Object.fromEntries(labels), '4']];
      expect(await select('{__name__="http.requests"}', nowMs)).toEqual(all);
      const quoted = select('{"http.requests", "http.method"="GET", "größe"="日本", "😀"!=""}', nowMs);
      if (speaks2) expect(await quoted).toEqual(all);
      else await expect(quoted).rejects.toThrow('parse error');
    });

    it('has its metadata: of 2.0 with the series, in the log; of 1.0 in requests that are taken', async () => {
      const before = client.stats();
      const series = createSeries([['__name__', 'described_seconds_total']], {
        type: 'counter',
        help: 'Größe: "described", once.',
        unit: 'seconds',
      });
      const nowMs = Date.now();
      await send({ kind: 'sample', series, value: 1, timestampMs: nowMs });
      const after = client.stats();
      expect(after.sent.metadata - before.sent.metadata).toBe(1);
      expect(after.failed.metadata).toBe(0);
      const log = await walOf(live);
      expect(log.includes('described_seconds_total')).toBe(true);
      expect(log.includes('Größe: "described", once.')).toBe(speaks2);
      expect(await api(live.base, 'metadata', {})).toEqual({});
      const page = await (await fetch(`${live.base}/metrics`)).text();
      const without = /^prometheus_api_remote_write_without_metadata_appended_samples_total (.*)$/m.exec(page)?.[1];
      // The series of the test before has none.
      if (speaks2) expect(Number(without)).toBeLessThanOrEqual(1);
      else expect(without).toBeUndefined();
    });
  },
);

async function walOf({ dir }: Live): Promise<Buffer> {
  const wal = join(dir, 'data', 'wal');
  const names = (await readdir(wal)).filter((name) => /^\d+$/.test(name));
  return Buffer.concat(await Promise.all(names.map((name) => readFile(join(wal, name)))));
}
