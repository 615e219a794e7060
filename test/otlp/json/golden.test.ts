// Requests that the OpenTelemetry collector's encoder wrote, beside the JSON that it read: `requests.bin` holds, for each input
// of `spans.otlp.json`, a uint32 (little endian) length and the message.

import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { transcodeJson, transcodeRequestObject } from '../../../src/otlp/json/index.ts';
import { decodeRequest } from '../split/reference.ts';

const FIXTURES = new URL('./fixtures/', import.meta.url);

interface Step {
  resourceSpans?: unknown[];
  proto_base64?: string;
}

function load(name: string): { input: Step; expected: Buffer }[] {
  const steps: Step | Step[] = JSON.parse(readFileSync(new URL(`${name}/spans.otlp.json`, FIXTURES), 'utf8'));
  const bin = readFileSync(new URL(`${name}/requests.bin`, FIXTURES));
  const messages: Buffer[] = [];
  for (let pos = 0; pos < bin.length; ) {
    const size = bin.readUInt32LE(pos);
    messages.push(bin.subarray(pos + 4, pos + 4 + size));
    pos += 4 + size;
  }
  const inputs = [steps].flat().filter((step) => step.resourceSpans ?? step.proto_base64);
  expect(inputs).toHaveLength(messages.length);
  return inputs
    .map((input, i) => ({ input, expected: messages[i]! }))
    .filter(({ input }) => input.resourceSpans !== undefined);
}

describe.each(readdirSync(FIXTURES))('%s', (name) => {
  test('is what the collector makes of it, byte for byte', () => {
    const requests = load(name);
    expect(requests.length).toBeGreaterThan(0);
    for (const { input, expected } of requests) {
      expect(Buffer.from(transcodeRequestObject(input, { profile: 'collector' }))).toEqual(expected);
      expect(Buffer.from(transcodeJson(Buffer.from(JSON.stringify(input)), { profile: 'collector' }))).toEqual(
        expected,
      );
    }
  });

  test('says the same in canonical form, in fewer bytes', () => {
    for (const { input, expected } of load(name)) {
      const plain = transcodeRequestObject(input);
      expect(plain.length).toBeLessThan(expected.length);
      expect(withoutEmpty(decodeRequest(plain))).toEqual(withoutEmpty(decodeRequest(expected)));
    }
  });
});

/** Without the empty messages and ids that only the collector writes. */
function withoutEmpty(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutEmpty);
  if (typeof value !== 'object' || value === null) return value;
  const kept = Object.entries(value)
    .map(([name, child]) => [name, withoutEmpty(child)] as const)
    .filter(([name, child]) => !(name.endsWith('Id') && child === '') && !isEmptyObject(child));
  return Object.fromEntries(kept);
}

function isEmptyObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && Object.keys(value).length === 0;
}
