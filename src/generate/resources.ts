// The resource attributes of each pod of each service, encoded once.
import { type Attributes, encodeAttributes } from './attributes.ts';
import { scramble } from './prng.ts';
import type { Language, ServiceSpec } from './spec.ts';

const SDK_VERSIONS: Readonly<Record<Language, string>> = {
  go: '1.38.0',
  java: '1.54.1',
  nodejs: '2.1.0',
  python: '1.37.0',
  dotnet: '1.12.0',
};

/** `instance` numbers the pod; digits that look random are made from its name, so they never change. */
export function resourceAttributes(service: ServiceSpec, instance: number): Attributes {
  const hash = hashText(`${service.name}/${instance}`);
  const hex = hash.toString(16).padStart(8, '0');
  const zone = 'abc'[hash % 3]!;
  const node = 1 + (hash % 6);
  const pod = `${service.name}-${hashText(service.version).toString(16).slice(0, 8)}-${hex.slice(0, 5)}`;
  return [
    ['service.name', service.name],
    ['service.namespace', service.namespace],
    ['service.version', service.version],
    ['service.instance.id', `${hex}-4c1e-4a77-9d0b-${hex}${hex.slice(0, 4)}`],
    ['deployment.environment.name', 'production'],
    ['telemetry.sdk.name', 'opentelemetry'],
    ['telemetry.sdk.language', service.language],
    ['telemetry.sdk.version', SDK_VERSIONS[service.language]],
    ['host.name', pod],
    ['host.arch', 'amd64'],
    ['os.type', 'linux'],
    ['process.pid', 1 + (hash % 40)],
    ['container.id', hex.repeat(8)],
    ['k8s.cluster.name', 'shop-eu-1'],
    ['k8s.namespace.name', 'shop'],
    ['k8s.deployment.name', service.name],
    ['k8s.pod.name', pod],
    ['k8s.node.name', `node-${zone}-${node}.eu-central-1.compute.internal`],
    ['cloud.provider', 'aws'],
    ['cloud.region', 'eu-central-1'],
    ['cloud.availability_zone', `eu-central-1${zone}`],
  ];
}

/** The body of a resource.v1.Resource. */
export function encodeResource(service: ServiceSpec, instance: number): Uint8Array {
  return encodeAttributes(0x0a, resourceAttributes(service, instance)).bytes;
}

function hashText(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return scramble(hash);
}
