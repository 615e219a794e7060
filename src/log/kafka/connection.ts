// A set of connections to the brokers of one topic, over kafkajs's cluster: finds leaders, comes back after a broker was away, and is
// closed for good. Each purpose has its own, as brokers answer the requests of one connection one after another. After `close` nothing
// that was asked of it stays unanswered.

import type { Socket } from 'node:net';
import { LogError } from '../port.ts';
import { type Broker, type Cluster, createCluster, type KafkaJsError, plainSocketFactory } from './kafkajs.ts';
import type { KafkaLogOptions } from './options.ts';
import { saslOptions, tlsOptions } from './security.ts';

const CONNECT_TIMEOUT_MS = 5_000;
const REQUEST_TIMEOUT_MS = 30_000;
const MAX_CAUSES = 5;

export class Connection {
  readonly topic: string;
  private readonly cluster: Cluster;
  /** By `host:port`. */
  private readonly sockets = new Map<Socket, string>();
  private readonly unanswered = new Set<(error: LogError) => void>();
  private isClosed = false;
  private recovering: Promise<void> | undefined;
  private found: Broker | undefined;

  constructor(options: KafkaLogOptions, purpose: string, requestTimeoutMs = REQUEST_TIMEOUT_MS) {
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
      requestTimeoutMs,
      socketFactory: (target) => {
        const socket = makeSocket(target);
        this.sockets.set(socket, `${target.host}:${target.port}`);
        socket.on('close', () => this.sockets.delete(socket));
        if (this.isClosed) queueMicrotask(() => socket.destroy(new Error('the log is closed')));
        return socket;
      },
    });
  }

  /** @throws the error of kafkajs, LogError `log_closed` */
  connect(): Promise<void> {
    return this.answered(async () => {
      await this.cluster.connect();
      await this.cluster.addTargetTopic(this.topic);
    });
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

  /** Runs a request on the leader of a partition. @throws its error, LogError `log_closed` */
  onLeader<T>(partition: number, request: (broker: Broker) => Promise<T>): Promise<T> {
    return this.onNode(this.leaderOf(partition), request);
  }

  onNode<T>(nodeId: number, request: (broker: Broker) => Promise<T>): Promise<T> {
    return this.answered(async () => request(await this.cluster.findBroker({ nodeId })));
  }

  /** Runs a request on the group's coordinator, which is remembered until `recover`. */
  onCoordinator<T>(groupId: string, request: (broker: Broker) => Promise<T>): Promise<T> {
    return this.answered(async () => {
      this.found ??= await this.cluster.findGroupCoordinator({ groupId });
      return request(this.found);
    });
  }

  refresh(): Promise<void> {
    return this.answered(() => this.cluster.refreshMetadata());
  }

  /** After a failed request: forgets a broker that went away and learns the cluster anew. Never throws. */
  recover(error: unknown): Promise<void> {
    this.found = undefined;
    let e = error as KafkaJsError | undefined;
    for (let depth = 0; e !== undefined && depth < MAX_CAUSES; depth++) {
      const { name, host, port, broker } = e;
      if (name === 'KafkaJSConnectionClosedError' && host !== undefined && port !== undefined)
        this.cluster.removeBroker({ host, port });
      // A broker that says nothing may never say anything again on this connection; kafkajs would go on using it.
      if (name === 'KafkaJSRequestTimeoutError' && broker !== undefined) this.drop(broker);
      e = e.cause as KafkaJsError | undefined;
    }
    this.recovering ??= this.reconnect().finally(() => {
      this.recovering = undefined;
    });
    return this.recovering;
  }

  private async reconnect(): Promise<void> {
    try {
      await this.answered(async () => {
        await this.cluster.connect();
        await this.cluster.refreshMetadata();
      });
    } catch {
      // The next request fails and comes here again.
    }
  }

  private drop(broker: string): void {
    for (const [socket, address] of this.sockets)
      if (address === broker) socket.destroy(new Error('the broker did not answer'));
  }

  /** What `run` gives, or `log_closed` as soon as that is so, whatever kafkajs still waits for. */
  private answered<T>(run: () => Promise<T>): Promise<T> {
    if (this.isClosed) return Promise.reject(closed());
    return new Promise((resolve, reject) => {
      this.unanswered.add(reject);
      run()
        .finally(() => this.unanswered.delete(reject))
        .then(resolve, reject);
    });
  }

  /** Requests under way fail. Idempotent. */
  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    for (const reject of this.unanswered) reject(closed());
    this.unanswered.clear();
    for (const socket of this.sockets.keys()) socket.destroy(new Error('the log is closed'));
    // Nothing to wait for: its sockets are gone, and it may think that one of them still owes it an answer.
    this.cluster.disconnect().catch(() => undefined);
  }
}

function closed(): LogError {
  return new LogError('log_closed', 'the log is closed');
}
