// The receivers that the configuration asks for, as one: all of them listen, or none does.

import type { Config } from './config/index.ts';
import type { LogSink } from './log/index.ts';
import {
  type Admission,
  createAdmission,
  createOtlpGrpcReceiver,
  createOtlpHttpReceiver,
  createZipkinReceiver,
} from './receivers/index.ts';
import type { Logger, OwnMetrics } from './telemetry/index.ts';

export interface ReceiverSetOptions {
  config: Config;
  sink: LogSink;
  /** By the value of `X-Scope-OrgID`. */
  tenantOf(header: string | string[] | undefined): string | undefined;
  events: OwnMetrics['receiverEvents'];
  logger: Logger;
  now(): number;
  /** Stopped with the receivers. */
  admission?: Admission;
}

/** An address that can't be listened on: one line for the user. */
export class ListenError extends Error {}

interface Receiver {
  name: string;
  /** Key of its address in the configuration. */
  key: string;
  host: string;
  port: number;
  address: string | undefined;
  start(): Promise<{ address: string; port: number }>;
  stop(deadlineMs: number): Promise<void>;
}

/** Of the time for a stop. Then what is still being read is refused, and the answers have the rest of it to leave the process. */
const READ_SHARE = 0.9;

export class ReceiverSet {
  private readonly receivers: Receiver[] = [];
  private readonly admission: Admission;

  constructor(options: ReceiverSetOptions) {
    const { config, sink, tenantOf, events, logger, now, admission = createAdmission() } = options;
    this.admission = admission;
    const { http, grpc } = config.receivers.otlp;
    const { zipkin } = config.receivers;
    const shared = { sink, admission, events, logger, now };
    if (http) {
      const place = splitEndpoint(http.endpoint);
      const receiver = createOtlpHttpReceiver({
        ...shared,
        ...place,
        maxBodyBytes: http.maxRequestBodyBytes,
        tenantOf: (headers) => tenantOf(headers['x-scope-orgid']),
      });
      this.add('OTLP/HTTP', 'receivers.otlp.http.endpoint', place, receiver);
    }
    if (grpc) {
      const place = splitEndpoint(grpc.endpoint);
      const receiver = createOtlpGrpcReceiver({
        ...shared,
        ...place,
        tenantOf: (headers) => tenantOf(headers['x-scope-orgid']),
      });
      this.add('OTLP/gRPC', 'receivers.otlp.grpc.endpoint', place, receiver);
    }
    if (zipkin) {
      const place = splitEndpoint(zipkin.endpoint);
      const receiver = createZipkinReceiver({
        ...shared,
        ...place,
        tenantOf: (headers) => tenantOf(headers['x-scope-orgid']),
      });
      this.add('Zipkin', 'receivers.zipkin.endpoint', place, receiver);
    }
  }

  /** Where each listens; undefined before it does. */
  get addresses(): { name: string; address: string | undefined }[] {
    return this.receivers.map(({ name, address }) => ({ name, address }));
  }

  get listening(): boolean {
    return this.receivers.every(({ address }) => address !== undefined);
  }

  addressOf(name: string): string | undefined {
    return this.receivers.find((receiver) => receiver.name === name)?.address;
  }

  /** @throws ListenError */
  async start(): Promise<void> {
    for (const receiver of this.receivers) {
      try {
        const { address, port } = await receiver.start();
        receiver.address = `${address.includes(':') ? `[${address}]` : address}:${port}`;
      } catch (error) {
        throw new ListenError(listenProblem(receiver, error), { cause: error });
      }
    }
  }

  async stop(deadlineMs: number): Promise<void> {
    const timer = setTimeout(() => this.admission.stop(), deadlineMs * READ_SHARE);
    await Promise.all(this.receivers.map((receiver) => receiver.stop(deadlineMs)));
    clearTimeout(timer);
    this.admission.stop();
  }

  private add(
    name: string,
    key: string,
    place: { host: string; port: number },
    receiver: Pick<Receiver, 'start' | 'stop'>,
  ): void {
    this.receivers.push({
      name,
      key,
      ...place,
      address: undefined,
      start: () => receiver.start(),
      stop: (deadlineMs) => receiver.stop(deadlineMs),
    });
  }
}

function splitEndpoint(endpoint: string): { host: string; port: number } {
  const colon = endpoint.lastIndexOf(':');
  const host = endpoint.slice(0, colon).replace(/^\[(.*)\]$/, '$1');
  return { host: host === '' ? '0.0.0.0' : host, port: Number(endpoint.slice(colon + 1)) };
}

function listenProblem({ host, port, key }: Receiver, error: unknown): string {
  const isTaken = error instanceof Error && 'code' in error && error.code === 'EADDRINUSE';
  return isTaken
    ? `port ${port} on ${host} is taken (${key})`
    : `can't listen on ${host}:${port} (${key}): ${error instanceof Error ? error.message : error}`;
}
