// The flat spelling of overrides in older files (`metrics_generator_processors`, `ingestion_rate_limit_bytes`): each key is moved
// to its place in the tree before anything else looks at it. Both spellings may be mixed; setting a value twice is refused.

import { isMap, type Node, Pair, YAMLMap } from 'yaml';
import type { z } from 'zod';
import { type Path, pathText } from './problem.ts';
import { allKeys } from './schema/inspect.ts';
import type { Entry, YamlSource } from './yaml-source.ts';

const PROCESSORS = ['service_graphs', 'span_metrics', 'host_info', 'local_blocks'];
const READ = [
  'max_bytes_per_tag_values_query',
  'max_blocks_per_tag_values_query',
  'max_condition_groups_per_tag_query',
  'max_search_duration',
  'max_metrics_duration',
  'unsafe_query_hints',
  'left_pad_trace_ids',
  'metrics_spanonly_fetch',
  'span_pruning_awareness',
  'engine_bytes_tracking',
  'span_pruning_enabled',
];
const EXACT: Record<string, readonly string[]> = {
  max_traces_per_user: ['ingestion', 'max_traces_per_user'],
  max_global_traces_per_user: ['ingestion', 'max_global_traces_per_user'],
  block_retention: ['compaction', 'block_retention'],
  compaction_window: ['compaction', 'compaction_window'],
  compaction_disabled: ['compaction', 'compaction_disabled'],
  max_bytes_per_trace: ['global', 'max_bytes_per_trace'],
  parquet_dedicated_columns: ['storage', 'parquet_dedicated_columns'],
  ...Object.fromEntries(READ.map((key) => [key, ['read', key]])),
};
const GONE: Record<string, string> = {
  max_spans_per_trace: 'global.max_bytes_per_trace',
  max_search_bytes_per_trace: 'global.max_bytes_per_trace',
  ingestion_rate_limit: 'ingestion.rate_limit_bytes',
  ingestion_burst_size: 'ingestion.burst_size_bytes',
};

/** Where a flat key belongs; undefined if it is none. */
export function scopedPath(flat: string): readonly string[] | undefined {
  if (Object.hasOwn(EXACT, flat)) return EXACT[flat];
  if (flat.startsWith('ingestion_')) return ['ingestion', flat.slice('ingestion_'.length)];
  if (!flat.startsWith('metrics_generator_')) return undefined;
  const rest = flat.slice('metrics_generator_'.length);
  for (const processor of PROCESSORS) {
    const prefix = `processor_${processor}_`;
    if (rest.startsWith(prefix)) return ['metrics_generator', 'processor', processor, rest.slice(prefix.length)];
  }
  if (rest.startsWith('forwarder_')) return ['metrics_generator', 'forwarder', rest.slice('forwarder_'.length)];
  return ['metrics_generator', rest];
}

const flatNames = new WeakMap<object, string[]>();

/** The flat spelling of every key of a tenant's block. */
export function flatKeys(tenantShape: Record<string, z.core.$ZodType>): readonly string[] {
  let names = flatNames.get(tenantShape);
  if (names === undefined) {
    const places = Object.entries(tenantShape).flatMap(([key, schema]) => [...allKeys(schema, [key])]);
    names = places.flatMap(({ path }) => {
      const isPlace = (flat: string) => scopedPath(flat)?.join('.') === path.join('.');
      return [path.join('_'), path.at(-1)!].filter(isPlace).slice(0, 1);
    });
    flatNames.set(tenantShape, names);
  }
  return names;
}

/** The map with its flat keys moved. `overrides` = the block that holds `defaults`, to which its flat keys belong. */
export function unflatten(source: YamlSource, map: YAMLMap, shape: 'overrides' | 'tenant', path: Path): YAMLMap {
  const entries = source.entries(map);
  const flat = entries.filter(({ key }) => scopedPath(key) !== undefined || Object.hasOwn(GONE, key));
  // Unscoped in both shapes, but directly under `overrides` only in the flat one.
  const alsoFlat =
    shape === 'overrides' ? entries.filter(({ key }) => key === 'forwarders' || key === 'cost_attribution') : [];
  if (flat.length + alsoFlat.length === 0) return map;
  const out = new YAMLMap();
  if (map.range) out.range = map.range;
  for (const entry of entries)
    if (!flat.includes(entry) && !alsoFlat.includes(entry)) add(out, entry.keyNode, entry.value);
  const base = shape === 'overrides' ? ['defaults'] : [];
  for (const entry of [...flat, ...alsoFlat]) {
    source.mark([...path, entry.key], entry.keyNode, entry.value);
    const replacement = GONE[entry.key];
    if (replacement !== undefined) source.problem([...path, entry.key], `the key is gone: use ${replacement}`, 'key');
    else place(source, out, [...base, ...(scopedPath(entry.key) ?? [entry.key])], entry, path);
  }
  if (flat.length > 0) {
    const first = flat[0]!;
    source.noteOnce(
      'flat',
      [...path, first.key],
      `flat overrides, as older files have them: read as ${pathText([...path, ...base, ...(scopedPath(first.key) ?? [])])} and so on`,
    );
  }
  return out;
}

function place(source: YamlSource, root: YAMLMap, target: readonly string[], entry: Entry, path: Path): void {
  let map = root;
  target.slice(0, -1).forEach((key) => {
    const held = source.follow(map.get(key, true));
    // Never write into a map of the text: an anchor may share it.
    const inner = new YAMLMap();
    if (isMap(held)) {
      if (held.range) inner.range = held.range;
      for (const one of source.entries(held)) add(inner, one.keyNode, one.value);
    }
    const pair = map.items.find((item) => String(item.key) === key);
    if (pair === undefined) add(map, named(source, key, entry.keyNode), inner);
    else pair.value = inner;
    map = inner;
  });
  const last = target.at(-1)!;
  if (map.has(last))
    source.problem([...path, entry.key], `is set twice: also as ${pathText([...path, ...target])}`, 'key');
  else add(map, named(source, last, entry.keyNode), entry.value);
}

/** A key node of another name at the same place in the text. */
function named(source: YamlSource, name: string, at: Node): Node {
  const node = source.document.createNode(name) as Node;
  if (at.range) node.range = at.range;
  return node;
}

function add(map: YAMLMap, key: Node, value: Node | null): void {
  map.items.push(new Pair(key, value));
}
