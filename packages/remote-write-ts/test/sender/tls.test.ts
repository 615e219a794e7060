import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { rootCertificates, type TLSSocket } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createSender, type SendOutcome, type TlsOptions } from '../../src/index.ts';
import { CERT, KEY } from './material.ts';

let server: Server;
let url = '';
const clients: boolean[] = [];

beforeAll(async () => {
  server = createServer(
    { key: KEY, cert: CERT, ca: CERT, requestCert: true, rejectUnauthorized: false },
    (request, response) => {
      clients.push((request.socket as TLSSocket).authorized);
      request.resume().on('end', () => response.writeHead(204).end());
    },
  );
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `https://127.0.0.1:${(server.address() as AddressInfo).port}/api/v1/write`;
});

afterAll(async () => {
  await new Promise((resolve) => {
    server.close(resolve);
    server.closeAllConnections();
  });
});

/** Sends once: a failure stops at the first wait. */
async function sendOnce(tls: TlsOptions | undefined): Promise<{ outcome: SendOutcome; error: string | undefined }> {
  const stop = new AbortController();
  const sender = createSender({
    url,
    userAgent: 'test/1.0',
    sleep: async () => stop.abort(),
    ...(tls && { tls }),
  });
  const outcome = await sender.send(Uint8Array.of(0), { signal: stop.signal });
  await sender.close();
  return { outcome, error: sender.stats().lastError };
}

describe('over TLS', () => {
  it('sends to a receiver whose certificate its authority vouches for, under the name it is told', async () => {
    const { outcome } = await sendOnce({ ca: CERT, serverName: 'receiver.test' });
    expect(outcome).toEqual({ kind: 'accepted', status: 204, attempts: 1 });
    expect(clients.at(-1)).toBe(false);
  });

  it('sends nothing to a receiver of another authority, or of another name', async () => {
    const before = clients.length;
    expect(await sendOnce(undefined)).toMatchObject({
      outcome: { kind: 'aborted' },
      error: expect.stringMatching(/SELF_SIGNED/),
    });
    expect(await sendOnce({ ca: CERT })).toMatchObject({
      outcome: { kind: 'aborted' },
      error: expect.stringMatching(/ALTNAME/),
    });
    expect(clients).toHaveLength(before);
  });

  it('sends to anybody when it is told not to verify', async () => {
    expect((await sendOnce({ insecureSkipVerify: true })).outcome).toMatchObject({ kind: 'accepted' });
  });

  it('shows its own certificate', async () => {
    const { outcome } = await sendOnce({ ca: CERT, serverName: 'receiver.test', cert: CERT, key: KEY });
    expect(outcome).toMatchObject({ kind: 'accepted' });
    expect(clients.at(-1)).toBe(true);
  });
});

describe('TLS files', () => {
  let dir = '';
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'remote-write-tls-'));
  });
  afterAll(() => rm(dir, { recursive: true, force: true }));

  it('are read again when they change, and the material before goes on while they are unreadable', async () => {
    const [caFile, certFile, keyFile] = ['ca', 'cert', 'key'].map((name) => join(dir, name)) as [
      string,
      string,
      string,
    ];
    await writeFile(caFile, rootCertificates[0]!); // an authority, but not the receiver's
    await writeFile(certFile, CERT);
    await writeFile(keyFile, KEY);
    const warnings: string[] = [];
    const sender = createSender({
      url,
      userAgent: 'test/1.0',
      tls: { caFile, certFile, keyFile, serverName: 'receiver.test' },
      sleep: () => writeFile(caFile, CERT),
      onWarning: (message) => warnings.push(message),
    });
    const before = clients.length;
    expect(await sender.send(Uint8Array.of(0))).toEqual({ kind: 'accepted', status: 204, attempts: 2 });
    expect(sender.stats().lastError).toMatch(/SELF_SIGNED|UNABLE_TO_VERIFY|self-signed/);
    expect(warnings).toEqual([]);
    await writeFile(keyFile, 'half a key');
    expect(await sender.send(Uint8Array.of(0))).toMatchObject({ kind: 'accepted', attempts: 1 });
    expect(await sender.send(Uint8Array.of(0))).toMatchObject({ kind: 'accepted', attempts: 1 });
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toMatch(/^key \(.*\/key\) can't be used: .*DECODER.*Connections go on/);
    await rm(caFile);
    expect(await sender.send(Uint8Array.of(0))).toMatchObject({ kind: 'accepted', attempts: 1 });
    expect(warnings).toHaveLength(2);
    expect(warnings[1]).toMatch(/^the file of ca can't be read: ENOENT.*\/ca/);
    expect(warnings.join()).not.toMatch(/half a key/);
    expect(clients.slice(before)).toEqual([true, true, true, true]);
    await sender.close();
  });

  it('that are emptied or half written leave the authorities before in place, and are warned of', async () => {
    const caFile = join(dir, 'authorities');
    await writeFile(caFile, CERT);
    const warnings: string[] = [];
    const sender = createSender({
      url,
      userAgent: 'test/1.0',
      tls: { caFile, serverName: 'receiver.test' },
      sleep: () => writeFile(caFile, CERT),
      onWarning: (message) => warnings.push(message),
    });
    for (const text of [CERT, '', CERT.slice(0, 200), CERT]) {
      await writeFile(caFile, text);
      expect(await sender.send(Uint8Array.of(0))).toMatchObject({ kind: 'accepted', attempts: 1 });
    }
    expect(warnings).toEqual([
      `ca (${caFile}) is empty. Connections go on with what was loaded before`,
      `ca (${caFile}) holds no PEM certificate. Connections go on with what was loaded before`,
    ]);
    await sender.close();
  });

  it('are warned of to an observer that may throw or reject without harm', async () => {
    const caFile = join(dir, 'observed');
    const rejections: unknown[] = [];
    const onRejection = (error: unknown) => rejections.push(error);
    process.on('unhandledRejection', onRejection);
    let told = 0;
    const throwing = () => {
      told++;
      throw new Error('observer');
    };
    for (const onWarning of [throwing, async () => throwing()]) {
      await writeFile(caFile, CERT);
      const tls = { caFile, serverName: 'receiver.test' };
      const sender = createSender({ url, userAgent: 'test/1.0', tls, onWarning, sleep: async () => {} });
      await writeFile(caFile, '');
      expect(await sender.send(Uint8Array.of(0))).toMatchObject({ kind: 'accepted', attempts: 1 });
      await sender.close();
    }
    await nextTurn();
    process.off('unhandledRejection', onRejection);
    expect(told).toBe(2);
    expect(rejections).toEqual([]);
  });

  it('must be readable when the sender is made, and are instead of inline material', () => {
    const make = (tls: TlsOptions) => () => createSender({ url, userAgent: 'test/1.0', tls });
    expect(make({ caFile: join(dir, 'missing') })).toThrow(/^the file of ca can't be read: ENOENT.*missing/);
    expect(make({ certFile: join(dir, 'cert'), keyFile: join(dir, 'cert') })).toThrow(
      /^key \(.*cert\) can't be used: /,
    );
    expect(make({ caFile: join(dir, 'cert'), ca: CERT })).toThrow(/exclude/);
    expect(make({ certFile: join(dir, 'cert') })).toThrow(/both/);
  });

  it('can ask for a version at least', async () => {
    const { outcome } = await sendOnce({ ca: CERT, serverName: 'receiver.test', minVersion: 'TLSv1.3' });
    expect(outcome).toMatchObject({ kind: 'accepted' });
    expect(() => createSender({ url, userAgent: 'a', tls: { minVersion: 'TLSv9' as never } })).toThrow(/TLS/);
  });
});
