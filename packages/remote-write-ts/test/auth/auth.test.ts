import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { createSender, SenderError, type SenderOptions, signV4 } from '../../src/index.ts';
import { answer, type Receiver, type Step, startReceiver } from '../sender/receiver.ts';
import { body, closeRigs, NOW_MS, rig } from '../sender/rig.ts';

let dir = '';
const receivers: Receiver[] = [];

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'remote-write-auth-'));
});
afterAll(() => rm(dir, { recursive: true, force: true }));
afterEach(async () => {
  await closeRigs();
  for (const receiver of receivers.splice(0)) await receiver.close();
  vi.unstubAllEnvs();
});

async function server(...script: Step[]): Promise<Receiver> {
  const receiver = await startReceiver(...script);
  receivers.push(receiver);
  return receiver;
}

function codeOf(options: Partial<SenderOptions>): string | undefined {
  try {
    void createSender({ url: 'http://127.0.0.1:9/', userAgent: 'test/1.0', ...options }).close();
    return undefined;
  } catch (error) {
    return (error as SenderError).code;
  }
}

describe('a secret from a file', () => {
  it('is read again for each request, and no trace of it or the one before is said', async () => {
    const file = join(dir, 'token');
    await writeFile(file, ' first-token\n');
    const { receiver, sender, infos } = await rig(
      [answer(403, {}, 'not first-token'), answer(403, {}, 'neither first-token nor second-token')],
      { bearerToken: { file } },
    );
    expect(await sender.send(body())).toMatchObject({ kind: 'refused', message: 'not [redacted]' });
    await writeFile(file, 'second-token');
    expect(await sender.send(body())).toMatchObject({ message: 'neither [redacted] nor [redacted]' });
    expect(receiver.received.map(({ headers }) => headers.authorization)).toEqual([
      'Bearer first-token',
      'Bearer second-token',
    ]);
    expect(JSON.stringify([infos, sender.stats()])).not.toMatch(/(first|second)-token/);
  });

  it('that is missing or illegal is worth a retry', async () => {
    const file = join(dir, 'late');
    let waits = 0;
    const { receiver, sender } = await rig([answer(204)], {
      basicAuth: { username: 'u', password: { file } },
      sleep: async () => {
        if (++waits === 2) await writeFile(file, 'pässword\n');
      },
    });
    expect(await sender.send(body())).toEqual({ kind: 'accepted', status: 204, attempts: 3 });
    expect(sender.stats().lastError).toMatch(/ENOENT/);
    const expected = Buffer.from('u:pässword').toString('base64');
    expect(receiver.received.map(({ headers }) => headers.authorization)).toEqual([`Basic ${expected}`]);

    await writeFile(file, 'two\nlines');
    const illegal = await rig([answer(204)], {
      bearerToken: { file },
      sleep: () => writeFile(file, 'one-line'),
    });
    expect(await illegal.sender.send(body())).toMatchObject({ attempts: 2 });
    expect(illegal.sender.stats().lastError).not.toMatch(/two|lines/);
  });
});

describe('a secret from the environment', () => {
  it('is read when the sender is made', async () => {
    vi.stubEnv('REMOTE_WRITE_TEST_TOKEN', 'from-env');
    const { receiver, sender } = await rig([answer(204)], {
      authorization: { type: 'Token', credentials: { env: 'REMOTE_WRITE_TEST_TOKEN' } },
    });
    vi.stubEnv('REMOTE_WRITE_TEST_TOKEN', 'too-late');
    await sender.send(body());
    expect(receiver.received[0]!.headers.authorization).toBe('Token from-env');
  });

  it('must be there', () => {
    vi.stubEnv('REMOTE_WRITE_TEST_TOKEN', undefined);
    expect(codeOf({ bearerToken: { env: 'REMOTE_WRITE_TEST_TOKEN' } })).toBe('bad_auth');
  });
});

describe('authorization', () => {
  it('is of one kind only, and legal', () => {
    const oauth2 = { tokenUrl: 'http://127.0.0.1:9/token', clientId: 'c', clientSecret: 's' };
    const sigv4 = { region: 'eu-west-1', accessKey: 'a', secretKey: 's' };
    expect(codeOf({ oauth2 })).toBeUndefined();
    expect(codeOf({ sigv4 })).toBeUndefined();
    expect(codeOf({ oauth2, sigv4 })).toBe('bad_auth');
    expect(codeOf({ bearerToken: 't', sigv4 })).toBe('bad_auth');
    expect(codeOf({ authorization: { type: 'Basic', credentials: 'x' } })).toBe('bad_auth');
    expect(codeOf({ authorization: { type: 'To ken', credentials: 'x' } })).toBe('bad_auth');
    expect(codeOf({ oauth2: { ...oauth2, tokenUrl: 'http://u:p@h/' } })).toBe('bad_url');
    expect(codeOf({ oauth2: { ...oauth2, clientSecret: 'a\nb' } })).toBe('bad_auth');
    expect(codeOf({ sigv4: { region: '' } })).toBe('bad_auth');
    expect(codeOf({ sigv4: { region: 'a', accessKey: 'x' } })).toBe('bad_auth');
  });
});

describe('OAuth2', () => {
  const token = (text: string, more: object = { expires_in: 3600, token_type: 'bearer' }): Step =>
    answer(200, { 'content-type': 'application/json' }, JSON.stringify({ access_token: text, ...more }));

  it('asks for a token once, uses it until shortly before its end, then asks again', async () => {
    const tokens = await server(token('token-1', { expires_in: 60 }), token('token-2'));
    const clock = { ms: NOW_MS };
    const { receiver, sender } = await rig([answer(204)], {
      oauth2: {
        tokenUrl: `${tokens.origin}/token?x=1`,
        clientId: 'my id',
        clientSecret: 'p:ss',
        scopes: ['a', 'b'],
        endpointParams: { audience: 'metrics' },
        now: () => clock.ms,
      },
    });
    await Promise.all([sender.send(body()), sender.send(body())]);
    clock.ms += 49_999;
    await sender.send(body());
    clock.ms += 1;
    await sender.send(body());
    expect(receiver.received.map(({ headers }) => headers.authorization)).toEqual([
      'Bearer token-1',
      'Bearer token-1',
      'Bearer token-1',
      'Bearer token-2',
    ]);
    expect(tokens.received).toHaveLength(2);
    const asked = tokens.received[0]!;
    expect(asked).toMatchObject({ method: 'POST', url: '/token?x=1' });
    expect(asked.headers).toMatchObject({
      'content-type': 'application/x-www-form-urlencoded',
      authorization: `Basic ${Buffer.from('my+id:p%3Ass').toString('base64')}`,
    });
    expect(Object.fromEntries(new URLSearchParams(asked.body.toString()))).toEqual({
      grant_type: 'client_credentials',
      scope: 'a b',
      audience: 'metrics',
    });
  });

  it('can carry the client among the parameters', async () => {
    const tokens = await server(token('t'));
    const { sender } = await rig([answer(204)], {
      oauth2: { tokenUrl: tokens.origin, clientId: 'id', clientSecret: 'secret', clientAuth: 'body' },
    });
    await sender.send(body());
    expect(tokens.received[0]!.headers).not.toHaveProperty('authorization');
    expect(tokens.received[0]!.body.toString()).toBe('grant_type=client_credentials&client_id=id&client_secret=secret');
  });

  it('retries a token server in trouble, and says nothing of what it answered', async () => {
    const tokens = await server(
      answer(500, {}, 'hunter2'),
      answer(200, {}, 'no json hunter2'),
      answer(200, {}, '{"access_token":"a b"}'),
      token('t', { token_type: 'mac' }),
      token('good-token'),
    );
    const { receiver, sender, infos } = await rig([answer(403, {}, 'good-token hunter2')], {
      oauth2: { tokenUrl: tokens.origin, clientId: 'id', clientSecret: 'hunter2' },
    });
    expect(await sender.send(body())).toMatchObject({ attempts: 5, message: '[redacted] [redacted]' });
    expect(receiver.received).toHaveLength(1);
    expect(JSON.stringify(infos)).not.toMatch(/hunter2|good-token|a b/);
    expect(infos[0]!.error).toMatch(/500/);
  });

  it('asks anew after a 401, and does not retry the batch', async () => {
    const tokens = await server(token('one'), token('two'));
    const { receiver, sender } = await rig([answer(401), answer(204)], {
      oauth2: { tokenUrl: tokens.origin, clientId: 'id', clientSecret: 's' },
    });
    expect(await sender.send(body())).toMatchObject({ kind: 'refused', status: 401 });
    expect(await sender.send(body())).toMatchObject({ kind: 'accepted' });
    expect(receiver.received.map(({ headers }) => headers.authorization)).toEqual(['Bearer one', 'Bearer two']);
  });

  it('takes a long token without an end', async () => {
    const long = 'x'.repeat(6_000);
    const tokens = await server(token(long, {}));
    const { receiver, sender } = await rig([answer(204)], {
      oauth2: { tokenUrl: tokens.origin, clientId: 'id', clientSecret: 's' },
    });
    await sender.send(body());
    await sender.send(body());
    expect(receiver.received.map(({ headers }) => headers.authorization)).toEqual([`Bearer ${long}`, `Bearer ${long}`]);
    expect(tokens.received).toHaveLength(1);
  });
});

describe('SigV4', () => {
  it('signs each request with its body and time', async () => {
    const { receiver, sender } = await rig([answer(204)], {
      sigv4: {
        region: 'eu-west-1',
        accessKey: 'AKID',
        secretKey: 'secret',
        sessionToken: 'session',
        now: () => NOW_MS,
      },
    });
    await sender.send(body(1));
    await sender.send(body(2));
    for (const { headers, body: sent, url } of receiver.received) {
      const signed = {
        host: headers.host!,
        'x-amz-content-sha256': createHash('sha256').update(sent).digest('hex'),
        'x-amz-date': '20260102T030405Z',
        'x-amz-security-token': 'session',
      };
      expect(headers).toMatchObject(signed);
      const request = {
        method: 'POST',
        url: new URL(url!, receiver.origin),
        headers: signed,
        payloadHash: signed['x-amz-content-sha256'],
      };
      const keys = { accessKey: 'AKID', secretKey: 'secret', region: 'eu-west-1', service: 'aps' };
      expect(headers.authorization).toBe(signV4(request, keys));
    }
    expect(new Set(receiver.received.map(({ headers }) => headers.authorization)).size).toBe(2);
  });

  it('takes the keys of the environment', async () => {
    vi.stubEnv('AWS_ACCESS_KEY_ID', 'ENVKEY');
    vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'env-secret');
    vi.stubEnv('AWS_SESSION_TOKEN', 'env-session');
    const { receiver, sender } = await rig([answer(403, {}, 'env-secret env-session')], {
      sigv4: { region: 'eu-west-1' },
    });
    expect(await sender.send(body())).toMatchObject({ message: '[redacted] [redacted]' });
    expect(receiver.received[0]!.headers.authorization).toContain('Credential=ENVKEY/');
    expect(receiver.received[0]!.headers['x-amz-security-token']).toBe('env-session');
    vi.stubEnv('AWS_SECRET_ACCESS_KEY', undefined);
    expect(codeOf({ sigv4: { region: 'eu-west-1' } })).toBe('bad_auth');
  });

  it('is for the redirected path where there is one', async () => {
    const { receiver, sender } = await rig([answer(307, { location: '/other' }), answer(204)], {
      sigv4: { region: 'eu-west-1', accessKey: 'AKID', secretKey: 'secret', now: () => NOW_MS },
    });
    expect(await sender.send(body())).toMatchObject({ kind: 'accepted' });
    const [first, second] = receiver.received.map(({ headers }) => headers.authorization);
    expect(first).not.toBe(second);
  });
});

describe('credentials', () => {
  it('go to no other host', async () => {
    const other = await server(answer(204));
    const { sender } = await rig([answer(307, { location: `${other.origin}/api/v1/write` })], {
      bearerToken: 'secret',
    });
    expect(await sender.send(body())).toMatchObject({ kind: 'refused', status: 307 });
    expect(other.received).toHaveLength(0);
  });

  it('are named in no error', () => {
    for (const options of [
      { bearerToken: 'hunter2\n' },
      { oauth2: { tokenUrl: 'hunter2', clientId: 'a', clientSecret: 'b' } },
    ]) {
      expect(() => createSender({ url: 'http://h/', userAgent: 'a', ...options })).toThrow(SenderError);
      expect(() => createSender({ url: 'http://h/', userAgent: 'a', ...options })).not.toThrow(/hunter2/);
    }
  });
});
