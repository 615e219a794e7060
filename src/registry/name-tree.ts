// The parse tree of DRAIN (He et al., 2017, "Drain: An Online Log Parsing Approach with Fixed Depth Tree"): one level by the number
// of tokens, then one per token, with clusters at the leaves. What it finds depends on the clusters and their paths alone, so that it
// is the same whether it grew or was built from them. The way to a cluster is laid out only as far as others share it: a node above
// the leaves that has a cluster has that one only, and stands for the rest of its way.

import { looksLikeData, WILDCARD } from './name-tokens.ts';

/** Tokens that have a level of their own, at most; the last token of a name never has one. */
const MAX_LEVELS = 27;
const MAX_CHILDREN = 1_000;
const MIN_SIMILARITY = 0.3;

export interface NameCluster {
  /** In the order of their making. */
  id: number;
  /** The name it was made from. */
  name: string;
  /** The template. */
  tokens: string[];
  wildcards: number;
  /** Bit i: the tree's way to it goes through a wildcard at token i. */
  path: number;
  /** Boundary before its last use, ms. */
  usedMs: number;
  isDirty: boolean;
  wasSaid: boolean;
  wasEvicted: boolean;
}

export class NameNode {
  wildcard: NameNode | undefined;
  /** At a leaf those that meet there; else the one whose way ends early. */
  clusters: NameCluster[] = [];
  /** Goes up when a search that ends here may end otherwise. */
  version = 0;
  /** Most nodes have one child: a map only from the second on. */
  private token = '';
  private child: NameNode | undefined;
  private others: Map<string, NameNode> | undefined;

  get(token: string): NameNode | undefined {
    if (this.child !== undefined && this.token === token) return this.child;
    return this.others?.get(token);
  }

  add(token: string): NameNode {
    const node = new NameNode();
    if (this.child === undefined) {
      this.token = token;
      this.child = node;
    } else {
      this.others ??= new Map();
      this.others.set(token, node);
    }
    this.version++;
    return node;
  }

  remove(token: string): void {
    if (this.child !== undefined && this.token === token) this.child = undefined;
    else this.others?.delete(token);
  }

  addWildcard(): NameNode {
    // Searches go through the wildcard from now on: what was reached by the other children is not reached any more.
    for (const node of this.exact()) node.outdate();
    this.wildcard = new NameNode();
    this.version++;
    return this.wildcard;
  }

  get isEmpty(): boolean {
    return this.clusters.length === 0 && this.children === 0;
  }

  get children(): number {
    return (this.wildcard ? 1 : 0) + (this.child ? 1 : 0) + (this.others?.size ?? 0);
  }

  private *exact(): Generator<NameNode> {
    if (this.child) yield this.child;
    if (this.others) yield* this.others.values();
  }

  private outdate(): void {
    this.version++;
    this.wildcard?.outdate();
    for (const node of this.exact()) node.outdate();
  }
}

export class NameTree {
  /** Where the last search ended: its answer holds while this node's version stays. */
  end = new NameNode();
  private readonly byLength = new Map<number, NameNode>();

  /** The cluster that is most like the tokens, or undefined if none is alike enough. */
  find(tokens: readonly string[]): NameCluster | undefined {
    let node = this.root(tokens.length);
    for (let i = 0; i < levels(tokens.length); i++) {
      this.end = node;
      if (node.clusters.length > 0) {
        if (leadsTo(node.clusters[0]!, tokens, i)) break;
        return undefined;
      }
      const next = node.wildcard ?? node.get(tokens[i]!);
      if (next === undefined) return undefined;
      node = next;
    }
    this.end = node;
    let best: NameCluster | undefined;
    let mostEqual = 0;
    for (const cluster of node.clusters) {
      let equal = 0;
      for (let i = 0; i < tokens.length; i++) if (cluster.tokens[i] === tokens[i]) equal++;
      if (best !== undefined && equal === mostEqual && cluster.wildcards <= best.wildcards) continue;
      if (best !== undefined && equal < mostEqual) continue;
      best = cluster;
      mostEqual = equal;
    }
    return mostEqual / tokens.length >= MIN_SIMILARITY ? best : undefined;
  }

  /** Puts a new cluster where its tokens lead, and notes the way in its `path`. Returns the clusters that it is with. */
  insert(cluster: NameCluster): readonly NameCluster[] {
    const { tokens } = cluster;
    const depth = levels(tokens.length);
    let node = this.root(tokens.length);
    for (let i = 0; i < depth; i++) {
      if (node.isEmpty) {
        for (let rest = i; rest < depth; rest++) if (looksLikeData(tokens[rest]!)) cluster.path |= 1 << rest;
        break;
      }
      layOut(node, i);
      let next = node.get(tokens[i]!);
      if (next === undefined) {
        const isFull = node.children + (node.wildcard ? 0 : 1) >= MAX_CHILDREN;
        if (isFull || looksLikeData(tokens[i]!)) {
          cluster.path |= 1 << i;
          next = node.wildcard ?? node.addWildcard();
        } else next = node.add(tokens[i]!);
      }
      node = next;
    }
    node.clusters.push(cluster);
    node.version++;
    return node.clusters;
  }

  /** Puts a cluster back where its `path` says. Those of a leaf come in the order of their making. */
  restore(cluster: NameCluster): void {
    const { tokens } = cluster;
    let node = this.root(tokens.length);
    for (let i = 0; i < levels(tokens.length) && !node.isEmpty; i++) {
      layOut(node, i);
      node = onTheWay(node, cluster, i) ?? makeWay(node, cluster, i);
    }
    node.clusters.push(cluster);
  }

  /** Removes a cluster and the nodes that only it needed. */
  remove(cluster: NameCluster): void {
    const { tokens, path } = cluster;
    const way = [this.root(tokens.length)];
    while (!way.at(-1)!.clusters.includes(cluster)) way.push(onTheWay(way.at(-1)!, cluster, way.length - 1)!);
    const last = way.at(-1)!;
    last.clusters = last.clusters.filter((one) => one !== cluster);
    for (let i = way.length - 1; i > 0 && way[i]!.isEmpty; i--) {
      if (path & (1 << (i - 1))) way[i - 1]!.wildcard = undefined;
      else way[i - 1]!.remove(tokens[i - 1]!);
    }
  }

  private root(length: number): NameNode {
    let node = this.byLength.get(length);
    if (node === undefined) {
      node = new NameNode();
      this.byLength.set(length, node);
    }
    return node;
  }
}

/** Does the rest of the way to the cluster fit the tokens? */
function leadsTo({ tokens: template, path }: NameCluster, tokens: readonly string[], from: number): boolean {
  for (let i = from; i < levels(tokens.length); i++) {
    if ((path & (1 << i)) === 0 && template[i] !== tokens[i]) return false;
  }
  return true;
}

/** Lays the way of a cluster that ends early out by one level, so that others can leave it there. */
function layOut(node: NameNode, level: number): void {
  const cluster = node.clusters.pop();
  if (cluster !== undefined) makeWay(node, cluster, level).clusters.push(cluster);
}

function onTheWay(node: NameNode, { tokens, path }: NameCluster, level: number): NameNode | undefined {
  return path & (1 << level) ? node.wildcard : node.get(tokens[level]!);
}

function makeWay(node: NameNode, { tokens, path }: NameCluster, level: number): NameNode {
  return path & (1 << level) ? node.addWildcard() : node.add(tokens[level]!);
}

function levels(tokens: number): number {
  return Math.min(MAX_LEVELS, tokens - 1);
}

/** Makes the template fit the tokens too; false if it did already. */
export function generalize(cluster: NameCluster, tokens: readonly string[]): boolean {
  let changed = false;
  for (let i = 0; i < tokens.length; i++) {
    if (cluster.tokens[i] === tokens[i] || cluster.tokens[i] === WILDCARD) continue;
    cluster.tokens[i] = WILDCARD;
    cluster.wildcards++;
    changed = true;
  }
  return changed;
}
