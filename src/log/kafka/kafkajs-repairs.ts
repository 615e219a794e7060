// Faults of kafkajs 2.2.4 that its users can't mend from outside, mended in its prototypes once per process. Each function says what goes
// wrong without it. Must keep to that version: `kafkajs.ts` checks it first.

import { createRequire } from 'node:module';

const PENDING_CHECK_MS = 10;
const METADATA_VERSIONS = [0, 1, 2, 3, 4, 5, 6];
const require = createRequire(import.meta.url);

export function repairKafkaJs(): void {
  quietTimers();
  shareConnects();
  allowMissingLeaders();
}

interface RequestQueue {
  throttledUntil: number;
  throttleCheckTimeoutId: NodeJS.Timeout | null;
  pending: unknown[];
  checkPendingRequests(): void;
}

/** It sets a timer with a negative time after every answer: Node 24 warns of that, and there is nothing to do when it fires. */
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

interface WireConnection {
  connecting?: Promise<unknown> | undefined;
  connect(): Promise<unknown>;
}

/** Callers that connect at the same time make a socket each, of which all but one are never used nor closed. */
function shareConnects(): void {
  const { prototype } = require('kafkajs/src/network/connection') as { prototype: WireConnection };
  const { connect } = prototype;
  prototype.connect = function connectShared(this: WireConnection): Promise<unknown> {
    this.connecting ??= connect.call(this).finally(() => {
      this.connecting = undefined;
    });
    return this.connecting;
  };
}

interface Metadata {
  topicMetadata: { partitionMetadata: unknown[] }[];
}

/** It throws a whole answer away when one partition has no leader: then nobody learns where the others have gone. */
function allowMissingLeaders(): void {
  for (const version of METADATA_VERSIONS) {
    const response = require(`kafkajs/src/protocol/requests/metadata/v${version}/response`) as {
      parse(data: Metadata): Promise<Metadata>;
    };
    const { parse } = response;
    response.parse = async (data) => {
      await parse({ ...data, topicMetadata: data.topicMetadata.map((topic) => ({ ...topic, partitionMetadata: [] })) });
      return data;
    };
  }
}
