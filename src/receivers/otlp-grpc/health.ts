// grpc.health.v1.Health (GRPC Health Checking Protocol): says whether the receiver takes requests.

import { type ServerUnaryCall, type ServerWritableStream, type sendUnaryData, status } from '@grpc/grpc-js';
import { delimitedFields, integer } from './wire.ts';

export const HEALTH_SERVICE = 'grpc.health.v1.Health';

/** HealthCheckResponse: 1 status. */
const SERVING = integer(1, 1);
const NOT_SERVING = integer(1, 2);
const SERVICE_UNKNOWN = integer(1, 3);

export interface HealthService {
  check(call: ServerUnaryCall<Buffer, Buffer>, answer: sendUnaryData<Buffer>): void;
  watch(call: ServerWritableStream<Buffer, Buffer>): void;
  /** Says NOT_SERVING from now on, to watchers at once and for the last time. */
  stop(): void;
}

/** Knows the whole server, whose name is empty, and the given services. */
export function createHealthService(services: readonly string[]): HealthService {
  const known = new Set(['', ...services]);
  const watchers = new Set<ServerWritableStream<Buffer, Buffer>>();
  let current = SERVING;

  return {
    check(call, answer) {
      const service = serviceOf(call.request);
      if (service === undefined) answer({ code: status.INVALID_ARGUMENT, details: 'not a HealthCheckRequest' });
      else if (known.has(service)) answer(null, current);
      else answer({ code: status.NOT_FOUND, details: 'unknown service' });
    },
    watch(call) {
      const service = serviceOf(call.request);
      if (service === undefined) {
        call.emit('error', { code: status.INVALID_ARGUMENT, details: 'not a HealthCheckRequest' });
        return;
      }
      call.write(known.has(service) ? current : SERVICE_UNKNOWN);
      if (current === NOT_SERVING) {
        call.end();
        return;
      }
      watchers.add(call);
      call.once('cancelled', () => watchers.delete(call));
    },
    stop() {
      current = NOT_SERVING;
      for (const call of watchers) {
        if (known.has(serviceOf(call.request) ?? '')) call.write(current);
        call.end();
      }
      watchers.clear();
    },
  };
}

/** HealthCheckRequest: 1 service. The last value counts; undefined if it is no message. */
function serviceOf(request: Buffer): string | undefined {
  try {
    return (
      delimitedFields(request)
        .findLast(({ number }) => number === 1)
        ?.bytes.toString() ?? ''
    );
  } catch {
    return undefined;
  }
}
