import { describe, expect, it } from 'vitest';
import { parseBytes, parseDuration } from '../../src/config/index.ts';

describe('durations', () => {
  it.each([
    ['0', 0],
    ['0s', 0],
    ['500ms', 500],
    ['1.5s', 1500],
    ['1h30m', 5_400_000],
    ['1m0s', 60_000],
    ['100us', 0.1],
    ['100µs', 0.1],
    ['1d12h', 129_600_000],
    ['2w', 1_209_600_000],
  ])('reads %s as milliseconds', (written, ms) => {
    expect(parseDuration(written)).toEqual({ ok: ms });
  });

  it('refuses a number without a unit and says what was meant', () => {
    expect(parseDuration('30')).toEqual({ error: expect.stringContaining('did you mean 30s?') });
  });

  it.each(['', 's', '5', '-5s', '5 s', '5x', '5s3', 'soon'])('refuses "%s"', (written) => {
    expect(parseDuration(written)).toHaveProperty('error');
  });
});

describe('sizes', () => {
  it.each([
    ['67108864', 67_108_864],
    ['64MiB', 67_108_864],
    ['1.5KiB', 1536],
    ['2 GiB', 2_147_483_648],
  ])('reads %s as bytes', (written, bytes) => {
    expect(parseBytes(written)).toEqual({ ok: bytes });
  });

  it.each(['64MB', '64M', '-1', '1.3', 'many'])('refuses "%s"', (written) => {
    expect(parseBytes(written)).toHaveProperty('error');
  });
});
