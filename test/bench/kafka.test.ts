// How the Kafka bench reads threads and profiles, and that the page's two makers leave each other's part alone.

import { describe, expect, test } from 'vitest';
import { type CpuProfile, owners } from '../../bench/kafka/profile.ts';
import { parseStat } from '../../bench/kafka/threads.ts';
import { KAFKA_HEADING, kafkaSection, withKafkaSection } from '../../bench/page-file.ts';

type Frame = [functionName: string, url: string, ...callees: Frame[]];

/** A profile with one sample of each of these frames, in the order of their ids, 1,000 µs apart. */
function profileOf(root: Frame): CpuProfile {
  const nodes: CpuProfile['nodes'] = [];
  const add = ([functionName, url, ...callees]: Frame): number => {
    const node = { id: nodes.length + 1, callFrame: { functionName, url }, children: [] as number[] };
    nodes.push(node);
    node.children = callees.map(add);
    return node.id;
  };
  add(root);
  const samples = nodes.map(({ id }) => id).slice(1);
  return { nodes, samples, startTime: 5_000_000, timeDeltas: samples.map(() => 1_000) };
}

describe('the owner of time in a profile', () => {
  const kafkajs = 'file:///app/node_modules/kafkajs/src/network/connection.js';
  const reader = 'file:///app/dist/log/kafka/record-batch.js';
  const profile = profileOf([
    '(root)',
    '',
    ['(idle)', ''],
    ['(garbage collector)', ''],
    [
      'onStreamRead',
      'node:internal/stream_base_commons',
      ['processData', kafkajs, ['concat', 'node:buffer'], ['set', '']],
    ],
    ['readRecords', reader, ['processChunkSync', 'node:zlib'], ['intern', 'file:///app/dist/bytes/byte-table.js']],
    ['send', 'file:///app/packages/remote-write-ts/dist/client/client.js'],
  ]);

  test('is the module, and for what Node or the engine does, its caller', () => {
    expect(Object.fromEntries(owners(profile, 0, Number.POSITIVE_INFINITY))).toEqual({
      'garbage collector': 1_000,
      node: 1_000,
      kafkajs: 3_000,
      'log/kafka': 1_000,
      decompression: 1_000,
      bytes: 1_000,
      'remote-write-ts': 1_000,
    });
  });

  test('is told between two times', () => {
    expect([...owners(profile, 5_004_000, 5_007_000)]).toEqual([['kafkajs', 3_000]]);
  });
});

test("a thread's time is read whatever its name", () => {
  const rest = Array.from({ length: 12 }, (_, i) => i + 100).join(' ');
  expect(parseStat(`71 (a (b) c) S 1 2 3 4 5 6 7 8 9 10 250 31 ${rest}`)).toEqual({ name: 'a (b) c', us: 2_810_000 });
});

describe('the page of numbers', () => {
  const section = `${KAFKA_HEADING}\n\nnew\n`;

  test('gets a section on Kafka, and another one in its place', () => {
    const once = withKafkaSection('# Performance\n\n## Parts\n\nx\n', `${KAFKA_HEADING}\n\nold\n`);
    expect(withKafkaSection(once, section)).toBe(`# Performance\n\n## Parts\n\nx\n\n${section}`);
  });

  test('keeps it when the rest is made anew', () => {
    const page = withKafkaSection('# Performance\n', section);
    expect(withKafkaSection('# Anew\n', kafkaSection(page))).toBe(`# Anew\n\n${section}`);
    expect(withKafkaSection('# Anew\n', kafkaSection('# Performance\n'))).toBe('# Anew\n');
  });
});
