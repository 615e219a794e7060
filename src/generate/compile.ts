// Turns the shop's description into a graph of endpoints and steps with their shapes in place, so that making a trace follows
// pointers only. A name that leads nowhere is an error here, at start.
import type { Work } from './durations.ts';
import {
  callShape,
  databaseShape,
  endpointShape,
  externalShape,
  insideShape,
  publishShape,
} from './instrumentation.ts';
import type { Place } from './outcomes.ts';
import { encodeResource } from './resources.ts';
import { makeShape, type Shape, type ShapeSpec } from './shapes.ts';
import { ENTRIES, SERVICES, STORES } from './shop.ts';
import type { EndpointSpec, EntrySpec, ServiceSpec, Step } from './spec.ts';

export interface Endpoint {
  shape: Shape;
  work: Work;
  refusePerMille: number;
  failPerMille: number;
  steps: Node[];
}

/** A step with its shapes. */
export type Node =
  | { type: 'call'; shape: Shape; endpoint: Endpoint; retry: boolean; optional: boolean; timeoutNs: number }
  | { type: 'leaf'; shape: Shape; work: Work; failPerMille: number; isExternal: boolean }
  | { type: 'publish'; shape: Shape; endpoint: Endpoint }
  | { type: 'inside'; shape: Shape; work: Work; steps: Node[] }
  | { type: 'maybe'; perMille: number; step: Node }
  | { type: 'several'; least: number; most: number; step: Node }
  | { type: 'together'; steps: Node[] };

export interface Entry {
  endpoint: Endpoint;
  hasForeignParent: boolean;
}

export interface Shop {
  services: readonly ServiceSpec[];
  shapes: readonly Shape[];
  /** Resource bodies by service, then pod; `firstResource[service] + pod` numbers them. */
  resources: readonly Uint8Array[];
  firstResource: readonly number[];
  /** Each entry as often as its weight: one draw picks. */
  entries: readonly Entry[];
}

const DATABASE_FAULTS_PER_MILLE = 3;

export function compileShop(): Shop {
  const shapes: Shape[] = [];
  const endpoints = new Map<string, { place: Place; spec: EndpointSpec; endpoint: Endpoint }>();
  const shape = (spec: ShapeSpec): Shape => {
    const made = makeShape(shapes.length, spec);
    shapes.push(made);
    return made;
  };
  const find = (to: string) => {
    const found = endpoints.get(to);
    if (found === undefined) throw new Error(`the shop has no endpoint "${to}"`);
    return found;
  };

  for (const [index, service] of SERVICES.entries()) {
    for (const spec of service.endpoints) {
      const place: Place = { index, service };
      const { work, refusePerMille, failPerMille } = spec;
      const endpoint: Endpoint = {
        shape: shape(endpointShape(place, spec)),
        work,
        refusePerMille,
        failPerMille,
        steps: [],
      };
      endpoints.set(`${service.name} ${spec.id}`, { place, spec, endpoint });
    }
  }

  const compile = (place: Place, step: Step): Node => {
    switch (step.type) {
      case 'call': {
        const to = find(step.to);
        const client = shape(callShape(place, to.place.service, to.spec));
        const { retry, optional, timeoutMs } = step;
        return {
          type: 'call',
          shape: client,
          endpoint: to.endpoint,
          retry,
          optional,
          timeoutNs: timeoutMs * 1_000_000,
        };
      }
      case 'database': {
        const store = STORES[step.store];
        if (store === undefined) throw new Error(`the shop has no store "${step.store}"`);
        const client = shape(databaseShape(place, store, step));
        return {
          type: 'leaf',
          shape: client,
          work: step.work,
          failPerMille: DATABASE_FAULTS_PER_MILLE,
          isExternal: false,
        };
      }
      case 'external': {
        const { work, failPerMille } = step;
        return { type: 'leaf', shape: shape(externalShape(place, step)), work, failPerMille, isExternal: true };
      }
      case 'publish': {
        const to = find(step.to);
        return { type: 'publish', shape: shape(publishShape(place, to.spec.route)), endpoint: to.endpoint };
      }
      case 'inside': {
        const steps = step.steps.map((one) => compile(place, one));
        return { type: 'inside', shape: shape(insideShape(place, step.name)), work: step.work, steps };
      }
      case 'maybe':
        return { type: 'maybe', perMille: step.perMille, step: compile(place, step.step) };
      case 'several':
        return { type: 'several', least: step.least, most: step.most, step: compile(place, step.step) };
      case 'together':
        return { type: 'together', steps: step.steps.map((one) => compile(place, one)) };
    }
  };
  for (const { place, spec, endpoint } of endpoints.values()) {
    for (const step of spec.steps) endpoint.steps.push(compile(place, step));
  }

  const resources: Uint8Array[] = [];
  const firstResource: number[] = [];
  for (const service of SERVICES) {
    firstResource.push(resources.length);
    for (let pod = 0; pod < service.pods; pod++) resources.push(encodeResource(service, pod));
  }
  const entries = ENTRIES.flatMap(({ to, weight, hasForeignParent }: EntrySpec): Entry[] =>
    new Array<Entry>(weight).fill({ endpoint: find(to).endpoint, hasForeignParent }),
  );
  return { services: SERVICES, shapes, resources, firstResource, entries };
}
