// The service graph: a list of edges that wait, oldest first, and what becomes of each.

import type { TenantSettings } from '../../../src/config/index.ts';
import {
  blankEdge,
  type Edge,
  edgeChanges,
  edgeLabels,
  isComplete,
  sideOf,
  updateClient,
  updateServer,
} from './edge.ts';
import { accepts } from './filters.ts';
import { edgeDimensions } from './graph-table.ts';
import type { State } from './metrics.ts';
import { type Attributes, first, type Group, type Span } from './request.ts';

import { kindText, type Labels } from './text.ts';

export interface GraphCounts {
  /** Kept waiting, or complete at once. */
  made: number;
  completed: number;
  /** Complete, but their labels are no text. */
  invalid: number;
  /** By the kind of the span that came last. */
  expired: Map<string, number>;
  filtered: number;
  /** There was no room. */
  refused: number;
  /** The half that waited was let go, as its other half was filtered. */
  letGo: number;
  /** Spans whose other half had been filtered: they made no edge. */
  orphans: number;
  /** Filtered halves that were not remembered, for want of room. */
  forgotten: number;
}

/** Puts an edge into the registry; false: its labels are no text. */
export type Emit = (
  labels: Labels,
  nowMs: number,
  changes: [metric: string, change: (state: State) => void][],
) => boolean;

export class ServiceGraph {
  settings: TenantSettings;
  readonly counts: GraphCounts = {
    made: 0,
    completed: 0,
    invalid: 0,
    expired: new Map(),
    filtered: 0,
    refused: 0,
    letGo: 0,
    orphans: 0,
    forgotten: 0,
  };
  edges: Edge[] = [];
  /** Side and edge of filtered spans → when they are forgotten. */
  private filteredSides = new Map<string, number>();
  private readonly emit: Emit;

  constructor(settings: TenantSettings, emit: Emit) {
    this.settings = settings;
    this.emit = emit;
  }

  /** Edges go on waiting; what they know of dimensions that are no more is forgotten. */
  configure(settings: TenantSettings): void {
    this.settings = settings;
    const kept = edgeDimensions(settings);
    for (const { values } of this.edges)
      for (const name of values.keys()) if (!kept.includes(name)) values.delete(name);
    if (settings.serviceGraphs.filterPolicies.length === 0) this.filteredSides.clear();
  }

  take({ resource, spans }: Group, nowMs: number): void {
    if (first(resource, 'service.name') === undefined) return;
    for (const span of spans) {
      const isClient = span.kind === 3 || span.kind === 4;
      const isServer = span.kind === 2 || span.kind === 5;
      if (isClient || isServer) this.half(resource, span, isClient ? 'client' : 'server', nowMs);
    }
  }

  private half(resource: Attributes, span: Span, side: 'client' | 'server', nowMs: number): void {
    const { waitMs, maxItems, filterPolicies } = this.settings.serviceGraphs;
    const key = `${span.trace}/${side === 'client' ? span.id : span.parent}`;
    const other = side === 'client' ? 'server' : 'client';
    const known = this.edges.find((edge) => edge.key === key);
    if (!accepts(filterPolicies, resource, span)) {
      this.counts.filtered++;
      if (side === 'server' && span.parent === '') return;
      if (known !== undefined && sideOf(known) === other) {
        this.edges = this.edges.filter((edge) => edge !== known);
        this.counts.letGo++;
      }
      this.remember(`${side} ${key}`, nowMs + waitMs);
      return;
    }
    if (known === undefined && this.filteredSides.has(`${other} ${key}`)) {
      this.counts.orphans++;
      return;
    }
    const edge = known ?? blankEdge(key, Math.floor((nowMs + waitMs) / 1000));
    if (side === 'client') updateClient(this.settings, edge, resource, span);
    else updateServer(this.settings, edge, resource, span);
    if (isComplete(edge)) {
      this.edges = this.edges.filter((one) => one !== edge);
      if (known === undefined) this.counts.made++;
      this.complete(edge, nowMs);
    } else if (known === undefined) {
      if (this.edges.length >= maxItems) this.counts.refused++;
      else {
        this.counts.made++;
        this.edges.push(edge);
      }
    }
  }

  private remember(side: string, untilMs: number): void {
    if (this.filteredSides.has(side) || this.filteredSides.size < this.settings.serviceGraphs.maxItems)
      this.filteredSides.set(side, untilMs);
    else this.counts.forgotten++;
  }

  /** The processor is taken away: nobody waits any more. */
  abandon(): void {
    for (const edge of this.edges) this.expired(edge);
    this.edges = [];
  }

  /** To be called every two seconds. */
  expire(nowMs: number): void {
    while (this.edges.length > 0 && this.edges[0]!.deadlineSeconds <= Math.floor(nowMs / 1000)) {
      const edge = this.edges.shift()!;
      edge.type = 'virtual_node';
      const { client, server } = standIns(this.settings, edge);
      if (edge.client === '' && edge.isRoot && client !== '') {
        edge.client = client;
        this.virtual(edge, 'client', nowMs);
      } else if (edge.client !== '' && edge.server === '' && server !== '') {
        edge.server = server;
        this.virtual(edge, 'server', nowMs);
      } else this.expired(edge);
    }
    for (const [side, untilMs] of this.filteredSides) if (untilMs <= nowMs) this.filteredSides.delete(side);
  }

  private expired(edge: Edge): void {
    const kind = kindText(edge.kind);
    this.counts.expired.set(kind, (this.counts.expired.get(kind) ?? 0) + 1);
  }

  private virtual(edge: Edge, side: 'client' | 'server', nowMs: number): void {
    if (this.settings.serviceGraphs.enableVirtualNodeLabel) edge.values.set('virtual_node', side);
    this.complete(edge, nowMs);
  }

  private complete(edge: Edge, nowMs: number): void {
    const labels = edgeLabels(this.settings, edge);
    if (this.emit(labels, nowMs, edgeChanges(this.settings, edge, nowMs))) this.counts.completed++;
    else this.counts.invalid++;
  }
}

/** Who stands in for a half that never came; empty: nobody. */
function standIns({ naming, serviceGraphs }: TenantSettings, { peer }: Edge): { client: string; server: string } {
  if (naming !== 'otel') return { client: peer === '' ? 'user' : peer, server: peer };
  // The collector's way: nobody where no peers are asked for.
  if (serviceGraphs.peerAttributes.length === 0) return { client: '', server: '' };
  return { client: 'user', server: peer === '' ? 'unknown' : peer };
}
