import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createLoad, writeCorpus } from '../../src/generate/index.ts';
import { parseOptions } from '../../src/generate/options.ts';
import { generate } from './fake-receiver.ts';
import { callsOf, countCalls, countEdges, edgesOf } from './model.ts';
import { readRequest } from './otlp.ts';

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'spanmill-generate-'));
});
afterAll(() => rm(folder, { recursive: true }));

function* requestsOf(file: Buffer): Generator<Buffer> {
  for (let at = 0; at < file.length; ) {
    const size = file.readUInt32LE(at);
    yield file.subarray(at + 4, at + 4 + size);
    at += 4 + size;
  }
}

describe('a corpus', () => {
  it('holds whole requests behind their lengths, and its account is that of its bytes', async () => {
    const path = join(folder, 'a.bin');
    const { code, result } = await generate(['--file', path, '--spans', '5000', '--seed', '9']);
    expect(code).toBe(0);
    const spans = [...requestsOf(await readFile(path))].flatMap((bytes) => readRequest(bytes));
    expect(spans.length).toBe(5000);
    expect(result).toMatchObject({ seed: 9, spans: 5000, unknown: [] });
    expect(callsOf(result.calls)).toEqual(countCalls(spans));
    expect(edgesOf(result.edges)).toEqual(countEdges(spans).edges);
  });

  it('is the same file for the same seed and start, from the command and from the library', async () => {
    const [a, b, c] = ['b.bin', 'c.bin', 'd.bin'].map((name) => join(folder, name)) as [string, string, string];
    const argv = ['--spans', '3000', '--start', '1772359200', '--rate', '2000'];
    await generate(['--file', a, ...argv]);
    await generate(['--file', b, ...argv]);
    await writeCorpus(c, { seed: 1, startUnixNano: 1_772_359_200_000_000_000n, ratePerSecond: 2000, spans: 3000 });
    expect(await readFile(b)).toEqual(await readFile(a));
    expect(await readFile(c)).toEqual(await readFile(a));
  });

  it('ends after a duration of its own time', async () => {
    const path = join(folder, 'e.bin');
    const { result } = await generate(['--file', path, '--duration', '8s', '--rate', '250']);
    expect(result.spans).toBeGreaterThan(1950);
    expect(result.spans).toBeLessThan(2100);
  });

  it('ends at a whole request when it is interrupted', async () => {
    const stop = new AbortController();
    stop.abort();
    const path = join(folder, 'f.bin');
    const { code, result } = await generate(['--file', path], { signal: stop.signal });
    expect(code).toBe(0);
    expect(result.spans).toBe(0);
    expect((await readFile(path)).length).toBe(0);
  });

  it('that can not be written is one line and exit code 1', async () => {
    const { code, stdout, stderr } = await generate(['--file', join(folder, 'no', 'such', 'folder.bin')]);
    expect(code).toBe(1);
    expect(stdout).toBe('');
    expect(stderr).toMatch(/^spanmill generate: ENOENT[^\n]*\n$/);
  });
});

describe('a flag', () => {
  it.each([
    [[], 'where to? give --otlp URL, --grpc ADDR, --kafka BROKERS --topic T or --file FILE'],
    [['--otlp', 'http://a', '--file', 'b'], '--otlp and --file exclude each other'],
    [['--otlp', 'ftp://a'], '--otlp needs an http or https address, not "ftp://a"'],
    [['--otlp', 'localhost'], '--otlp needs an http or https address, not "localhost"'],
    [['--kafka', 'a', '--topic', 't', '--file', 'b'], '--kafka and --file exclude each other'],
    [['--kafka', 'a:9092'], '--kafka needs --topic NAME'],
    [['--kafka', 'a:9092', '--topic', ''], '--kafka needs --topic NAME'],
    [['--kafka', 'a:b', '--topic', 't'], '--kafka needs addresses such as localhost:9092, not "a:b"'],
    [['--kafka', 'a,', '--topic', 't'], '--kafka needs addresses such as localhost:9092, not "a,"'],
    [
      ['--kafka', 'a', '--topic', 't', '--encoding', 'avro'],
      '--encoding is push-bytes, otlp_proto, otlp_json, jaeger_proto, jaeger_json, zipkin_proto or zipkin_json, not "avro"',
    ],
    [['--kafka', 'a', '--topic', 't', '--codec', 'br'], '--codec is none, gzip, snappy, lz4 or zstd, not "br"'],
    [['--kafka', 'a', '--topic', 't', '--keyed', '--unkeyed'], '--keyed and --unkeyed exclude each other'],
    [['--kafka', 'a', '--topic', 't', '--gzip'], '--gzip goes with --otlp and --grpc only'],
    [['--file', 'a', '--topic', 't'], '--topic goes with --kafka only'],
    [['--otlp', 'http://a', '--unkeyed'], '--unkeyed goes with --kafka only'],
    [['--file', 'a', '--gzip'], '--gzip goes with --otlp and --grpc only'],
    [['--file', 'a', '--tenant', 'b'], '--tenant goes with --otlp, --grpc and --kafka only'],
    [['--file', 'a', '--rate', '-1'], /^Option '--rate'/],
    [['--file', 'a', '--rate', 'fast'], '--rate is an integer from 0 to 10000000, not "fast"'],
    [['--file', 'a', '--spans', '0'], /^--spans is an integer from 1 to/],
    [['--file', 'a', '--seed', '1.5'], /^--seed is an integer/],
    [['--otlp', 'http://a', '--concurrency', '0'], /^--concurrency is an integer from 1/],
    [['--otlp', 'http://a', '--tenant', 'a\nb'], /^--tenant holds a character/],
    [['--file', 'a', '--duration', '5 minutes'], /^--duration is a time such as/],
    [['--file', 'a', '--start', 'yesterday'], '--start is RFC 3339, Unix seconds or now, not "yesterday"'],
    [['--file', 'a', '--start', '2026-13-01T00:00:00Z'], /^--start is RFC 3339/],
    [['--file', 'a', '--batching', 'none'], '--batching is gateway or sdk, not "none"'],
    [['--file', 'a', '--colour'], /^Unknown option '--colour'/],
    [['--file', 'a', 'more'], /^Unexpected argument 'more'/],
  ] as [string[], string | RegExp][])('that is wrong is one clear line and exit code 2: %j', async (argv, expected) => {
    const { code, stdout, stderr } = await generate(argv);
    expect(code).toBe(2);
    expect(stdout).toBe('');
    expect(stderr).toMatch(/^spanmill generate: [^\n]+\n$/);
    const line = stderr.slice('spanmill generate: '.length, -1);
    if (typeof expected === 'string') expect(line).toBe(expected);
    else expect(line).toMatch(expected);
  });

  it.each([
    ['2026-01-01T00:00:00Z', 1_767_225_600_000_000_000n],
    ['2026-01-01T01:00:00.000000001+01:00', 1_767_225_600_000_000_001n],
    ['1767225600', 1_767_225_600_000_000_000n],
    ['now', 'now'],
  ])('--start reads %s', (value, start) => {
    expect(parseOptions(['--file', 'a', '--start', value])).toMatchObject({ start });
  });

  it('has a default', () => {
    expect(parseOptions(['--file', 'a'])).toMatchObject({
      seed: 1,
      ratePerSecond: 500,
      start: 1_767_225_600_000_000_000n,
    });
    expect(parseOptions(['--kafka', 'a, b:9093,[::1]', '--topic', 't'])).toMatchObject({
      start: 'now',
      spans: undefined,
      target: {
        brokers: ['a:9092', 'b:9093', '[::1]:9092'],
        encoding: 'otlp_proto',
        codec: 'none',
        isKeyed: true,
        tenant: '',
        concurrency: 4,
      },
    });
    const options = parseOptions(['--otlp', 'http://a:4318/base/']);
    expect(options).toMatchObject({ start: 'now', spans: undefined, target: { concurrency: 4, isGzip: false } });
    expect(String((options as { target: { url: URL } }).target.url)).toBe('http://a:4318/base/v1/traces');
  });

  it('--help prints the usage', async () => {
    const { code, stdout } = await generate(['--help']);
    expect(code).toBe(0);
    expect(stdout).toContain('Usage: spanmill generate');
  });
});

describe('createLoad', () => {
  it('refuses a seed or a rate that it can not honour', () => {
    const options = { seed: 1, startUnixNano: 0n, ratePerSecond: 500 };
    expect(() => createLoad({ ...options, seed: -1 })).toThrow(RangeError);
    expect(() => createLoad({ ...options, ratePerSecond: 0 })).toThrow(RangeError);
  });
});
