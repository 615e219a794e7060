// A spanmill with every receiver on and tenants by header, and what it takes to treat it badly: bytes that no exporter sends, over
// plain sockets where no client library would let them through.

import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import * as http from 'node:http';
import * as net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as grpc from '@grpc/grpc-js';
import { LAUNCHER } from './spanmill.ts';
import { freePort, Hopeless, waitFor } from './wait.ts';

export interface Sent {
  body?: Uint8Array | string;
  type?: string;
  tenant?: string;
  method?: string;
  path?: string;
  headers?: http.OutgoingHttpHeaders;
  isChunked?: boolean;
}

export interface Answer {
  status: number;
  headers: http.IncomingHttpHeaders;
  text: string;
}

const EXPORT = '/opentelemetry.proto.collector.trace.v1.TraceService/Export';

export class Victim {
  log = '';
  readonly apiPort: number;
  readonly httpPort: number;
  readonly grpcPort: number;
  private readonly dir = mkdtempSync(join(tmpdir(), 'spanmill-victim-'));
  private readonly client: grpc.Client;
  private process: ChildProcess | undefined;

  private constructor([apiPort, httpPort, grpcPort]: readonly [number, number, number]) {
    this.apiPort = apiPort;
    this.httpPort = httpPort;
    this.grpcPort = grpcPort;
    this.client = new grpc.Client(`127.0.0.1:${grpcPort}`, grpc.credentials.createInsecure(), {
      'grpc.enable_retries': 0,
      'grpc.max_send_message_length': -1,
    });
  }

  static async start(): Promise<Victim> {
    const victim = new Victim([await freePort(), await freePort(), await freePort()]);
    await victim.begin();
    return victim;
  }

  async remove(): Promise<void> {
    this.client.close();
    this.process?.kill('SIGKILL');
    rmSync(this.dir, { recursive: true, force: true });
  }

  get isAlive(): boolean {
    return this.process?.exitCode === null && this.process.signalCode === null;
  }

  /** The most memory that it ever had, bytes. */
  get peakBytes(): number {
    const status = readFileSync(`/proc/${this.process!.pid}/status`, 'utf8');
    return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)![1]) * 1024;
  }

  /** To OTLP/HTTP; an error's code where the connection is lost without an answer. */
  post(sent: Sent): Promise<Answer | string> {
    return ask(this.httpPort, { path: '/v1/traces', method: 'POST', type: 'application/x-protobuf', ...sent });
  }

  /** Of the API. */
  async get(path: string, headers: http.OutgoingHttpHeaders = {}, method = 'GET'): Promise<Answer> {
    const answer = await ask(this.apiPort, { path, method, headers });
    if (typeof answer === 'string') throw new Error(`${path}: ${answer}`);
    return answer;
  }

  /** To OTLP/gRPC, the message as it is: the gRPC status. */
  export(message: Uint8Array, tenant?: string): Promise<grpc.status> {
    const metadata = new grpc.Metadata();
    if (tenant !== undefined) metadata.set('x-scope-orgid', tenant);
    return new Promise((resolve) => {
      const same = (bytes: Buffer) => bytes;
      this.client.makeUnaryRequest(EXPORT, same, same, Buffer.from(message), metadata, (error) =>
        resolve(error?.code ?? grpc.status.OK),
      );
    });
  }

  /** Everything that comes back for bytes on a socket, until it is closed or `until` matches. */
  raw(port: number, bytes: Uint8Array | string, until: RegExp): Promise<string> {
    return new Promise((resolve) => {
      let text = '';
      const socket = net.connect(port, '127.0.0.1', () => socket.write(bytes));
      socket.on('data', (chunk) => {
        text += chunk.toString('latin1');
        if (until.test(text)) socket.destroy();
      });
      socket.on('error', () => undefined);
      socket.on('close', () => resolve(text));
    });
  }

  /** Counted calls of a tenant by span name. */
  async calls(tenant: string): Promise<Record<string, number>> {
    const { text } = await this.get('/span-metrics', { 'x-scope-orgid': tenant });
    const calls = text.matchAll(/^traces_spanmetrics_calls_total\{.*?span_name="((?:[^"\\]|\\.)*)".*\} (\d+)$/gm);
    return Object.fromEntries([...calls].map(([, name, count]) => [name, Number(count)]));
  }

  /** Samples of its own metrics with this text in them, `0` left out. */
  async own(part: string): Promise<string[]> {
    const { text } = await this.get('/metrics');
    return text.split('\n').filter((line) => line.includes(part) && !line.startsWith('#') && !line.endsWith(' 0'));
  }

  private async begin(): Promise<void> {
    const file = join(this.dir, 'config.yaml');
    writeFileSync(
      file,
      `
server: { http_listen_port: ${this.apiPort} }
multitenancy_enabled: true
receivers: { otlp: { http: { endpoint: "127.0.0.1:${this.httpPort}" }, grpc: { endpoint: "127.0.0.1:${this.grpcPort}" } } }
log: { embedded: { path: ${join(this.dir, 'log')} } }
ledger: { path: ${join(this.dir, 'ledger')} }
metrics_generator: { registry: { collection_interval: 1s } }
overrides: { defaults: { metrics_generator: { processors: [span-metrics, service-graphs] } } }
`,
    );
    const child = spawn(LAUNCHER, [`-config.file=${file}`], { stdio: ['ignore', 'ignore', 'pipe'] });
    child.stderr.on('data', (chunk: Buffer) => {
      this.log += chunk.toString();
    });
    this.process = child;
    await waitFor('spanmill to be ready', async () => {
      if (!this.isAlive) throw new Hopeless(`spanmill ended: ${this.log.slice(-2_000)}`);
      return (await this.get('/ready')).status === 200;
    });
  }
}

function ask(port: number, sent: Sent): Promise<Answer | string> {
  const { body = '', type, tenant, headers, isChunked, method, path } = sent;
  return new Promise((resolve) => {
    const request = http.request({
      host: '127.0.0.1',
      port,
      method,
      path,
      agent: false,
      headers: {
        ...(type === undefined ? {} : { 'content-type': type }),
        ...(tenant === undefined ? {} : { 'x-scope-orgid': tenant }),
        ...(isChunked ? { 'transfer-encoding': 'chunked' } : { 'content-length': Buffer.byteLength(body) }),
        ...headers,
      },
    });
    request.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    request.on('response', (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
      response.on('end', () =>
        resolve({ status: response.statusCode!, headers: response.headers, text: Buffer.concat(chunks).toString() }),
      );
    });
    request.end(body);
  });
}
