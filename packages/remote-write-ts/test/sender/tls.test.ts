import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createSender, type SendOutcome, type TlsOptions } from '../../src/index.ts';

// Made for this test alone, for the name receiver.test, valid from 2020 to 2120; it is its own authority.
const KEY = `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg5Knilo6gJb0Cp/iF
ZpFd2gy11Y2BltCVtJMsebzZGPKhRANCAAQfMKAVMZAOSOfVE+tVVgbqr3zH0cZi
K54pb8tLuzDh/3c+VucpEASxNROovLGAAdKu5NA0hhRxOrZte97ck/oH
-----END PRIVATE KEY-----`;
const CERT = `-----BEGIN CERTIFICATE-----
MIIBbjCCAROgAwIBAgIBATAKBggqhkjOPQQDAjAYMRYwFAYDVQQDDA1yZWNlaXZl
ci50ZXN0MCAXDTIwMDEwMTAwMDAwMFoYDzIxMjAwMTAxMDAwMDAwWjAYMRYwFAYD
VQQDDA1yZWNlaXZlci50ZXN0MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEHzCg
FTGQDkjn1RPrVVYG6q98x9HGYiueKW/LS7sw4f93PlbnKRAEsTUTqLyxgAHSruTQ
NIYUcTq2bXve3JP6B6NMMEowDwYDVR0TAQH/BAUwAwEB/zAYBgNVHREEETAPgg1y
ZWNlaXZlci50ZXN0MB0GA1UdDgQWBBRizfW3XXa7gffML4wJ91rTfqcWujAKBggq
hkjOPQQDAgNJADBGAiEAtwV3Ta4HcwzyxPF3A0W2+TyUaVl1/yaBwvzWY3gC7x0C
IQD+2wxsghJndlYL+HyOAGPai9sIAp06HW+inVGKCzPQVA==
-----END CERTIFICATE-----`;

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
