// Both requests written in the plainest way: no string is remembered, nothing is copied from what was written before. For samples,
// which the builders write in ways that depend on what came before.

import type { Exemplar, LabelPair, Metadata } from '../../src/index.ts';
import { compareUtf8, METRIC_TYPES } from '../../src/index.ts';

export interface PlainSample {
  labels: readonly LabelPair[];
  metadata: Metadata | undefined;
  value: number | 'stale';
  timestampMs: number;
  startMs: number;
  exemplars: readonly Exemplar[];
}

export function plainRequest(samples: readonly PlainSample[]): Uint8Array {
  return Buffer.concat(
    samples.map(({ labels, value, timestampMs, exemplars }) => {
      const label = ([name, text]: LabelPair) => field(0x0a, field(0x0a, utf8(name)), field(0x12, utf8(text)));
      return field(
        0x0a,
        ...sorted(labels).map(label),
        field(0x12, point(value, 0x09, timestampMs, 0x10)),
        ...exemplars.map((e) => field(0x1a, ...e.pairs.map(label), point(e.value, 0x11, e.timestampMs, 0x18))),
      );
    }),
  );
}

export function plainRequestV2(samples: readonly PlainSample[]): Uint8Array {
  const symbols = new Map([['', 0]]);
  const ref = (text: string): Buffer => {
    if (!symbols.has(text)) symbols.set(text, symbols.size);
    return varint(BigInt(symbols.get(text)!));
  };
  const series = samples.map(({ labels, metadata, value, timestampMs, startMs, exemplars }) => {
    const refs = (pairs: readonly LabelPair[]) => field(0x0a, ...pairs.flat().map(ref));
    const start = startMs === 0 ? [] : [Buffer.of(0x18), varint(BigInt(startMs))];
    // One by one, for the order in which the strings come first is theirs in the table.
    const parts = [refs(sorted(labels)), field(0x12, point(value, 0x09, timestampMs, 0x10), ...start)];
    for (const e of exemplars) parts.push(field(0x22, refs(e.pairs), point(e.value, 0x11, e.timestampMs, 0x18)));
    if (metadata !== undefined) {
      const type = Buffer.of(0x08, METRIC_TYPES.indexOf(metadata.type));
      const help = [Buffer.of(0x18), ref(metadata.help ?? '')];
      parts.push(field(0x2a, type, ...help, Buffer.of(0x20), ref(metadata.unit ?? '')));
    }
    return field(0x2a, ...parts);
  });
  return Buffer.concat([...[...symbols.keys()].map((text) => field(0x22, utf8(text))), ...series]);
}

function point(value: number | 'stale', valueTag: number, timestampMs: number, timestampTag: number): Buffer {
  const bytes = Buffer.alloc(9);
  bytes[0] = valueTag;
  if (value === 'stale') bytes.writeBigUInt64LE(0x7ff0000000000002n, 1);
  else if (Number.isNaN(value)) bytes.writeBigUInt64LE(0x7ff8000000000001n, 1);
  else bytes.writeDoubleLE(value, 1);
  return Buffer.concat([bytes, Buffer.of(timestampTag), varint(BigInt(timestampMs))]);
}

function field(tag: number, ...content: readonly Uint8Array[]): Buffer {
  const bytes = Buffer.concat(content);
  return Buffer.concat([Buffer.of(tag), varint(BigInt(bytes.length)), bytes]);
}

function varint(value: bigint): Buffer {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, value);
  for (; rest >= 0x80n; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80);
  return Buffer.from([...bytes, Number(rest)]);
}

function sorted(labels: readonly LabelPair[]): LabelPair[] {
  return [...labels].sort(([a], [b]) => compareUtf8(a, b));
}

function utf8(text: string): Buffer {
  return Buffer.from(text);
}
