// The words in which the shop is written down: services, what they answer to, and the steps they take. Pure data.
import type { Spread, Work } from './durations.ts';

export type Language = 'go' | 'java' | 'nodejs' | 'python' | 'dotnet';

export type Step =
  | { type: 'call'; to: string; retry: boolean; optional: boolean; timeoutMs: number }
  | { type: 'database'; store: string; operation: string; target: string; work: Work }
  | { type: 'publish'; to: string }
  | { type: 'external'; host: string; peer: string; method: string; path: string; work: Work; failPerMille: number }
  | { type: 'inside'; name: string; work: Work; steps: readonly Step[] }
  | { type: 'maybe'; perMille: number; step: Step }
  | { type: 'several'; least: number; most: number; step: Step }
  | { type: 'together'; steps: readonly Step[] };

/** What starts a server-side span (or, for a job, an INTERNAL root): `id` is how steps name it, after the service's name. */
export interface EndpointSpec {
  id: string;
  protocol: 'http' | 'grpc' | 'consumer' | 'job';
  /** Method and route; gRPC service and method; empty and topic; empty and name. */
  method: string;
  route: string;
  work: Work;
  /** Answers that are the caller's fault (404, NOT_FOUND), and faults of its own. */
  refusePerMille: number;
  failPerMille: number;
  steps: readonly Step[];
}

export interface ServiceSpec {
  name: string;
  namespace: string;
  language: Language;
  version: string;
  pods: number;
  /** Sets status OK on success by hand, as some instrumentation does. */
  saysOk: boolean;
  endpoints: readonly EndpointSpec[];
}

/** Where a store's name in the service graph comes from: each way is one that real instrumentation has. */
export interface StoreSpec {
  system: 'postgresql' | 'mysql' | 'redis' | 'mongodb' | 'elasticsearch';
  /** `db.namespace`. */
  namespace: string;
  named: 'server' | 'network' | 'peer' | 'namespace';
  host: string;
  port: number;
}

export interface EntrySpec {
  to: string;
  weight: number;
  /** The caller has a span that is never exported (a browser, a provider's webhook): the parent id leads nowhere. */
  hasForeignParent: boolean;
}

interface EndpointOptions {
  spread?: Spread;
  refuse?: number;
  fail?: number;
}

function endpoint(
  protocol: EndpointSpec['protocol'],
  method: string,
  route: string,
  medianUs: number,
  steps: readonly Step[],
  { spread = 'steady', refuse = 0, fail = 2 }: EndpointOptions = {},
): EndpointSpec {
  const id = method === '' ? route : protocol === 'grpc' ? `${method}/${route}` : `${method} ${route}`;
  const work: Work = { medianUs, spread };
  return { id, protocol, method, route, work, refusePerMille: refuse, failPerMille: fail, steps };
}

export const http = (m: string, route: string, us: number, steps: readonly Step[], options?: EndpointOptions) =>
  endpoint('http', m, route, us, steps, options);
export const grpc = (service: string, method: string, us: number, steps: readonly Step[], options?: EndpointOptions) =>
  endpoint('grpc', service, method, us, steps, options);
export const consumer = (topic: string, us: number, steps: readonly Step[], options?: EndpointOptions) =>
  endpoint('consumer', '', topic, us, steps, options);
export const job = (name: string, us: number, steps: readonly Step[], options?: EndpointOptions) =>
  endpoint('job', '', name, us, steps, options);

interface CallOptions {
  retry?: boolean;
  optional?: boolean;
  timeoutMs?: number;
}

/** `to` is a service and one of its endpoints: `catalog GET /products/{id}`. */
export const call = (to: string, { retry = false, optional = false, timeoutMs = 0 }: CallOptions = {}): Step => ({
  type: 'call',
  to,
  retry,
  optional,
  timeoutMs,
});
export const query = (
  store: string,
  operation: string,
  target: string,
  medianUs: number,
  spread: Spread = 'steady',
): Step => ({
  type: 'database',
  store,
  operation,
  target,
  work: { medianUs, spread },
});
export const publish = (to: string): Step => ({ type: 'publish', to });
export const inside = (name: string, medianUs: number, ...steps: Step[]): Step => ({
  type: 'inside',
  name,
  work: { medianUs, spread: 'steady' },
  steps,
});
export const maybe = (perMille: number, step: Step): Step => ({ type: 'maybe', perMille, step });
export const several = (least: number, most: number, step: Step): Step => ({ type: 'several', least, most, step });
export const together = (...steps: Step[]): Step => ({ type: 'together', steps });
