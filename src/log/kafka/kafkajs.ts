// The only file that reaches into kafkajs below its public interface: its cluster (connections, TLS, SASL, metadata, coordinator) and
// its request encoders. The package is frozen, so its inside is stable; another version than the pinned one must never get past here.

import { createRequire } from 'node:module';
import type { Socket } from 'node:net';
import type { ConnectionOptions } from 'node:tls';
import type { SASLOptions } from 'kafkajs';

const PINNED = '2.2.4';
const PENDING_CHECK_MS = 10;
const require = createRequire(import.meta.url);

/** kafkajs's name of a protocol error is in `type` ("ILLEGAL_GENERATION"), of its own errors in `name`. */
export interface KafkaJsError extends Error {
  type?: string;
  code?: number | string;
  retriable?: boolean;
  host?: string;
  port?: number;
  cause?: unknown;
}

export interface WireRequest<T> {
  request: { apiKey: number; apiVersion: number; apiName: string; encode(): Promise<unknown> };
  response: { decode(payload: Buffer): Promise<T>; parse(decoded: T): Promise<T> };
  requestTimeout?: number;
  logResponseError?: boolean;
}

export interface GroupCall {
  groupId: string;
  memberId: string;
}

export interface Broker {
  connectionPool: { host: string; port: number; send<T>(request: WireRequest<T>): Promise<T> };
  joinGroup(
    call: GroupCall & {
      sessionTimeout: number;
      rebalanceTimeout: number;
      groupProtocols: { name: string; metadata: Buffer }[];
    },
  ): Promise<{
    generationId: number;
    leaderId: string;
    memberId: string;
    members: { memberId: string; memberMetadata: Buffer }[];
  }>;
  syncGroup(
    call: GroupCall & { generationId: number; groupAssignment: { memberId: string; memberAssignment: Buffer }[] },
  ): Promise<{ memberAssignment: Buffer }>;
  heartbeat(call: GroupCall & { groupGenerationId: number }): Promise<unknown>;
  leaveGroup(call: GroupCall): Promise<unknown>;
  offsetCommit(
    call: GroupCall & {
      groupGenerationId: number;
      topics: { topic: string; partitions: { partition: number; offset: string; metadata: string }[] }[];
    },
  ): Promise<{
    responses: { topic: string; partitions: { partition: number; errorCode: number }[] }[];
  }>;
  offsetFetch(call: { groupId: string; topics: { topic: string; partitions: { partition: number }[] }[] }): Promise<{
    responses: { topic: string; partitions: { partition: number; offset: string; metadata: string | null }[] }[];
  }>;
  listOffsets(call: {
    isolationLevel: number;
    topics: { topic: string; partitions: { partition: number; timestamp: string }[] }[];
  }): Promise<{
    responses: { topic: string; partitions: { partition: number; offset: string }[] }[];
  }>;
}

export interface Cluster {
  connect(): Promise<void>;
  disconnect(): Promise<void>;
  refreshMetadata(): Promise<void>;
  addTargetTopic(topic: string): Promise<void>;
  findBroker(which: { nodeId: number }): Promise<Broker>;
  findGroupCoordinator(which: { groupId: string }): Promise<Broker>;
  findTopicPartitionMetadata(topic: string): { partitionId: number; leader: number; partitionErrorCode: number }[];
  removeBroker(address: { host: string; port: number }): void;
  brokerPool: { metadata: { clusterId: string } | null };
}

export type SocketFactory = (target: {
  host: string;
  port: number;
  ssl: ConnectionOptions | null;
  onConnect: () => void;
}) => Socket;

export interface ClusterOptions {
  brokers: string[];
  clientId: string;
  ssl?: ConnectionOptions;
  sasl?: SASLOptions;
  connectionTimeoutMs: number;
  requestTimeoutMs: number;
  socketFactory: SocketFactory;
}

interface Internals {
  Cluster: new (options: Record<string, unknown>) => Cluster;
  fetchRequest(options: Record<string, unknown>): WireRequest<unknown>['request'];
  createLogger(options: { level: number; logCreator: (level: number) => (entry: unknown) => void }): unknown;
  plainSocketFactory(): SocketFactory;
}

let loaded: Internals | undefined;

/** @throws Error when another kafkajs than the pinned one is installed */
function internals(): Internals {
  if (loaded === undefined) {
    const { version } = require('kafkajs/package.json') as { version: string };
    if (version !== PINNED)
      throw new Error(`kafkajs ${version} is installed, but spanmill uses inner parts of exactly ${PINNED}`);
    loaded = {
      Cluster: require('kafkajs/src/cluster') as Internals['Cluster'],
      fetchRequest: require('kafkajs/src/protocol/requests/fetch/v11/request') as Internals['fetchRequest'],
      createLogger: (require('kafkajs/src/loggers') as { createLogger: Internals['createLogger'] }).createLogger,
      plainSocketFactory: require('kafkajs/src/network/socketFactory') as Internals['plainSocketFactory'],
    };
    quietTimers();
  }
  return loaded;
}

interface RequestQueue {
  throttledUntil: number;
  throttleCheckTimeoutId: NodeJS.Timeout | null;
  pending: unknown[];
  checkPendingRequests(): void;
}

/** kafkajs sets a timer with a negative time after every answer: Node 24 warns of that, and there is nothing to do when it fires. */
function quietTimers(): void {
  const { prototype } = require('kafkajs/src/network/requestQueue') as {
    prototype: { scheduleCheckPendingRequests(this: RequestQueue): void };
  };
  prototype.scheduleCheckPendingRequests = function schedule(this: RequestQueue): void {
    // The clock that `throttledUntil` was taken from.
    const waitMs = this.throttledUntil - Date.now();
    if (this.throttleCheckTimeoutId !== null || (waitMs <= 0 && this.pending.length === 0)) return;
    this.throttleCheckTimeoutId = setTimeout(
      () => {
        this.throttleCheckTimeoutId = null;
        this.checkPendingRequests();
      },
      waitMs > 0 ? waitMs : PENDING_CHECK_MS,
    );
  };
}

export function createCluster(options: ClusterOptions): Cluster {
  const { Cluster, createLogger } = internals();
  return new Cluster({
    logger: createLogger({ level: 0, logCreator: () => () => undefined }),
    brokers: options.brokers,
    clientId: options.clientId,
    ssl: options.ssl,
    sasl: options.sasl,
    socketFactory: options.socketFactory,
    connectionTimeout: options.connectionTimeoutMs,
    authenticationTimeout: options.connectionTimeoutMs,
    reauthenticationThreshold: 10_000,
    requestTimeout: options.requestTimeoutMs,
    enforceRequestTimeout: true,
    metadataMaxAge: 300_000,
    allowAutoTopicCreation: false,
    maxInFlightRequests: null,
    // Whoever calls repeats by rules of its own; these few cover a broker that is just being found.
    retry: { retries: 2, initialRetryTime: 100, maxRetryTime: 500 },
  });
}

export function plainSocketFactory(): SocketFactory {
  return internals().plainSocketFactory();
}

export interface FetchCall {
  topic: string;
  partitions: { partition: number; fetchOffset: string; maxBytes: number }[];
  maxWaitTime: number;
  minBytes: number;
  maxBytes: number;
}

/** One Fetch request (version 11, read committed). The answer is handed over as it came: kafkajs would make objects of every record. */
export function fetchRaw<T>(broker: Broker, call: FetchCall, decode: (payload: Buffer) => T): Promise<T> {
  const request = internals().fetchRequest({
    replicaId: -1,
    maxWaitTime: call.maxWaitTime,
    minBytes: call.minBytes,
    maxBytes: call.maxBytes,
    isolationLevel: 1,
    topics: [{ topic: call.topic, partitions: call.partitions }],
    rackId: '',
  });
  return broker.connectionPool.send<T>({
    request,
    response: { decode: async (payload) => decode(payload), parse: async (decoded) => decoded },
    requestTimeout: call.maxWaitTime + 30_000,
  });
}
