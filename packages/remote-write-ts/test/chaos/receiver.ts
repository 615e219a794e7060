// A receiver that misbehaves at random, and checks of each series that nothing is missing, nothing comes in the wrong order,
// and nothing comes again that it has acknowledged. It never says that it has stored what it hasn't.

import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { promisify } from 'node:util';
import { decodeWriteRequest, decodeWriteRequestV2, type Protocol, snappyUncompress } from '../../src/index.ts';
import type { Random } from '../disk-queue/random.ts';

/** What it does to a request, and how often: shares of all requests. The rest is answered well. */
export const MISCHIEF = {
  /** 500 or 503; the body is read. */
  error: 0.08,
  /** 429 with seconds, with a date, with neither. */
  tooMany: 0.08,
  /** No answer; stored or not. */
  hang: 0.015,
  /** The connection ends without an answer; stored or not. */
  reset: 0.08,
  /** The connection ends in the middle of the body. */
  halfRead: 0.05,
  /** 503 before the body is read. */
  hasty: 0.04,
  /** The status says that it is stored, and it is; the connection ends in the middle of the answer's body. */
  halfAnswer: 0.05,
  /** To 2.0 under `auto` only: not understood, not stored. */
  unsupported: 0.05,
  /** To 2.0 under `auto` only: 204 like a receiver of 1.0, which has read an empty message. */
  oldReceiver: 0.05,
} as const;
export type Mischief = keyof typeof MISCHIEF;

export interface ChaosReceiver {
  url: string;
  /** How often it did what. */
  done: Map<Mischief | 'well', number>;
  /** The waits, ms, that it asked for. */
  asked: number[];
  /** What was wrong with what came. */
  problems: string[];
  /** By series: the last value, counted from 0. */
  last: Map<string, number>;
  /** The sender has seen that this body was taken. */
  acknowledge(body: Uint8Array): void;
  /**
   * The sender is gone. Waits for the end of what it had on its way, and from then on expects another sender, who can't know
   * the last answers: of each series so many values may come again.
   */
  expectAnother(values: number): Promise<void>;
  close(): Promise<void>;
}

export async function startChaos(random: Random, isAuto: boolean, now: () => number): Promise<ChaosReceiver> {
  /** By series: up to where the sender knows that it is stored. */
  const acknowledged = new Map<string, number>();
  /** By body: what is in it. */
  const stored = new Map<string, [key: string, value: number][]>();
  const receiver: ChaosReceiver = {
    url: '',
    done: new Map(),
    asked: [],
    problems: [],
    last: new Map(),
    acknowledge(body) {
      for (const [key, value] of stored.get(digest(body)) ?? []) {
        acknowledged.set(key, Math.max(acknowledged.get(key) ?? -1, value));
      }
    },
    async expectAnother(values) {
      while ((await promisify(server.getConnections).call(server)) > 0) {
        await new Promise((resolve) => setImmediate(resolve));
      }
      for (const [key, value] of acknowledged) acknowledged.set(key, value - values);
    },
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };

  function pick(protocol: Protocol): Mischief | 'well' {
    let at = random();
    for (const [mischief, share] of Object.entries(MISCHIEF) as [Mischief, number][]) {
      at -= share;
      if (at >= 0) continue;
      const isAboutProtocol = mischief === 'unsupported' || mischief === 'oldReceiver';
      return isAboutProtocol && !(isAuto && protocol === '2.0') ? 'well' : mischief;
    }
    return 'well';
  }

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const protocol: Protocol = String(request.headers['content-type']).includes('v2.Request') ? '2.0' : '1.0';
    const mischief = pick(protocol);
    receiver.done.set(mischief, (receiver.done.get(mischief) ?? 0) + 1);
    if (mischief === 'halfRead') {
      request.once('data', () => request.socket.resetAndDestroy());
      return;
    }
    if (mischief === 'hasty') {
      response.writeHead(503).end('too early');
      return;
    }
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    // On a busy machine a sender may have given up on a request that hasn't been looked at. No sender can help it that such a
    // one is stored late, after its repeat; so it isn't.
    for (let turns = 0; turns < 3; turns++) await new Promise((resolve) => setImmediate(resolve));
    if (request.socket.destroyed) return;
    const store = () => take(protocol, Buffer.concat(chunks));
    switch (mischief) {
      case 'error':
        response.writeHead(random.chance(0.5) ? 500 : 503).end('no');
        return;
      case 'tooMany':
        response.writeHead(429, retryAfter()).end('slow down');
        return;
      case 'hang':
        if (random.chance(0.5)) store();
        return;
      case 'reset':
        if (random.chance(0.5)) store();
        request.socket.resetAndDestroy();
        return;
      case 'unsupported':
        response.writeHead(415).end('what?');
        return;
      case 'oldReceiver':
        response.writeHead(204).end();
        return;
      case 'halfAnswer':
        response.writeHead(200, { ...store(), 'content-length': '1000' });
        response.write('the beginn', () => request.socket.resetAndDestroy());
        return;
      default:
        response.writeHead(random.chance(0.5) ? 204 : 200, store()).end();
    }
  }

  function retryAfter(): Record<string, string> {
    const seconds = 10 + random.below(50);
    const form = random.below(3);
    if (form === 2) return {};
    receiver.asked.push(seconds * 1000);
    if (form === 0) return { 'retry-after': String(seconds) };
    return { 'retry-after': new Date(now() + seconds * 1000).toUTCString() };
  }

  /** @returns the headers that say so. */
  function take(protocol: Protocol, body: Buffer): Record<string, string> {
    const bytes = snappyUncompress(body, 1 << 24);
    const { timeseries } = protocol === '2.0' ? decodeWriteRequestV2(bytes) : decodeWriteRequest(bytes);
    const counts = { samples: 0, histograms: 0, exemplars: 0 };
    const taken: [key: string, value: number][] = [];
    for (const { labels, samples, histograms, exemplars } of timeseries) {
      const key = JSON.stringify(labels);
      counts.samples += samples.length;
      counts.histograms += histograms.length;
      counts.exemplars += exemplars.length;
      for (const value of [...samples.map((sample) => sample.value), ...histograms.map(({ sum }) => sum)]) {
        const last = receiver.last.get(key) ?? -1;
        if (value > last + 1) receiver.problems.push(`${key}: ${value} after ${last}`);
        if (value <= (acknowledged.get(key) ?? -1)) receiver.problems.push(`${key}: ${value} again`);
        receiver.last.set(key, Math.max(last, value));
        taken.push([key, value]);
      }
    }
    stored.set(digest(body), taken);
    return protocol === '2.0' ? writtenHeaders(counts) : {};
  }

  // A sender that gives up while its body is read is no problem of the test's.
  const server = createServer((request, response) => void serve(request, response).catch(() => {}));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  receiver.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/api/v1/write`;
  return receiver;
}

function digest(body: Uint8Array): string {
  return createHash('sha1').update(body).digest('hex');
}

function writtenHeaders(counts: { samples: number; histograms: number; exemplars: number }): Record<string, string> {
  return Object.fromEntries(
    Object.entries(counts).map(([kind, count]) => [`x-prometheus-remote-write-${kind}-written`, String(count)]),
  );
}
