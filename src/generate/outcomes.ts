// How a span of each sort can end: status, message, the attributes that tell of it, and the exception that was recorded. The
// positions in each list are those of `shapes.ts`.
import type { Attributes } from './attributes.ts';
import { type OutcomeSpec, STATUS_ERROR, STATUS_OK, STATUS_UNSET } from './shapes.ts';
import type { Language, ServiceSpec } from './spec.ts';

export interface Place {
  /** The service's position in the list. */
  index: number;
  service: ServiceSpec;
}

export const EXTENSIONS: Readonly<Record<Language, string>> = {
  go: 'go',
  java: 'java',
  nodejs: 'js',
  python: 'py',
  dotnet: 'cs',
};

const stack = (place: Place, what: string, message: string) => {
  const { language, name } = place.service;
  const lines = [`${what}: ${message}`];
  for (const frame of ['handle', 'invokeWithRetry', 'dispatch', 'run']) {
    lines.push(`    at shop.${name}.${frame}(${name}.${EXTENSIONS[language]}:${frame.length * 17})`);
  }
  return lines.join('\n');
};

export function thrown(place: Place, type: string, message: string): Pick<OutcomeSpec, 'message' | 'exception'> {
  const full = place.service.language === 'java' ? `com.shop.${place.service.name.replace('-', '')}.${type}` : type;
  return { message, exception: { type: full, message, stacktrace: stack(place, full, message) } };
}

export const fine = (place: Place) => (place.service.saysOk ? STATUS_OK : STATUS_UNSET);
const httpStatus = (value: number, error = ''): Attributes =>
  error === ''
    ? [['http.response.status_code', value]]
    : [
        ['http.response.status_code', value],
        ['error.type', error],
      ];
const rpcStatus = (value: number): Attributes => [['rpc.grpc.status_code', value]];
export const errorType = (value: string): Attributes => [['error.type', value]];

export function httpServerOutcomes(place: Place, method: string): OutcomeSpec[] {
  return [
    { status: fine(place), attributes: httpStatus(method === 'POST' ? 201 : 200) },
    { status: STATUS_UNSET, attributes: httpStatus(method === 'POST' ? 422 : 404) },
    {
      status: STATUS_ERROR,
      attributes: httpStatus(500, '500'),
      ...thrown(place, 'IllegalStateError', 'unexpected state'),
    },
    { status: STATUS_ERROR, attributes: httpStatus(502, '502'), message: 'a dependency failed' },
  ];
}

export function httpClientOutcomes(place: Place, method: string): OutcomeSpec[] {
  const refused = method === 'POST' ? 422 : 404;
  return [
    { status: STATUS_UNSET, attributes: httpStatus(method === 'POST' ? 201 : 200) },
    { status: STATUS_ERROR, attributes: httpStatus(refused, String(refused)) },
    { status: STATUS_ERROR, attributes: httpStatus(500, '500'), message: 'server answered 500' },
    { status: STATUS_ERROR, attributes: httpStatus(502, '502'), message: 'server answered 502' },
    { status: STATUS_ERROR, attributes: errorType('timeout'), ...thrown(place, 'TimeoutError', 'no answer in time') },
    {
      status: STATUS_ERROR,
      attributes: errorType('connection_refused'),
      ...thrown(place, 'ConnectError', 'connection refused'),
    },
  ];
}

export function rpcServerOutcomes(place: Place): OutcomeSpec[] {
  return [
    { status: fine(place), attributes: rpcStatus(0) },
    { status: STATUS_UNSET, attributes: rpcStatus(5) },
    { status: STATUS_ERROR, attributes: rpcStatus(13), ...thrown(place, 'InternalError', 'invariant violated') },
    { status: STATUS_ERROR, attributes: rpcStatus(14), message: 'a dependency is unavailable' },
  ];
}

export function rpcClientOutcomes(place: Place): OutcomeSpec[] {
  return [
    { status: STATUS_UNSET, attributes: rpcStatus(0) },
    { status: STATUS_ERROR, attributes: rpcStatus(5), message: 'NOT_FOUND' },
    { status: STATUS_ERROR, attributes: rpcStatus(13), message: 'INTERNAL: invariant violated' },
    { status: STATUS_ERROR, attributes: rpcStatus(14), message: 'UNAVAILABLE' },
    { status: STATUS_ERROR, attributes: rpcStatus(4), ...thrown(place, 'DeadlineExceeded', 'deadline exceeded') },
    { status: STATUS_ERROR, attributes: rpcStatus(14), ...thrown(place, 'ConnectError', 'connection refused') },
  ];
}
