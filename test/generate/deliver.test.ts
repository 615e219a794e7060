import { createServer } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { httpExporter, tracesUrl } from '../../src/generate/http-exporter.ts';
import { accept, answer, type Behaviour, fakeClock, generate, startReceiver } from './fake-receiver.ts';
import { callsOf, countCalls, countEdges, edgesOf } from './model.ts';
import { readRequest } from './otlp.ts';

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

async function receiver(behave: Behaviour, clock = fakeClock(), port = 0) {
  const started = await startReceiver(behave, clock, port);
  closers.push(started.stop);
  const spans = () => started.received.flatMap(({ body }) => readRequest(body));
  return { ...started, clock, spans };
}

describe('a load that a receiver takes', () => {
  it('is accounted as the receiver saw it', async () => {
    const { url, clock, spans, received } = await receiver(accept);
    const { code, result, stdout } = await generate(['--otlp', url, '--spans', '4000', '--tenant', 'shop'], { clock });
    expect(code).toBe(0);
    expect(stdout.trimEnd().split('\n').length).toBe(1);
    expect(result.spans).toBe(4000);
    expect(callsOf(result.calls)).toEqual(countCalls(spans()));
    expect(edgesOf(result.edges)).toEqual(countEdges(spans()).edges);
    expect(result.uncertain_edges).toBe(0);
    const { url: path, headers, method } = received[0]!.request;
    expect([path, method]).toEqual(['/v1/traces', 'POST']);
    expect(headers['content-type']).toBe('application/x-protobuf');
    expect(headers['x-scope-orgid']).toBe('shop');
  });

  it('goes out compressed with --gzip', async () => {
    const { url, clock, spans, received } = await receiver(accept);
    const { result } = await generate(['--otlp', `${url}/v1/traces`, '--spans', '300', '--gzip', '--rate', '0'], {
      clock,
    });
    expect(received[0]!.request.headers['content-encoding']).toBe('gzip');
    expect(received[0]!.request.url).toBe('/v1/traces');
    expect(callsOf(result.calls)).toEqual(countCalls(spans()));
  });

  it('carries end times near the clock, in pace with the rate', async () => {
    const { url, clock, received } = await receiver(accept);
    const startedMs = clock.nowMs();
    await generate(['--otlp', url, '--spans', '3000', '--rate', '100'], { clock });
    expect(clock.nowMs() - startedMs).toBeGreaterThan(29_000);
    expect(clock.nowMs() - startedMs).toBeLessThan(35_000);
    for (const { body, nowMs } of received) {
      for (const { endNano } of readRequest(body)) {
        const ageMs = nowMs - Number(endNano / 1_000_000n);
        expect(ageMs).toBeGreaterThanOrEqual(-1);
        expect(ageMs).toBeLessThan(6_000);
      }
    }
  });

  it('carries the present as its time when it is sent as fast as possible', async () => {
    const { url, clock, received } = await receiver(accept);
    await generate(['--otlp', url, '--spans', '3000', '--rate', '0'], { clock });
    for (const { body, nowMs } of received) {
      const ends = readRequest(body).map((span) => Number(span.endNano / 1_000_000n));
      expect(Math.abs(nowMs - Math.max(...ends))).toBeLessThan(10);
    }
  });

  it('keeps the times and bytes of a chosen start', async () => {
    const [a, b] = [await receiver(accept), await receiver(accept)];
    const argv = ['--spans', '2000', '--start', '2026-03-01T10:00:00.5Z', '--concurrency', '1'];
    await generate(['--otlp', a.url, ...argv], a);
    await generate(['--otlp', b.url, ...argv], b);
    expect(a.received.map(({ body }) => body)).toEqual(b.received.map(({ body }) => body));
    const first = a.spans().reduce((least, { startNano }) => (startNano < least ? startNano : least), 1n << 63n);
    expect(first - BigInt(Date.UTC(2026, 2, 1, 10, 0, 0, 500)) * 1_000_000n < 10_000n).toBe(true);
  });
});

describe('a receiver in trouble', () => {
  it('gets what it turned away with 503 or 429 again, once it can, and nothing twice', async () => {
    const behave: Behaviour = (n, response, request) => {
      if (n % 3 === 1) return answer(503)(n, response, request);
      if (n % 3 === 2) return answer(429, { 'retry-after': '1' })(n, response, request);
      return accept(n, response, request);
    };
    const { url, clock, spans } = await receiver(behave);
    const { result, stderr } = await generate(['--otlp', url, '--spans', '2000'], { clock });
    expect(result.spans).toBe(2000);
    expect(result.unknown).toEqual([]);
    expect(callsOf(result.calls)).toEqual(countCalls(spans()));
    expect(stderr).toMatch(/HTTP 503|HTTP 429/);
  });

  it('is waited for while nobody listens, and then hears of the present', async () => {
    const clock = fakeClock();
    const probe = createServer();
    await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve));
    const { port } = probe.address() as { port: number };
    await new Promise((resolve) => probe.close(resolve));
    let late: Awaited<ReturnType<typeof receiver>> | undefined;
    const startedMs = clock.nowMs();
    clock.onSleep = async (nowMs) => {
      if (nowMs - startedMs < 120_000 || late !== undefined) return;
      clock.onSleep = () => undefined;
      late = await receiver(accept, clock, port);
    };
    const { result, stderr } = await generate(['--otlp', `http://127.0.0.1:${port}`, '--spans', '1500'], { clock });
    expect(result.spans).toBe(1500);
    expect(result.unknown).toEqual([]);
    expect(stderr).toContain('ECONNREFUSED');
    expect(callsOf(result.calls)).toEqual(countCalls(late!.spans()));
    for (const { body, nowMs } of late!.received) {
      const newest = readRequest(body).reduce((most, { endNano }) => (endNano > most ? endNano : most), 0n);
      expect(Math.abs(nowMs - Number(newest / 1_000_000n))).toBeLessThan(5_000);
    }
  });

  it('that resets the connection after reading leaves an unknown, which is never sent again', async () => {
    const behave: Behaviour = (n, response, request) => {
      if (n % 7 !== 3) return accept(n, response, request);
      request.socket.destroy();
      // Whether it was processed is the receiver's secret.
      return n % 2 === 0;
    };
    const { url, clock, spans, requests } = await receiver(behave);
    const { code, result } = await generate(['--otlp', url, '--spans', '6000', '--batching', 'sdk'], { clock });
    expect(code).toBe(0);
    const lost = result.unknown.reduce((sum, entry) => sum + entry.requests, 0);
    expect(lost).toBe([...new Array(requests()).keys()].filter((n) => n % 7 === 3).length);
    const unknownSpans = result.unknown.reduce((sum, entry) => sum + entry.spans, 0);
    expect(result.spans + unknownSpans).toBe(6000);
    expect(new Set(spans().map((span) => span.spanId)).size).toBe(spans().length);
    const counted = countCalls(spans());
    const least = callsOf(result.calls);
    const more = new Map<string, number>();
    for (const entry of result.unknown) {
      for (const [key, count] of callsOf(entry.calls)) more.set(key, (more.get(key) ?? 0) + count);
    }
    for (const [key, count] of counted) {
      expect(count).toBeGreaterThanOrEqual(least.get(key) ?? 0);
      expect(count).toBeLessThanOrEqual((least.get(key) ?? 0) + (more.get(key) ?? 0));
    }
    expect(result.uncertain_edges).toBeGreaterThan(0);
  });

  it('that answers 400 refuses for good; 500, 502 and 504 leave an unknown', async () => {
    const statuses = [400, 413, 500, 502, 504];
    const behave: Behaviour = (n, response, request) =>
      n < statuses.length ? answer(statuses[n]!)(n, response, request) : accept(n, response, request);
    const { url, clock, spans } = await receiver(behave);
    const { result } = await generate(['--otlp', url, '--spans', '1000', '--concurrency', '1'], { clock });
    expect(result.refused.requests).toBe(2);
    expect(result.unknown.map((entry) => entry.reason)).toEqual(['HTTP 500', 'HTTP 502', 'HTTP 504']);
    expect(callsOf(result.calls)).toEqual(countCalls(spans()));
    expect(edgesOf(result.edges).size).toBeGreaterThan(0);
  });

  it('that rejects some spans in its answer leaves an unknown, and a refusal if it rejects all', async () => {
    const some = new Uint8Array([0x0a, 0x02, 0x08, 0x03]);
    const all = new Uint8Array([0x0a, 0x03, 0x08, 0xff, 0x0f]);
    const none = new Uint8Array([0x0a, 0x04, 0x12, 0x02, 0x6f, 0x6b]);
    const behave: Behaviour = (n, response, request) =>
      answer(200, {}, [some, all, none][n] ?? new Uint8Array(0))(n, response, request);
    const { url, clock } = await receiver(behave);
    const { result } = await generate(['--otlp', url, '--spans', '1000', '--concurrency', '1'], { clock });
    expect(result.unknown.map((entry) => entry.reason)).toEqual(['some spans rejected']);
    expect(result.refused.requests).toBe(1);
    expect(result.spans + result.unknown[0]!.spans + result.refused.spans).toBe(1000);
  });

  it('that never answers, or stops in the middle of its answer, leaves an unknown', async () => {
    const behave: Behaviour = (n, response, request) => {
      if (n === 0) return false;
      response.writeHead(200, { 'content-length': '10' });
      response.write('abc', () => request.socket.destroy());
      return false;
    };
    const { url } = await receiver(behave);
    const options = { url: tracesUrl(url), isGzip: false, tenant: '', concurrency: 1, answerTimeoutMs: 50 };
    const exporter = httpExporter(options);
    const { signal } = new AbortController();
    expect(await exporter.send(new Uint8Array(10), 1, signal)).toEqual({
      type: 'unknown',
      reason: 'no answer in time',
    });
    expect(await exporter.send(new Uint8Array(10), 1, signal)).toEqual({ type: 'unknown', reason: 'answer cut short' });
    exporter.close();
  });
});

describe('a signal', () => {
  it('ends an endless load in order: what was begun goes out, and the account is printed', async () => {
    const stop = new AbortController();
    const behave: Behaviour = (n, response, request) => {
      if (n === 40) stop.abort();
      return accept(n, response, request);
    };
    const { url, clock, spans, requests } = await receiver(behave);
    const { code, result } = await generate(['--otlp', url], { clock, signal: stop.signal });
    expect(code).toBe(0);
    expect(requests()).toBeGreaterThan(40);
    expect(result.unsent.spans).toBe(0);
    expect(callsOf(result.calls)).toEqual(countCalls(spans()));
    expect(edgesOf(result.edges)).toEqual(countEdges(spans()).edges);
  });

  it('ends a load whose receiver turns everything away: nothing is unknown', async () => {
    const stop = new AbortController();
    const behave: Behaviour = (n, response, request) => {
      if (n === 20) stop.abort();
      return answer(503)(n, response, request);
    };
    const { url, clock } = await receiver(behave);
    const { code, result } = await generate(['--otlp', url], { clock, signal: stop.signal });
    expect(code).toBe(0);
    expect(result.spans).toBe(0);
    expect(result.unknown).toEqual([]);
    expect(result.unsent.spans).toBeGreaterThan(0);
  });

  it('does not wait for traces that have hardly begun', async () => {
    const stop = new AbortController();
    const clock = fakeClock();
    const { url } = await receiver(accept, clock);
    const startedMs = clock.nowMs();
    clock.onSleep = () => stop.abort();
    const { code } = await generate(['--otlp', url, '--rate', '1'], { clock, signal: stop.signal });
    expect(code).toBe(0);
    expect(clock.nowMs() - startedMs).toBeLessThan(60_000);
  });
});
