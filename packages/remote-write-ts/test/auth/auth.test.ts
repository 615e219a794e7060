// Who the sender says it is: each kind of credentials, where secrets come from, and that they show up nowhere. Long, as it is one list of kinds.

import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { createSender, SenderError, type SenderOptions, signV4 } from '../../src/index.ts';
import { createChannel } from '../../src/sender/index.ts';
import { CERT, KEY } from '../sender/material.ts';
import { answer, hang, type Receiver, reset, type Step, startReceiver } from '../sender/receiver.ts';
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

describe('a file that is empty, for it is being written', () => {
  const PASSWORD = 'pass-word';
  const kinds: [string, (file: string, origin: string) => Partial<SenderOptions>][] = [
    ['a password', (file) => ({ basicAuth: { username: 'u', password: { file } } })],
    ['a bearer token', (file) => ({ bearerToken: { file } })],
    ['other credentials', (file) => ({ authorization: { type: 'Token', credentials: { file } } })],
    ["a client's secret", (file, tokenUrl) => ({ oauth2: { tokenUrl, clientId: 'c', clientSecret: { file } } })],
    ['a key', (file) => ({ sigv4: { region: 'r', accessKey: 'a', secretKey: { file } } })],
  ];

  it.each(kinds)('holds up a request rather than have it refused: %s', async (_kind, options) => {
    const tokens = await server(answer(200, {}, '{"access_token":"t"}'));
    const file = join(dir, 'emptied');
    await writeFile(file, ' \n');
    const { receiver, sender, infos } = await rig([answer(204)], {
      ...options(file, tokens.origin),
      sleep: () => writeFile(file, PASSWORD),
    });
    expect(await sender.send(body())).toMatchObject({ kind: 'accepted', attempts: 2 });
    expect(infos[0]!.error).toMatch(/the file of .+ \(.*emptied\) is empty/);
    expect(receiver.received).toHaveLength(1);
  });

  it('is not what an empty password given as itself is', async () => {
    const { receiver, sender } = await rig([answer(204)], { basicAuth: { username: 'u', password: '' } });
    expect(await sender.send(body())).toMatchObject({ kind: 'accepted', attempts: 1 });
    expect(receiver.received[0]!.headers.authorization).toBe(`Basic ${Buffer.from('u:').toString('base64')}`);
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

  it.each([
    [{ bearerToken: null }, /^bearerToken is missing: give a string, \{ env: NAME \} or \{ file: PATH \}$/],
    [{ bearerToken: {} }, /^bearerToken is no secret/],
    [{ bearerToken: 5 }, /^bearerToken is no secret/],
    [{ bearerToken: { file: '' } }, /^bearerToken is no secret/],
    [{ bearerToken: { env: 'REMOTE_WRITE_TEST_NONE' } }, /^bearerToken: .* no REMOTE_WRITE_TEST_NONE$/],
    [{ basicAuth: { username: 'u' } }, /^basicAuth\.password is missing/],
    [{ basicAuth: { password: 'p' } }, /^basicAuth\.username is missing/],
    [{ basicAuth: null }, /^basicAuth is not an object$/],
    [{ basicAuth: { username: 'u', pasword: 'p' } }, /^unknown option basicAuth\.pasword: did you mean password\?$/],
    [{ authorization: { credentials: 'x' } }, /^authorization\.type is missing/],
    [{ authorization: { type: 'Token' } }, /^authorization\.credentials is missing/],
    [{ oauth2: { tokenUrl: 'http://h/', clientSecret: 's' } }, /^oauth2\.clientId is missing/],
    [{ oauth2: { tokenUrl: 'http://h/', clientId: 'c' } }, /^oauth2\.clientSecret is missing/],
    [{ oauth2: { tokenUrl: 'http://h/', clientId: 'c', clientSecret: 's', scope: ['a'] } }, /did you mean scopes\?$/],
    [{ oauth2: { tokenUrl: 'http://h/', clientId: 'c', clientSecret: 's', scopes: 'a b' } }, /^oauth2\.scopes/],
    [
      { oauth2: { tokenUrl: 'http://h/', clientId: 'c', clientSecret: 's', endpointParams: { a: undefined } } },
      /^oauth2\.endpointParams/,
    ],
    [
      { oauth2: { tokenUrl: 'http://h/', clientId: 'c', clientSecret: 's', clientAuth: 'query' } },
      /^oauth2\.clientAuth/,
    ],
    [{ sigv4: { accessKey: 'a', secretKey: 's' } }, /^sigv4 needs a region/],
    [{ sigv4: { region: 'r', profile: 'p' } }, /^unknown option sigv4\.profile: known are region, /],
  ])('says what is missing or wrong of %j', (options, message) => {
    const make = () => createSender({ url: 'http://h/', userAgent: 'a', ...(options as object) });
    expect(make).toThrow(SenderError);
    expect(make).toThrow(message);
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

  const client = (tokens: Receiver) => ({ tokenUrl: tokens.origin, clientId: 'id', clientSecret: 's3cret' });
  const bearers = (receiver: Receiver) => receiver.received.map(({ headers }) => headers.authorization);

  it('makes one further attempt with a new token where one that was kept has been revoked', async () => {
    const tokens = await server(token('one'), token('two'));
    const { receiver, sender, infos } = await rig([answer(204), answer(401, {}, 'not one'), answer(204)], {
      oauth2: client(tokens),
    });
    await sender.send(body());
    expect(await sender.send(body())).toEqual({ kind: 'accepted', status: 204, attempts: 2 });
    expect(bearers(receiver)).toEqual(['Bearer one', 'Bearer one', 'Bearer two']);
    expect(receiver.received[2]!.headers['retry-attempt']).toBe('1');
    expect(infos[1]).toMatchObject({ result: 'retry', status: 401, error: 'not [redacted]', waitMs: 30 });
  });

  it('makes it also where only one attempt is allowed', async () => {
    const tokens = await server(token('one'), token('two'));
    const receiver = await server(answer(204), answer(401), answer(503));
    const channel = createChannel({
      url: receiver.url,
      userAgent: 'test/1.0',
      oauth2: client(tokens),
      sleep: async () => {},
    });
    const send = () => channel.send(() => ({ protocol: '1.0', body: body() }), undefined, { maxAttempts: 1 });
    expect(await send()).toMatchObject({ kind: 'accepted' });
    expect(await send()).toEqual({ kind: 'aborted', attempts: 2 });
    expect(bearers(receiver)).toEqual(['Bearer one', 'Bearer one', 'Bearer two']);
    await channel.close();
  });

  it('takes a second 401 in a row as final, whatever fails between on the network', async () => {
    const tokens = await server(token('one'), token('two'), token('three'));
    const { receiver, sender } = await rig([answer(204), answer(401), reset, answer(401)], { oauth2: client(tokens) });
    await sender.send(body());
    expect(await sender.send(body())).toMatchObject({ kind: 'refused', status: 401, attempts: 3 });
    expect(bearers(receiver)).toEqual(['Bearer one', 'Bearer one', 'Bearer two', 'Bearer two']);
  });

  it('keeps a new token when a late 401 comes for the one before', async () => {
    const tokens = await server(token('one'), token('two'), token('three'));
    const held: (() => void)[] = [];
    const hold: Step = (_request, response) => held.push(() => response.writeHead(401).end());
    const { receiver, sender } = await rig([answer(204), hold, hold, answer(204)], { oauth2: client(tokens) });
    await sender.send(body());
    const [early, late] = [sender.send(body()), sender.send(body())];
    await Promise.all([receiver.arrival(1), receiver.arrival(2)]);
    held[0]!();
    await Promise.race([early, late]);
    held[1]!();
    expect(await Promise.all([early, late])).toMatchObject([{ attempts: 2 }, { attempts: 2 }]);
    await sender.send(body());
    expect(bearers(receiver).slice(3)).toEqual(['Bearer two', 'Bearer two', 'Bearer two']);
    expect(tokens.received).toHaveLength(2);
  });

  it('uses half the life of a token that is short-lived', async () => {
    const tokens = await server(token('one', { expires_in: 5 }), token('two', { expires_in: 5 }));
    const clock = { ms: NOW_MS };
    const { receiver, sender } = await rig([answer(204)], { oauth2: { ...client(tokens), now: () => clock.ms } });
    await sender.send(body());
    clock.ms += 2_499;
    await sender.send(body());
    clock.ms += 1;
    await sender.send(body());
    expect(bearers(receiver)).toEqual(['Bearer one', 'Bearer one', 'Bearer two']);
  });

  it('says that it was the token server that gave no answer, or could not be reached', async () => {
    const firstError = async (tokenUrl: string) => {
      const stop = new AbortController();
      const { sender, infos } = await rig([answer(204)], {
        oauth2: { tokenUrl, clientId: 'id', clientSecret: 's3cret' },
        timeoutMs: 100,
        sleep: async () => stop.abort(),
      });
      await sender.send(body(), { signal: stop.signal });
      return infos[0]!.error;
    };
    expect(await firstError((await server(hang)).origin)).toBe('no answer from the token server within 100 ms');
    expect(await firstError('http://127.0.0.1:9/')).toMatch(/^the token server can't be asked: .*ECONNREFUSED/);
  });

  it('warns of files for the token server that cannot be loaded again, and goes on with those before', async () => {
    const tokens = createTlsServer({ key: KEY, cert: CERT }, (request, response) => {
      request.resume().on('end', () => response.end(JSON.stringify({ access_token: 't', expires_in: 60 })));
    });
    await new Promise<void>((resolve) => tokens.listen(0, '127.0.0.1', resolve));
    const caFile = join(dir, 'token-ca');
    await writeFile(caFile, CERT);
    const clock = { ms: NOW_MS };
    const warnings: string[] = [];
    const { sender } = await rig([answer(204)], {
      oauth2: {
        tokenUrl: `https://127.0.0.1:${(tokens.address() as AddressInfo).port}/`,
        clientId: 'c',
        clientSecret: 's',
        tls: { caFile, serverName: 'receiver.test' },
        now: () => clock.ms,
      },
      onWarning: (message) => warnings.push(message),
    });
    await sender.send(body());
    await writeFile(caFile, '');
    clock.ms += 60_000;
    expect(await sender.send(body())).toMatchObject({ kind: 'accepted', attempts: 1 });
    expect(warnings).toEqual([`oauth2.tls.ca (${caFile}) is empty. Connections go on with what was loaded before`]);
    await sender.close();
    await new Promise((resolve) => tokens.close(resolve));
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
