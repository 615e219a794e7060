// The clusters of span names that a tenant has learnt: at most so many, the ones unused for longest go first. Knows what changed
// since the last boundary.

import type { LabelCounters } from './label-counters.ts';
import { bytesOfText, nameTokens, textOfBytes, WILDCARD } from './name-tokens.ts';
import { generalize, type NameCluster, type NameNode, NameTree } from './name-tree.ts';
import type { Section, StateHolder } from './section.ts';

const MAX_CLUSTERS = 100_000;
/**
 * At one leaf, where each is compared with a new name. Only names that are mostly data (percent-encoded text) are so many there: nothing
 * is alike, and without a limit each one would cost more than the one before.
 */
const MAX_PER_LEAF = 100;
/** One in so many goes at once where there are too many. */
const EVICTED = 16;
/** Words of 32 bits that mark the wildcards of a template. */
const MASK_WORDS = 3;

export class NameClusters implements StateHolder {
  /** Goes up when clusters were evicted from anywhere: what was known of any name may be wrong since. */
  evictions = 0;
  private readonly counters: LabelCounters;
  private readonly maxClusters: number;
  private tree = new NameTree();
  /** Ascending by id. */
  private clusters = new Map<number, NameCluster>();
  /** Those without wildcards by name: a name whose search dead-ends finds its cluster again here. */
  private byName = new Map<string, NameCluster>();
  private nextId = 0;
  private saidMs = 0;
  /** Does the next section begin from nothing? */
  private isFresh = true;
  private dirty: NameCluster[] = [];
  private ended: number[] = [];

  constructor(counters: LabelCounters, maxClusters = MAX_CLUSTERS) {
    this.counters = counters;
    this.maxClusters = maxClusters;
  }

  get size(): number {
    return this.clusters.size;
  }

  /** Where the search for the name that was learnt last ends: as long as its version stays, the cluster of that name does. */
  get end(): NameNode {
    return this.tree.end;
  }

  /** The cluster that the name belongs to, whose template then fits it. */
  learn(name: string, tokens: readonly string[]): NameCluster {
    let cluster = this.tree.find(tokens);
    if (cluster !== undefined) {
      if (generalize(cluster, tokens)) {
        this.tree.end.version++;
        this.forgetName(cluster);
        this.markDirty(cluster);
      }
      return cluster;
    }
    cluster = this.byName.get(name) ?? this.make(name, [...tokens]);
    this.tree.find(tokens);
    return cluster;
  }

  touch(cluster: NameCluster): void {
    if (cluster.usedMs === this.saidMs) return;
    cluster.usedMs = this.saidMs;
    this.markDirty(cluster);
  }

  changes(tMs: number): Section[] {
    const clusters = this.dirty.filter(({ wasEvicted }) => !wasEvicted).sort((a, b) => a.id - b.id);
    const section = this.section(clusters, (cluster) => !cluster.wasSaid, this.ended, this.isFresh);
    for (const cluster of clusters) {
      cluster.isDirty = false;
      cluster.wasSaid = true;
    }
    this.dirty = [];
    this.ended = [];
    this.isFresh = false;
    this.saidMs = tMs;
    return [section];
  }

  everything(): Section[] {
    return [this.section([...this.clusters.values()], () => true, [], true)];
  }

  load(section: Section, tMs: number): void {
    const { meta, columns } = section;
    if (meta['isFresh'] === true) this.clear();
    for (const id of columns['ended'] as Float64Array) this.remove(this.clusters.get(id)!);
    let top = 0;
    (columns['bornIds'] as Float64Array).forEach((id, i) => {
      const n = (columns['bornLengths'] as Uint32Array)[i]!;
      const name = textOfBytes((columns['bornBytes'] as Uint8Array).subarray(top, top + n));
      top += n;
      const path = (columns['bornPaths'] as Uint32Array)[i]!;
      const cluster = {
        id,
        name,
        tokens: nameTokens(name),
        wildcards: 0,
        path,
        usedMs: 0,
        isDirty: false,
        wasSaid: true,
        wasEvicted: false,
      };
      this.tree.restore(cluster);
      this.clusters.set(id, cluster);
      this.byName.set(name, cluster);
    });
    (columns['ids'] as Float64Array).forEach((id, i) => {
      const cluster = this.clusters.get(id)!;
      cluster.usedMs = (columns['usedMs'] as Float64Array)[i]!;
      const masks = columns['wildcards'] as Uint32Array;
      cluster.tokens.forEach((token, t) => {
        if (token === WILDCARD || (masks[i * MASK_WORDS + (t >> 5)]! & (1 << (t & 31))) === 0) return;
        cluster.tokens[t] = WILDCARD;
        cluster.wildcards++;
      });
      if (cluster.wildcards > 0) this.forgetName(cluster);
    });
    this.nextId = meta['nextId'] as number;
    this.isFresh = false;
    this.saidMs = tMs;
  }

  private make(name: string, tokens: string[]): NameCluster {
    if (this.clusters.size >= this.maxClusters) {
      this.evict([...this.clusters.values()]);
      this.evictions++;
    }
    const cluster: NameCluster = {
      id: this.nextId++,
      name,
      tokens,
      wildcards: 0,
      path: 0,
      usedMs: this.saidMs,
      isDirty: false,
      wasSaid: false,
      wasEvicted: false,
    };
    const neighbours = this.tree.insert(cluster);
    this.clusters.set(cluster.id, cluster);
    this.byName.set(name, cluster);
    this.markDirty(cluster);
    this.counters.patternsDetected++;
    if (neighbours.length > MAX_PER_LEAF) this.evict(neighbours.filter((one) => one !== cluster));
    return cluster;
  }

  /** Lets those of `clusters` go that were unused for longest. */
  private evict(clusters: NameCluster[]): void {
    const count = Math.max(1, Math.floor(clusters.length / EVICTED));
    for (const cluster of clusters.sort(byUse).slice(0, count)) {
      if (cluster.wasSaid) this.ended.push(cluster.id);
      cluster.wasEvicted = true;
      this.remove(cluster);
      this.counters.patternsEvicted++;
    }
  }

  private remove(cluster: NameCluster): void {
    this.tree.remove(cluster);
    this.clusters.delete(cluster.id);
    this.forgetName(cluster);
  }

  /** The name may be another cluster's by now. */
  private forgetName(cluster: NameCluster): void {
    if (this.byName.get(cluster.name) === cluster) this.byName.delete(cluster.name);
  }

  private clear(): void {
    this.tree = new NameTree();
    this.clusters = new Map();
    this.byName = new Map();
  }

  private markDirty(cluster: NameCluster): void {
    if (cluster.isDirty) return;
    cluster.isDirty = true;
    this.dirty.push(cluster);
  }

  private section(
    clusters: readonly NameCluster[],
    isNew: (cluster: NameCluster) => boolean,
    ended: readonly number[],
    isFresh: boolean,
  ): Section {
    const born = clusters.filter(isNew);
    const names = born.map(({ name }) => bytesOfText(name));
    const wildcards = new Uint32Array(clusters.length * MASK_WORDS);
    clusters.forEach(({ tokens }, i) => {
      tokens.forEach((token, t) => {
        if (token === WILDCARD) wildcards[i * MASK_WORDS + (t >> 5)]! |= 1 << (t & 31);
      });
    });
    return {
      name: 'span-names',
      meta: { holder: 'span-names', isFresh, nextId: this.nextId },
      columns: {
        ended: Float64Array.from(ended).sort(),
        bornIds: Float64Array.from(born, ({ id }) => id),
        bornPaths: Uint32Array.from(born, ({ path }) => path),
        bornLengths: Uint32Array.from(names, ({ length }) => length),
        bornBytes: new Uint8Array(Buffer.concat(names)),
        ids: Float64Array.from(clusters, ({ id }) => id),
        usedMs: Float64Array.from(clusters, ({ usedMs }) => usedMs),
        wildcards,
      },
    };
  }
}

/** Those first that may go first: unused for long, then those that only one name belongs to. */
function byUse(a: NameCluster, b: NameCluster): number {
  return a.usedMs - b.usedMs || a.wildcards - b.wildcards || a.id - b.id;
}
