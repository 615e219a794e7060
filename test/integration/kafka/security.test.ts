// TLS and SASL against a broker with such listeners. Keys and stores are made for the run, by the JDK's keytool.

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import type { KafkaLogOptions } from '../../../src/log/index.ts';
import { plainSocketFactory } from '../../../src/log/kafka/kafkajs.ts';
import { describeWithKafka, useBroker } from './broker.ts';
import { Collector, closeAll, fromStart, open, until } from './support.ts';

const PASSWORD = 'test-only';
const files: Record<string, string> = {};
let ports = { tls: 0, sasl: 0 };

/** An authority, a broker certificate for 127.0.0.1 and a client certificate, both signed by it. */
function makeStores(directory: string): void {
  const tool = (...args: string[]) =>
    execFileSync('keytool', [...args, '-storepass', PASSWORD, '-noprompt'], {
      cwd: directory,
      stdio: ['ignore', 'pipe', 'ignore'],
    });
  const pair = (name: string, ...more: string[]) =>
    tool(
      '-genkeypair',
      '-alias',
      name,
      '-keystore',
      `${name}.p12`,
      '-storetype',
      'PKCS12',
      '-keyalg',
      'RSA',
      '-keysize',
      '2048',
      '-dname',
      `CN=${name}`,
      '-validity',
      '2',
      ...more,
    );
  pair('ca', '-ext', 'bc:c');
  tool('-exportcert', '-rfc', '-alias', 'ca', '-keystore', 'ca.p12', '-file', 'ca.pem');
  for (const [name, names] of [
    ['broker', ['-ext', 'san=ip:127.0.0.1,dns:localhost']],
    ['client', []],
  ] as const) {
    pair(name);
    tool('-certreq', '-alias', name, '-keystore', `${name}.p12`, '-file', `${name}.csr`);
    tool(
      '-gencert',
      '-rfc',
      '-alias',
      'ca',
      '-keystore',
      'ca.p12',
      '-infile',
      `${name}.csr`,
      '-outfile',
      `${name}.pem`,
      '-validity',
      '2',
      ...names,
    );
    tool('-importcert', '-alias', 'ca', '-keystore', `${name}.p12`, '-file', 'ca.pem');
    tool('-importcert', '-alias', name, '-keystore', `${name}.p12`, '-file', `${name}.pem`);
  }
  tool('-importcert', '-alias', 'ca', '-keystore', 'trust.p12', '-storetype', 'PKCS12', '-file', 'ca.pem');
  const key = execFileSync(
    'openssl',
    ['pkcs12', '-in', 'client.p12', '-nocerts', '-nodes', '-passin', `pass:${PASSWORD}`],
    { cwd: directory, stdio: ['ignore', 'pipe', 'ignore'] },
  );
  files.ca = readFileSync(join(directory, 'ca.pem'), 'utf8');
  files.cert = readFileSync(join(directory, 'client.pem'), 'utf8');
  files.key = key.toString();
}

function listeners(directory: string, port: number): string[] {
  makeStores(directory);
  ports = { tls: port + 2, sasl: port + 3 };
  const module = 'org.apache.kafka.common.security';
  const scram = `${module}.scram.ScramLoginModule required;`;
  return [
    ...['--listener', `TLS:SSL:${ports.tls}`, '--listener', `SASL:SASL_SSL:${ports.sasl}`],
    ...[
      '--scram',
      `SCRAM-SHA-256=[name=alice,password=${PASSWORD}]`,
      '--scram',
      `SCRAM-SHA-512=[name=alice,password=${PASSWORD}]`,
    ],
    ...[
      `ssl.keystore.location=${directory}/broker.p12`,
      `ssl.keystore.password=${PASSWORD}`,
      `ssl.truststore.location=${directory}/trust.p12`,
      `ssl.truststore.password=${PASSWORD}`,
      'listener.name.tls.ssl.client.auth=required',
      'sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512',
      `listener.name.sasl.plain.sasl.jaas.config=${module}.plain.PlainLoginModule required user_alice="${PASSWORD}";`,
      // kafkajs signs in again ten seconds before its session ends.
      'listener.name.sasl.scram-sha-512.connections.max.reauth.ms=11500',
      `listener.name.sasl.scram-sha-256.sasl.jaas.config=${scram}`,
      `listener.name.sasl.scram-sha-512.sasl.jaas.config=${scram}`,
    ].flatMap((line) => ['--prop', line]),
  ];
}

describeWithKafka(
  'a connection to Kafka that is secured',
  () => {
    const broker = useBroker(listeners);
    afterEach(closeAll);

    async function writesAndReads(port: number, options: Partial<KafkaLogOptions>): Promise<void> {
      const topic = await broker.createTopic(1);
      const { log } = await open([`127.0.0.1:${port}`], topic, {
        group: { id: `g-${topic}`, shards: { count: 1, own: [0] } },
        ...options,
      });
      await log.append([{ partition: 0, tenant: 'a', encoding: 'otlp', bytes: Buffer.from([0x0a, 1, 1]) }]);
      const seen = new Collector();
      log.consume(fromStart(log), seen);
      await until('the record', () => seen.records.length === 1);
      expect(await log.fence!.commit({ claim: 1, tMs: 1, digest: 'd', offsets: [[0, 1]] })).toBe('committed');
    }

    it('uses TLS with an authority and a client certificate', async () => {
      await writesAndReads(ports.tls, { tls: { ca: files.ca!, cert: files.cert!, key: files.key! } });
    });

    it('fails by name without a client certificate, or with an authority that is not the right one', async () => {
      const topic = await broker.createTopic(1);
      const brokers = [`127.0.0.1:${ports.tls}`];
      await expect(open(brokers, topic, { tls: { ca: files.ca! } })).rejects.toMatchObject({ code: 'log_unavailable' });
      await expect(open(brokers, topic, { tls: {} })).rejects.toThrow(/certificate/);
    });

    for (const mechanism of ['plain', 'scram-sha-256', 'scram-sha-512'] as const) {
      it(`signs in with ${mechanism}, and not with a wrong password`, async () => {
        const sasl = { mechanism, username: 'alice', password: PASSWORD };
        await writesAndReads(ports.sasl, { tls: { ca: files.ca! }, sasl });
        const topic = await broker.createTopic(1);
        await expect(
          open([`127.0.0.1:${ports.sasl}`], topic, { tls: { ca: files.ca! }, sasl: { ...sasl, password: 'wrong' } }),
        ).rejects.toMatchObject({ code: 'log_unavailable' });
      });
    }

    it('signs in again before its session ends, between and under requests', async () => {
      const topic = await broker.createTopic(1);
      const SASL_HANDSHAKE = 17;
      const plain = plainSocketFactory();
      let signIns = 0;
      const { log, troubles } = await open([`127.0.0.1:${ports.sasl}`], topic, {
        tls: { ca: files.ca! },
        sasl: { mechanism: 'scram-sha-512', username: 'alice', password: PASSWORD },
        group: { id: `g-${topic}`, shards: { count: 1, own: [0] }, heartbeatMs: 5 },
        socketFactory: (target) => {
          const socket = plain(target);
          const write = socket.write.bind(socket);
          socket.write = ((bytes: Buffer, ...rest: []) => {
            if (Buffer.isBuffer(bytes) && bytes.readInt16BE(4) === SASL_HANDSHAKE) signIns++;
            return write(bytes, ...rest);
          }) as never;
          return socket;
        },
      });
      const seen = new Collector();
      log.consume(fromStart(log), seen);
      const first = signIns;
      let made = 0;
      await until('sessions that were renewed', async () => {
        made++;
        await log.append([{ partition: 0, tenant: 'a', encoding: 'otlp', bytes: Buffer.from([0x0a, 1, 1]) }]);
        expect(await log.fence!.commit({ claim: 1, tMs: made, digest: 'd', offsets: [[0, made]] })).toBe('committed');
        return signIns >= first + 8;
      });
      await until('all records', () => seen.records.length === made);
      expect(troubles).toEqual([]);
    });
  },
  'own',
);
