import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createBackoff } from '../../src/sender/backoff.ts';
import { redact } from '../../src/sender/redact.ts';
import { retryAfterMs } from '../../src/sender/retry-after.ts';

const NOW_MS = Date.UTC(2026, 0, 2, 3, 4, 5);

describe('the backoff', () => {
  const limits = { minMs: 30, maxMs: 5_000, maxAskedMs: 300_000 };

  it('doubles from the minimum and stays at the maximum', () => {
    const backoff = createBackoff({ ...limits, random: () => 0 });
    expect(Array.from({ length: 10 }, () => backoff.next(undefined))).toEqual([
      30, 60, 120, 240, 480, 960, 1_920, 3_840, 5_000, 5_000,
    ]);
  });

  it('takes off a fifth at most, and never shrinks an interval below 0.8 of the one before', () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), { minLength: 12, maxLength: 30 }),
        (randoms) => {
          let draws = 0;
          const backoff = createBackoff({ ...limits, random: () => randoms[draws++]! });
          let beforeMs = 0;
          let nominalMs = 30;
          for (let i = 0; i < randoms.length; i++) {
            const waitMs = backoff.next(undefined);
            expect(waitMs).toBeLessThanOrEqual(nominalMs);
            expect(waitMs).toBeGreaterThanOrEqual(0.8 * nominalMs);
            expect(waitMs).toBeGreaterThanOrEqual(0.8 * beforeMs);
            beforeMs = waitMs;
            nominalMs = Math.min(nominalMs * 2, 5_000);
          }
        },
      ),
    );
  });

  it('waits in full what it is asked for, and goes on from there within the maximum', () => {
    const backoff = createBackoff({ ...limits, random: () => 0.999 });
    expect(backoff.next(20_000)).toBe(20_000);
    expect(backoff.next(undefined)).toBeLessThanOrEqual(5_000);
    expect(backoff.next(1_000_000_000)).toBe(300_000);
  });
});

describe('Retry-After', () => {
  it.each([
    ['120', 120_000],
    [' 1 ', 1_000],
    ['Fri, 02 Jan 2026 03:04:15 GMT', 10_000],
    ['Friday, 02-Jan-26 03:04:15 GMT', 10_000],
    ['Fri Jan  2 03:04:15 2026', 10_000],
  ])('%j means a wait of %i ms', (value, waitMs) => {
    expect(retryAfterMs(value, NOW_MS)).toBe(waitMs);
  });

  it.each([
    '0',
    '-5',
    '1.5',
    '',
    'soon',
    '2026-01-02T03:04:15Z',
    'Fri, 02 Jan 2026 03:04:05 GMT',
    'Fri, 02 Jan 2026 03:04:04 GMT',
    'Fri, 02 Foo 2027 03:04:04 GMT',
    'Sunday, 06-Nov-94 08:49:37 GMT',
  ])('%j means nothing', (value) => {
    expect(retryAfterMs(value, NOW_MS)).toBeUndefined();
  });

  it('may be missing', () => {
    expect(retryAfterMs(undefined, NOW_MS)).toBeUndefined();
  });

  it('reads what JavaScript writes as an HTTP date', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1e9 }), (seconds) => {
        expect(retryAfterMs(new Date(NOW_MS + seconds * 1000).toUTCString(), NOW_MS)).toBe(seconds * 1000);
      }),
    );
  });
});

describe('redacting', () => {
  it('leaves no secret, whatever holds it', () => {
    const secret = fc.string({ unit: fc.constantFrom('s', '3', 'x'), minLength: 2, maxLength: 8 });
    fc.assert(
      fc.property(fc.array(secret, { minLength: 1, maxLength: 3 }), fc.array(fc.string()), (secrets, parts) => {
        const text = parts.map((part, i) => part + secrets[i % secrets.length]!).join('|');
        const clean = redact(text, secrets).replaceAll('[redacted]', '');
        for (const one of secrets) expect(redact(clean, [one])).toBe(clean);
      }),
    );
  });

  it('removes the beginning of a secret from the end of a text that was cut', () => {
    expect(redact('token=S3CR', ['S3CRET'], true)).toBe('token=');
    expect(redact('token=S3CR', ['S3CRET'])).toBe('token=S3CR');
  });
});
