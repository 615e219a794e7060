// What is used of kafkajs below its public interface: its cluster (connections, TLS, SASL, metadata, coordinator) and its request
// encoders. The package is frozen, so its inside is stable; another version than the pinned one must never get past here.

import { createRequire } from 'node:module';
import type { Socket } from 'node:net';
import type { ConnectionOptions } from 'node:tls';
import type { SASLOptions } from 'kafkajs';
import { assembleAnswers, plainSockets } from './answers.ts';
import { repairKafkaJs } from './kafkajs-repairs.ts';

const PINNED = '2.2.4';
const require = createRequire(import.meta.url);

/** kafkajs's name of a protocol error is in `type` ("ILLEGAL_GENERATION"), of its own errors in `name`. */
export interface KafkaJsError extends Error {
  type?: string;
  code?: number | string;
  retriable?: boolean;
  /** Of a member that is to join again under this id. */
  memberId?: string;
  /** `host:port`, of errors of a connection. */
  broker?: string;
  host?: string;
  port?: number;
  cause?: unknown;
}

const MAX_CAUSES = 5;

/** The broker's error, also from below kafkajs's wrappers: only its `retriable` says whether the broker may answer differently later. */
export function protocolError(error: unknown): KafkaJsError | undefined {
  let e = error as KafkaJsError | undefined;
  for (let depth = 0; e !== undefined && depth < MAX_CAUSES; depth++) {
    if (typeof e.type === 'string') return e;
    e = e.cause as KafkaJsError | undefined;
  }
  return undefined;
}

/** Its name ("ILLEGAL_GENERATION"). */
export function typeOf(error: unknown): string | undefined {
  return protocolError(error)?.type;
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

export interface JoinCall extends GroupCall {
  sessionTimeout: number;
  rebalanceTimeout: number;
  groupProtocols: { name: string; metadata: Buffer }[];
}

export interface Joined {
  generationId: number;
  leaderId: string;
  memberId: string;
  members: { memberId: string; memberMetadata: Buffer }[];
}

export interface Broker {
  connectionPool: { host: string; port: number; send<T>(request: WireRequest<T>): Promise<T> };
  lookupRequest<C, T>(apiKey: number, definition: unknown): (call: C) => WireRequest<T>;
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
  initProducerId(call: { transactionTimeout: number }): Promise<{ producerId: string; producerEpoch: number }>;
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
  produceRequest(options: Record<string, unknown>): WireRequest<unknown>['request'];
  decodeProduced(payload: Buffer): Promise<ProduceAnswer>;
  createErrorFromCode(code: number): KafkaJsError;
  joinGroup: { apiKey: number; definition: unknown };
  createLogger(options: { level: number; logCreator: (level: number) => (entry: unknown) => void }): unknown;
  plainSocketFactory(): SocketFactory;
}

interface ProduceAnswer {
  topics: { partitions: { partition: number; errorCode: number }[] }[];
  clientSideThrottleTime: number;
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
      produceRequest: require('kafkajs/src/protocol/requests/produce/v7/request') as Internals['produceRequest'],
      decodeProduced: (
        require('kafkajs/src/protocol/requests/produce/v7/response') as { decode: Internals['decodeProduced'] }
      ).decode,
      createErrorFromCode: (
        require('kafkajs/src/protocol/error') as { createErrorFromCode: Internals['createErrorFromCode'] }
      ).createErrorFromCode,
      joinGroup: {
        apiKey: (require('kafkajs/src/protocol/requests/apiKeys') as { JoinGroup: number }).JoinGroup,
        definition: require('kafkajs/src/protocol/requests/joinGroup'),
      },
      createLogger: (require('kafkajs/src/loggers') as { createLogger: Internals['createLogger'] }).createLogger,
      plainSocketFactory: require('kafkajs/src/network/socketFactory') as Internals['plainSocketFactory'],
    };
    repairKafkaJs();
    assembleAnswers();
  }
  return loaded;
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
  return plainSockets(internals().plainSocketFactory());
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

/**
 * One JoinGroup request. kafkajs's own repeats the first one inside, with the member id that the broker gave: whoever gives up then does
 * not know as whom to leave.
 * @throws the broker's error; with `memberId` where the member must join again under that id
 */
export function joinRaw(broker: Broker, call: JoinCall): Promise<Joined> {
  const { apiKey, definition } = internals().joinGroup;
  const join = broker.lookupRequest<JoinCall & { protocolType: string }, Joined>(apiKey, definition);
  return broker.connectionPool.send(join({ ...call, protocolType: 'consumer' }));
}

export interface Message {
  key: Buffer | null;
  value: Buffer;
  headers?: Record<string, string>;
  timestamp: string;
}

export interface ProduceCall {
  topic: string;
  partition: number;
  producerId: string;
  producerEpoch: number;
  firstSequence: number;
  compression: number;
  messages: Message[];
  /** How long the leader may wait for its replicas. */
  timeoutMs: number;
}

/** One Produce request (version 7, acknowledged by all in-sync replicas) for one partition. @throws the broker's error, by its type */
export async function produceRaw(broker: Broker, call: ProduceCall): Promise<void> {
  const { produceRequest, decodeProduced, createErrorFromCode } = internals();
  const { topic, partition, firstSequence, messages, producerId, producerEpoch, compression, timeoutMs } = call;
  const request = produceRequest({
    acks: -1,
    timeout: timeoutMs,
    producerId,
    producerEpoch,
    compression,
    topicData: [{ topic, partitions: [{ partition, firstSequence, messages }] }],
  });
  const { topics } = await broker.connectionPool.send<ProduceAnswer>({
    request,
    response: { decode: decodeProduced, parse: async (decoded) => decoded },
  });
  const errorCode = topics[0]?.partitions[0]?.errorCode;
  if (errorCode === undefined) throw new Error('the answer to a produce request does not name its partition');
  if (errorCode !== 0) throw createErrorFromCode(errorCode);
}
