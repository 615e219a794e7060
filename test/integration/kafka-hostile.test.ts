// What a topic and its operators do to spanmill at their worst: records that nobody should write, offsets and ledgers that are gone, an
// owner that stands still. Counts are compared with what the producer was told is stored.

import { type ChildProcess, spawn } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import type { Message } from 'kafkajs';
import { decodeWriteRequest, snappyUncompress } from 'remote-write-ts';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { pushBytes } from '../../src/log/kafka/sink.ts';
import { plainSpan, requestBytes } from '../fold/spans.ts';
import { describeWithKafka, useBroker } from './kafka/broker.ts';
import { LAUNCHER } from './support/spanmill.ts';
import { freePort, Hopeless, waitFor } from './support/wait.ts';

vi.setConfig({ testTimeout: 120_000 });

const TOPICS = 7;
const NO_LIMIT_MS = '9223372036854775807';
const YEAR_2100 = String(Date.UTC(2100, 0, 1));
const WAITS = 'another member of the group holds the shards';

/** Run after all tests: they run at the same time, as most of each is waiting. */
const cleanups: (() => Promise<void> | void)[] = [];

interface Exit {
  code: number | null;
  signal: NodeJS.Signals | null;
}

/** A process that need not become ready, may be stopped like a debugger would, and may have another one's ledger. */
class Process {
  readonly ledger: string;
  log = '';
  exit: Exit | undefined;
  private readonly dir = mkdtempSync(join(tmpdir(), 'spanmill-hostile-'));
  private readonly file = join(this.dir, 'config.yaml');
  private readonly url: string;
  private child: ChildProcess | undefined;

  private constructor(port: number, kafka: string, writeTo: string | undefined) {
    this.ledger = join(this.dir, 'ledger');
    this.url = `http://127.0.0.1:${port}`;
    writeFileSync(
      this.file,
      `
server: { http_listen_port: ${port} }
multitenancy_enabled: true
receivers: { otlp: { http: null, grpc: null } }
log: { kind: kafka, kafka: { ${kafka} } }
ledger: { path: ${this.ledger} }
metrics_generator:
  registry: { collection_interval: 1s, stale_duration: 2h }
  storage: { remote_write: [${writeTo === undefined ? '' : `{ url: "${writeTo}" }`}] }
`,
    );
  }

  static async make(kafka: string, writeTo?: string): Promise<Process> {
    const made = new Process(await freePort(), kafka, writeTo);
    cleanups.push(() => made.remove());
    return made;
  }

  start(): void {
    this.log = '';
    this.exit = undefined;
    const child = spawn(LAUNCHER, [`-config.file=${this.file}`], { stdio: ['ignore', 'ignore', 'pipe'] });
    child.stderr.on('data', (chunk: Buffer) => {
      this.log += chunk.toString();
    });
    child.once('close', (code, signal) => {
      this.exit = { code, signal };
    });
    this.child = child;
  }

  async run(): Promise<void> {
    this.start();
    await waitFor('spanmill to be ready', async () => (await fetch(`${this.url}/ready`)).ok);
  }

  signal(name: NodeJS.Signals): void {
    this.child!.kill(name);
  }

  async end(name: NodeJS.Signals = 'SIGTERM'): Promise<Exit> {
    this.signal(name);
    return this.ended();
  }

  async ended(): Promise<Exit> {
    await waitFor('spanmill to end', () => this.exit !== undefined).catch((error) => {
      throw new Error(this.log.slice(-2_000), { cause: error });
    });
    return this.exit!;
  }

  /** Starts it and waits until it has given up; what it said last. */
  async refusal(): Promise<string> {
    this.start();
    expect(await this.ended()).toEqual({ code: 1, signal: null });
    return this.log;
  }

  async notReadyBecause(): Promise<string> {
    return (await fetch(`${this.url}/ready`)).text();
  }

  /** By span name. */
  async calls(tenant = 'single-tenant'): Promise<Record<string, number>> {
    const text = await (await fetch(`${this.url}/span-metrics`, { headers: { 'X-Scope-OrgID': tenant } })).text();
    const counts: Record<string, number> = {};
    for (const [, labels, value] of text.matchAll(/^traces_spanmetrics_calls_total\{(.*)\} (\d+)/gm))
      counts[/span_name="([^"]*)"/.exec(labels!)?.[1] ?? ''] = Number(value);
    return counts;
  }

  async hasCalls(wanted: Record<string, number>, tenant?: string): Promise<void> {
    let got: Record<string, number> = {};
    await waitFor(`counts of ${Object.keys(wanted)}`, async () => {
      if (this.exit) throw new Hopeless(`spanmill ended: ${this.log.slice(-2_000)}`);
      got = await this.calls(tenant);
      return Object.entries(wanted).every(([name, count]) => got[name] === count);
    }).catch(() => undefined);
    expect(got).toEqual(wanted);
  }

  async metric(pattern: RegExp): Promise<string | undefined> {
    return pattern.exec(await (await fetch(`${this.url}/metrics`)).text())?.[1];
  }

  private async remove(): Promise<void> {
    if (this.child && !this.exit) await this.end('SIGKILL');
    rmSync(this.dir, { recursive: true, force: true });
  }
}

interface Sample {
  from: string;
  atMs: number;
  tMs: number;
  series: string;
  value: number;
}

/** Takes all samples, and notes by whose path and when they came. */
async function startRecorder(): Promise<{ url: string; samples: Sample[] }> {
  const samples: Sample[] = [];
  const server = createServer(async (request, response) => {
    const bytes = snappyUncompress(await buffer(request), 2 ** 26);
    for (const { labels, samples: points } of decodeWriteRequest(bytes).timeseries)
      for (const { timestampMs, value } of points)
        samples.push({ from: request.url!, atMs: Date.now(), tMs: timestampMs, series: JSON.stringify(labels), value });
    response.end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  cleanups.push(() => void server.close());
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, samples };
}

let spans = 0;

function request(name: string, count: number, endMs = Date.now()): Buffer {
  const endNs = BigInt(endMs) * 1_000_000n;
  const make = () => {
    const id = (++spans).toString(16).padStart(16, '0');
    return plainSpan({ name, trace: id + id, id, startNs: endNs - 1_000_000n, endNs });
  };
  return Buffer.from(
    requestBytes([{ resource: [['service.name', 'shop']], spans: Array.from({ length: count }, make) }]),
  );
}

describeWithKafka('a hostile topic', () => {
  const broker = useBroker();
  const topics: string[] = [];
  // One after another, while nothing else runs: a broker that is busy denies for a moment that a new topic is there.
  beforeAll(async () => {
    while (topics.length < TOPICS)
      topics.push(await broker.createTopic(1, { 'message.timestamp.after.max.ms': NO_LIMIT_MS }));
  });
  afterAll(async () => {
    await Promise.all(cleanups.map((clean) => clean()));
  });

  const settings = (topic: string, more = '') =>
    `brokers: ["${broker.brokers.join('", "')}"], topic: ${topic}, consumer_group: of-${topic}, encoding: auto, start: earliest${more}`;

  /** A new producer each time: one that lives on remembers topics that are gone. */
  async function write(topic: string, messages: Message[]): Promise<void> {
    const producer = broker.kafka().producer({ idempotent: true });
    await producer.connect();
    await producer.send({ topic, messages });
    await producer.disconnect();
  }

  /** By a client of its own, again where that has not learnt of the topic's leader yet. */
  async function deleteBefore(topic: string, offset: number): Promise<void> {
    const admin = broker.kafka().admin();
    await admin.connect();
    await waitFor('records to be deleted', async () => {
      await admin.fetchTopicMetadata({ topics: [topic] });
      await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: String(offset) }] });
      return true;
    });
    await admin.disconnect();
  }

  it.concurrent('counts every good span among records that nobody should write, also through kill -9', async () => {
    const topic = topics.pop()!;
    const spanmill = await Process.make(settings(topic));
    await spanmill.run();
    const badTrace = Buffer.from([0x0a, 0xff, 0xff, 0x01, 0x02]);
    const nextTo = Buffer.concat([request('next to a bad trace', 2), request('and after it', 3)].map(pushBytes));
    const good = request('cut off', 1);
    await write(topic, [
      { value: request('first', 5) },
      { value: request('from the future', 7), timestamp: YEAR_2100 },
      { value: request('stamped 1970', 9), timestamp: '0' },
      { value: request('of 1970', 4, 1_000), timestamp: '1000' },
      { key: 'a', value: null },
      { value: Buffer.alloc(0) },
      ...['{', '[null]', '[{"traceId":null}]', '{"resourceSpans":[{"scopeSpans":[{"spans":[{"name":5}]}]}]}'].map(
        (text) => ({
          value: Buffer.from(text),
        }),
      ),
      ...Array.from({ length: good.length - 1 }, (_, i) => ({ value: good.subarray(0, i + 1) })),
      { value: Buffer.concat([nextTo, pushBytes(badTrace), pushBytes(request('at the end', 1))]) },
      ...['..', 'a/b', 'ü', 'x'.repeat(151)].map((key) => ({ key, value: pushBytes(request('of nobody', 1)) })),
      { key: '*', value: pushBytes(request('of a star', 6)) },
      { headers: { 'x-scope-orgid': '*' }, value: request('of a star by header', 1) },
    ]);
    const wanted: Record<string, number> = {
      first: 5,
      'from the future': 7,
      'of 1970': 4,
      'next to a bad trace': 2,
      'and after it': 3,
      'at the end': 1,
    };
    await spanmill.hasCalls(wanted);
    await spanmill.hasCalls({ 'of a star': 6, 'of a star by header': 1 }, '*');
    expect(await spanmill.metric(/outside_metrics_ingestion_slack".*\} (\d+)/)).toBe('9');
    expect(await spanmill.metric(/skipped_records_total\{reason="invalid_tenant"\} (\d+)/)).toBe('4');

    const open = broker
      .kafka()
      .producer({ transactionalId: `open-${topic}`, maxInFlightRequests: 1, idempotent: true });
    await open.connect();
    cleanups.push(() => open.disconnect());
    const within = async (name: string) => {
      const transaction = await open.transaction();
      await transaction.send({ topic, messages: [{ value: request(name, 2) }] });
      return transaction;
    };
    await (await within('aborted')).abort();
    await (await within('committed')).commit();
    const last = await within('committed late');
    await write(topic, [{ value: request('behind an open transaction', 1) }]);
    await spanmill.hasCalls({ ...wanted, committed: 2 });
    await spanmill.end('SIGKILL');
    spanmill.start();
    await last.commit();
    await spanmill.hasCalls({ ...wanted, committed: 2, 'committed late': 2, 'behind an open transaction': 1 });
    expect(await spanmill.end()).toEqual({ code: 0, signal: null });
  });

  it.concurrent('sends nothing more once it stood still and another process took over with its ledger', async () => {
    const topic = topics.pop()!;
    const recorder = await startRecorder();
    const owner = await Process.make(settings(topic), `${recorder.url}/owner`);
    const heir = await Process.make(settings(topic), `${recorder.url}/heir`);
    const stranger = await Process.make(settings(topic), `${recorder.url}/stranger`);
    await owner.run();
    stranger.start();
    await waitFor('the second one to say what it waits for', () => stranger.log.includes(WAITS));
    expect(await stranger.notReadyBecause()).not.toBe('ready\n');
    expect(await stranger.end()).toEqual({ code: 0, signal: null });

    await write(topic, [{ value: request('before', 4) }]);
    await owner.hasCalls({ before: 4 });
    await write(topic, [{ value: request('when it stops', 3) }]);
    owner.signal('SIGSTOP');
    await write(topic, [{ value: request('while it stands', 2) }]);
    cpSync(owner.ledger, heir.ledger, { recursive: true, filter: (path) => !path.endsWith('lock') });
    await heir.run();
    const all = { before: 4, 'when it stops': 3, 'while it stands': 2 };
    await heir.hasCalls(all);
    owner.signal('SIGCONT');
    const wentOnMs = Date.now();
    await waitFor('the first one to know', async () => owner.log.includes('the shards were lost to another process'));
    await write(topic, [{ value: request('afterwards', 1) }]);
    await heir.hasCalls({ ...all, afterwards: 1 });
    expect(await owner.notReadyBecause()).toContain('another process has the shards');
    await waitFor('the sample of the last count', () =>
      recorder.samples.some(({ from, series }) => from === '/heir' && series.includes('afterwards')),
    );

    const byHeir = recorder.samples.filter(({ from }) => from === '/heir');
    const byOwner = recorder.samples.filter(({ from }) => from === '/owner');
    const values = new Map(byHeir.map(({ series, tMs, value }) => [`${series} ${tMs}`, value]));
    // One request may have been under way when it was stopped: of a boundary that the group had, with the values that it has for all.
    for (const { series, tMs, value, atMs } of byOwner)
      if (atMs >= wentOnMs) expect(values.get(`${series} ${tMs}`) ?? value).toBe(value);
    const newest = (samples: Sample[]) => samples.reduce((most, { tMs }) => Math.max(most, tMs), 0);
    expect(newest(byOwner)).toBeLessThan(newest(byHeir));
    expect(byOwner.some(({ series }) => series.includes('while it stands'))).toBe(false);
    expect(recorder.samples.filter(({ from }) => from === '/stranger')).toEqual([]);

    // What the owner's ledger lacks was folded by the heir: it must not go on from there.
    expect(await heir.end()).toEqual({ code: 0, signal: null });
    expect(await owner.ended()).toMatchObject({ code: 1 });
    expect(owner.log).toContain('restore the ledger; or delete');
  });

  it.concurrent('goes on where that is right, and else says what to do, when offsets, group or ledger are gone', async () => {
    const topic = topics.pop()!;
    const groupId = `of-${topic}`;
    const spanmill = await Process.make(settings(topic));
    await spanmill.run();
    await write(topic, [{ value: request('one', 3) }]);
    await spanmill.hasCalls({ one: 3 });
    await spanmill.end();

    await broker.admin().setOffsets({ groupId, topic, partitions: [{ partition: 0, offset: '0' }] });
    expect(await spanmill.refusal()).toContain("delete the group's offsets to go on from the ledger");
    await broker.admin().deleteGroups([groupId]);
    await write(topic, [{ value: request('two', 2) }]);
    await spanmill.run();
    await spanmill.hasCalls({ one: 3, two: 2 });
    await spanmill.end();

    rmSync(spanmill.ledger, { recursive: true });
    expect(await spanmill.refusal()).toContain("restore the ledger; or delete the group's offsets");
    await broker.admin().deleteGroups([groupId]);
    await spanmill.run();
    await spanmill.hasCalls({ one: 3, two: 2 });
    await spanmill.end();

    await broker.admin().deleteTopics({ topics: [topic] });
    await waitFor('the topic to be gone', async () => !(await broker.admin().listTopics()).includes(topic));
    await broker.admin().createTopics({ waitForLeaders: false, topics: [{ topic, numPartitions: 1 }] });
    await waitFor('the topic to be there', async () => {
      const { topics } = await broker.admin().fetchTopicMetadata({ topics: [topic] });
      return topics[0]?.partitions[0]?.leader === 1;
    });
    await write(topic, [{ value: request('of another topic', 1) }]);
    expect(await spanmill.refusal()).toContain('the log was cut back or replaced');
  });

  it.concurrent.each(['continue', 'stop'])(
    'obeys on_log_gap: %s when records were deleted while it was down',
    async (how) => {
      const topic = topics.pop()!;
      const spanmill = await Process.make(settings(topic, `, on_log_gap: ${how}`));
      await spanmill.run();
      await write(topic, [{ value: request('folded', 3) }]);
      await spanmill.hasCalls({ folded: 3 });
      await spanmill.end();
      await write(
        topic,
        Array.from({ length: 4 }, () => ({ value: request('later', 1) })),
      );
      await deleteBefore(topic, 3);
      if (how === 'stop') {
        expect(await spanmill.refusal()).toContain(
          'records 1 to 2 of partition 0 were deleted before they were folded',
        );
        return;
      }
      await spanmill.run();
      await spanmill.hasCalls({ folded: 3, later: 2 });
      expect(await spanmill.metric(/spanmill_records_lost_total(?:\{.*\})? (\d+)/)).toBe('2');
      await spanmill.end();
    },
  );

  it.concurrent('counts tenants whose names every object of the language has', async () => {
    const topic = topics.pop()!;
    const spanmill = await Process.make(settings(topic));
    await spanmill.run();
    const names = ['constructor', '__proto__', 'toString'];
    await write(topic, [
      ...names.map((key) => ({ key, value: pushBytes(request('odd', 2)) })),
      { value: request('behind them', 1) },
    ]);
    await spanmill.hasCalls({ 'behind them': 1 });
    for (const name of names) expect([name, await spanmill.calls(name)]).toEqual([name, { odd: 2 }]);
  });

  it.concurrent('obeys on_log_gap: continue when records are deleted while it runs', async () => {
    const topic = topics.pop()!;
    const spanmill = await Process.make(settings(topic, ', on_log_gap: continue'));
    await spanmill.run();
    await write(topic, [{ value: request('folded', 3) }]);
    await spanmill.hasCalls({ folded: 3 });
    spanmill.signal('SIGSTOP');
    // Answers the fetch that is under way, which waits for half a megabyte: none of those after it is delivered before it is deleted.
    await write(topic, [{ value: request('under way', 10_000) }]);
    await write(
      topic,
      Array.from({ length: 4 }, () => ({ value: request('later', 1) })),
    );
    await deleteBefore(topic, 4);
    spanmill.signal('SIGCONT');
    await waitFor('the records that are left', async () => {
      if (spanmill.exit) throw new Hopeless(spanmill.log);
      return (await spanmill.calls())['later'] === 2;
    });
    expect((await spanmill.calls())['folded']).toBe(3);
  });
});
