// The labels of an edge: client, server, connection type, and the configured dimensions of either side. Compiled once to one
// source per label name; of several with one name the last counts, also where it has no value.

import { otelLabelName, type ServiceGraphsSettings, sanitizeLabelName } from '../config/index.ts';

export type EdgeLabel = { kind: 'client' | 'server' | 'connection' | 'failed' } | { kind: 'value'; index: number };

export interface EdgeLabels {
  /** Sorted by name. */
  names: string[];
  sources: EdgeLabel[];
  /** Attribute keys of the dimensions, and where each side stores its value. */
  dimensions: { key: string; client: number; server: number }[];
  /** Value index that says which side is virtual, or -1. */
  virtualNode: number;
  /** Values stored with an edge, and the name that each is stored under. */
  width: number;
  stored: string[];
}

const VIRTUAL_NODE = 'virtual_node';

/** @param otel the collector's labels: one more says whether the call failed, and an attribute `virtual_node` is none. */
export function compileEdgeLabels(settings: ServiceGraphsSettings, maxNameLength: number, otel: boolean): EdgeLabels {
  const labelName = otel ? otelLabelName : sanitizeLabelName;
  const labels = new Map<string, EdgeLabel>();
  const set = (name: string, source: EdgeLabel) => {
    labels.set(maxNameLength > 0 ? name.slice(0, maxNameLength) : name, source);
  };
  set('client', { kind: 'client' });
  set('server', { kind: 'server' });
  set('connection_type', { kind: 'connection' });
  if (otel) set('failed', { kind: 'failed' });
  const keys = settings.enableVirtualNodeLabel && !otel ? [...settings.dimensions, VIRTUAL_NODE] : settings.dimensions;
  let width = 0;
  let virtualNode = -1;
  // Values are stored under the dimension's name: one that is configured twice is one value.
  const stored = new Map<string, number>();
  const indexOf = (name: string): number => {
    let index = stored.get(name);
    if (index === undefined) {
      index = width++;
      stored.set(name, index);
    }
    return index;
  };
  const dimensions: EdgeLabels['dimensions'] = [];
  for (const key of keys) {
    if (settings.enableClientServerPrefix) {
      const client = indexOf(`client_${key}`);
      const server = indexOf(`server_${key}`);
      dimensions.push({ key, client, server });
      set(labelName(`client_${key}`), { kind: 'value', index: client });
      set(labelName(`server_${key}`), { kind: 'value', index: server });
    } else {
      const index = indexOf(key);
      dimensions.push({ key, client: index, server: index });
      set(labelName(key), { kind: 'value', index });
    }
  }
  if (settings.enableVirtualNodeLabel) {
    virtualNode = indexOf(VIRTUAL_NODE);
    set(VIRTUAL_NODE, { kind: 'value', index: virtualNode });
  }
  const names = [...labels.keys()].sort();
  return {
    names,
    sources: names.map((name) => labels.get(name)!),
    dimensions,
    virtualNode,
    width,
    stored: [...stored.keys()],
  };
}
