// What the log and the page say of an endpoint that fails: enough to see it, never a flood, never a secret.

import { beforeEach, describe, expect, it } from 'vitest';
import { redaction } from '../../src/shard/redaction.ts';
import { SendHealth } from '../../src/shard/send-health.ts';
import type { Logger } from '../../src/telemetry/index.ts';

interface Line {
  level: 'info' | 'warn';
  fields: Record<string, unknown>;
  text: string;
}

let nowMs = 0;
let lines: Line[] = [];
let health: SendHealth;

const write = (level: Line['level']) => (fields: Record<string, unknown>, text: string) => {
  lines.push({ level, fields, text });
};

beforeEach(() => {
  nowMs = 1_000_000;
  lines = [];
  health = new SendHealth({
    tenant: 'shop',
    endpoint: 'prometheus',
    now: () => nowMs,
    waiting: () => 7,
    logger: { info: write('info'), warn: write('warn') } as unknown as Logger,
  });
});

describe('an endpoint that does not get what is sent', () => {
  it('is told at the first retry, then once a minute, with what waits, and when it works again', () => {
    for (let i = 0; i < 130; i++) {
      health.retried(i === 0 ? undefined : 503, i === 0 ? 'connect ECONNREFUSED 127.0.0.1:9090' : 'status 503: away');
      nowMs += 1_000;
    }
    expect(lines.map(({ level }) => level)).toEqual(['warn', 'warn', 'warn']);
    expect(lines[0]!.fields).toMatchObject({
      tenant: 'shop',
      endpoint: 'prometheus',
      error: 'connect ECONNREFUSED 127.0.0.1:9090',
      boundariesWaiting: 7,
      failingForMs: 0,
    });
    expect(lines[1]!.fields).toMatchObject({
      status: 503,
      error: 'status 503: away',
      failingForMs: 60_000,
      heldBack: 59,
    });
    expect(health.lastError).toBe('status 503: away');
    health.settled(true, true);
    expect(lines.at(-1)).toMatchObject({ level: 'info', fields: { failedForMs: 130_000 } });
    expect(lines.at(-1)!.text).toMatch(/works again/);
    expect(health.lastError).toBeUndefined();
  });

  it('that comes and goes gives a line of each kind a minute at most', () => {
    for (let i = 0; i < 59; i++) {
      health.retried(500, 'status 500: oh');
      health.settled(true, true);
      nowMs += 1_000;
    }
    expect(lines.map(({ level }) => level)).toEqual(['warn', 'info']);
  });

  it('works again when it takes something, not when it only answers', () => {
    health.retried(503, 'status 503: away');
    health.settled(false, false);
    expect(lines.map(({ level }) => level)).toEqual(['warn']);
    health.settled(true, false);
    expect(lines.map(({ level }) => level)).toEqual(['warn', 'info']);
  });

  it('hands on what the package warns of', () => {
    health.warned("TLS material can't be reloaded: no such file");
    expect(lines).toMatchObject([
      { level: 'warn', fields: { warning: "TLS material can't be reloaded: no such file" } },
    ]);
  });
});

describe('samples that are refused', () => {
  const refused = (status: number, samples = 2_000) =>
    health.refused({ boundaryMs: 15_000, samples, status, answer: 'go away', series: { __name__: 'calls' } });

  it('are told once a minute for each status, and how many were held back', () => {
    for (let i = 0; i < 50; i++) refused(401);
    refused(413);
    nowMs += 60_000;
    refused(401);
    expect(lines.map(({ fields }) => [fields['status'], fields['heldBack'], fields['heldSamples']])).toEqual([
      [401, 0, 0],
      [413, 0, 0],
      [401, 49, 98_000],
    ]);
    expect(health.lastError).toBe('status 401: go away');
  });

  it('for the size of their request are told with the way out', () => {
    refused(413);
    expect(lines[0]!.fields['hint']).toMatch(/queue_config\.max_samples_per_send/);
    expect(health.lastError).toMatch(/^status 413: go away: .*queue_config\.max_samples_per_send/);
  });

  it('are no trouble where they may have been sent before a restart, but not hidden', () => {
    health.refused({ boundaryMs: 1, samples: 9, status: 400, answer: 'old', series: undefined, wasThere: true });
    expect(lines.map(({ level }) => level)).toEqual(['info']);
    expect(health.lastError).toBeUndefined();
  });

  it('stay on the page until a boundary is taken whole', () => {
    refused(400);
    health.settled(true, false);
    expect(health.lastError).toBe('status 400: go away');
    health.settled(true, true);
    expect(health.lastError).toBeUndefined();
  });
});

describe('an answer that repeats the request', () => {
  const redact = redaction('https://mimir/api/v1/push?team=se%20cret&x=1#f', {
    'X-Customer': 'c0ffee-c0ffee',
    Odd: 'a "quoted" <value>',
    Authorization: 'Bearer t0k3n-of-tenant',
    'X-Scope-OrgID': 'shop-tenant',
    'X-Flag': 'on',
  });

  it.each([
    ['customer c0ffee-c0ffee is unknown', 'customer [redacted] is unknown'],
    ['POST /api/v1/push?team=se%20cret&x=1 failed', 'POST /api/v1/push?team=[redacted]&x=1 failed'],
    ['team se cret', 'team [redacted]'],
    ['{"odd":"a \\"quoted\\" <value>"}', '{"odd":"[redacted]"}'],
    ['a &quot;quoted&quot; &lt;value&gt;', '[redacted]'],
    ['token t0k3n-of-tenant expired', 'token [redacted] expired'],
    ['tenant shop-tenant has no quota on this', 'tenant shop-tenant has no quota on this'],
  ])('%s is shown as %s', (text, shown) => {
    expect(redact(text)).toBe(shown);
  });

  it('and is cut off inside a secret shows no part of that', () => {
    expect(redact(`${'.'.repeat(1_000)} c0ffee-c0f`)).toBe(`${'.'.repeat(1_000)} `);
  });

  it('leaves neither by the log nor by the page', () => {
    health.redact = redact;
    health.retried(503, 'status 503: c0ffee-c0ffee');
    health.warned('c0ffee-c0ffee');
    health.refused({ boundaryMs: 1, samples: 1, status: 400, answer: 'c0ffee-c0ffee', series: undefined });
    expect(JSON.stringify([lines, health.lastError])).not.toContain('c0ffee');
  });
});
