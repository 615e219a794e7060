// The span-name sanitizer: what varies in span names is learnt online and replaced by `<_>`. A name that was seen costs one look-up
// while nothing was learnt that concerns it.

import type { LabelCounters } from './label-counters.ts';
import { NameClusters } from './name-clusters.ts';
import { bytesOfText, nameTokens, textOfBytes } from './name-tokens.ts';
import type { NameCluster, NameNode } from './name-tree.ts';
import type { Symbols } from './symbols.ts';

const MIN_TOKENS = 3;
const MAX_TOKENS = 80;

/** `dry_run` learns and counts, and leaves names as they are. */
export type SanitizerMode = 'dry_run' | 'enabled';

interface Known {
  /** Symbol of the sanitized name. */
  symbol: number;
  /** Undefined for a name that is too short or too long to be sanitized. */
  cluster: NameCluster | undefined;
  end: NameNode | undefined;
  version: number;
  hasTooFew: boolean;
}

export class SpanNames {
  mode: SanitizerMode;
  readonly clusters: NameClusters;
  private readonly counters: LabelCounters;
  private symbols: Symbols;
  private known = new Map<number, Known>();
  private evictions = 0;

  constructor(mode: SanitizerMode, symbols: Symbols, counters: LabelCounters) {
    this.mode = mode;
    this.symbols = symbols;
    this.counters = counters;
    this.clusters = new NameClusters(counters);
  }

  /** The symbol to use instead of a span name's. Every span trains. */
  sanitize(symbol: number): number {
    let known = this.known.get(symbol);
    if (known === undefined || isOutdated(known)) known = this.learn(symbol);
    if (known.cluster !== undefined) this.clusters.touch(known.cluster);
    else if (known.hasTooFew) this.counters.tooFewTokens++;
    else this.counters.tooManyTokens++;
    if (known.symbol === symbol) return symbol;
    this.counters.spansSanitized++;
    return this.mode === 'enabled' ? known.symbol : symbol;
  }

  /** Symbols got new numbers. */
  renumbered(symbols: Symbols): void {
    this.symbols = symbols;
    this.known = new Map();
  }

  private learn(symbol: number): Known {
    const { clusters, symbols } = this;
    const name = textOfBytes(symbols.bytes(symbol));
    const tokens = nameTokens(name);
    let known: Known;
    if (tokens.length < MIN_TOKENS || tokens.length > MAX_TOKENS) {
      known = { symbol, cluster: undefined, end: undefined, version: 0, hasTooFew: tokens.length < MIN_TOKENS };
    } else {
      const cluster = clusters.learn(name, tokens);
      if (this.evictions !== clusters.evictions) {
        this.evictions = clusters.evictions;
        this.known = new Map();
      }
      const template = cluster.wildcards === 0 ? symbol : symbols.internBytes(templateBytes(cluster));
      known = { symbol: template, cluster, end: clusters.end, version: clusters.end.version, hasTooFew: false };
    }
    this.known.set(symbol, known);
    return known;
  }
}

function isOutdated({ end, version, cluster }: Known): boolean {
  return cluster !== undefined && (cluster.wasEvicted || end!.version !== version);
}

function templateBytes({ tokens }: NameCluster): Uint8Array {
  return bytesOfText(tokens.slice(0, -1).join(''));
}
