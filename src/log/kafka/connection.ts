// A set of connections to the brokers of one topic, over kafkajs's cluster: finds leaders, comes back after a broker was away, and is
// closed for good. Each purpose has its own, as brokers answer the requests of one connection one after another.

import type { Socket } from 'node:net';
import { LogError } from '../port.ts';
import { type Broker, type Cluster, createCluster, type KafkaJsError, plainSocketFactory } from './kafkajs.ts';
import type { KafkaLogOptions } from './options.ts';
import { saslOptions, tlsOptions } from './security.ts';

const CONNECT_TIMEOUT_MS = 5_000;
const REQUEST_TIMEOUT_MS = 30_000;

export class Connection {
  readonly topic: string;
  private readonly cluster: Cluster;
  private readonly sockets = new Set<Socket>();
  private isClosed = false;
  private recovering: Promise<void> | undefined;
  private found: Broker | undefined;

  constructor(options: KafkaLogOptions, purpose: string) {
    this.topic = options.topic;
    const ssl = tlsOptions(options.tls);
    const sasl = saslOptions(options.sasl);
    const makeSocket = options.socketFactory ?? plainSocketFactory();
    this.cluster = createCluster({
      brokers: options.brokers,
      clientId: `${options.clientId ?? 'spanmill'}-${purpose}`,
      ...(ssl === undefined ? {} : { ssl }),
      ...(sasl === undefined ? {} : { sasl }),
      connectionTimeoutMs: options.connectionTimeoutMs ?? CONNECT_TIMEOUT_MS,
      requestTimeoutMs: REQUEST_TIMEOUT_MS,
      socketFactory: (target) => {
        const socket = makeSocket(target);
        this.sockets.add(socket);
        socket.on('close', () => this.sockets.delete(socket));
        if (this.isClosed) queueMicrotask(() => socket.destroy(new Error('the log is closed')));
        return socket;
      },
    });
  }

  /** @throws the error of kafkajs */
  async connect(): Promise<void> {
    await this.cluster.connect();
    await this.cluster.addTargetTopic(this.topic);
  }

  get clusterId(): string {
    return this.cluster.brokerPool.metadata?.clusterId ?? '';
  }

  /** Ascending. */
  partitions(): number[] {
    return this.cluster
      .findTopicPartitionMetadata(this.topic)
      .map(({ partitionId }) => partitionId)
      .sort((a, b) => a - b);
  }

  /** Node that leads the partition, -1 = none is known. */
  leaderOf(partition: number): number {
    try {
      return (
        this.cluster.findTopicPartitionMetadata(this.topic).find(({ partitionId }) => partitionId === partition)
          ?.leader ?? -1
      );
    } catch {
      return -1;
    }
  }

  broker(nodeId: number): Promise<Broker> {
    if (this.isClosed) return Promise.reject(new LogError('log_closed', 'the log is closed'));
    return this.cluster.findBroker({ nodeId });
  }

  /** The group's coordinator, remembered until `recover`. */
  async coordinator(groupId: string): Promise<Broker> {
    if (this.isClosed) throw new LogError('log_closed', 'the log is closed');
    this.found ??= await this.cluster.findGroupCoordinator({ groupId });
    return this.found;
  }

  refresh(): Promise<void> {
    return this.cluster.refreshMetadata();
  }

  /** After a failed request: forgets a broker that went away and learns the cluster anew. Never throws. */
  recover(error: unknown): Promise<void> {
    this.found = undefined;
    for (
      let e = error as KafkaJsError | undefined, depth = 0;
      e !== undefined && depth < 5;
      e = e.cause as KafkaJsError | undefined, depth++
    ) {
      const { name, host, port } = e;
      if (name === 'KafkaJSConnectionClosedError' && host !== undefined && port !== undefined)
        this.cluster.removeBroker({ host, port });
    }
    this.recovering ??= this.reconnect().finally(() => {
      this.recovering = undefined;
    });
    return this.recovering;
  }

  private async reconnect(): Promise<void> {
    if (this.isClosed) return;
    try {
      await this.cluster.connect();
      await this.cluster.refreshMetadata();
    } catch {
      // The next request fails and comes here again.
    }
  }

  /** Requests under way fail. Idempotent. */
  async close(): Promise<void> {
    if (this.isClosed) return;
    this.isClosed = true;
    for (const socket of this.sockets) socket.destroy(new Error('the log is closed'));
    await this.cluster.disconnect().catch(() => undefined);
  }
}
