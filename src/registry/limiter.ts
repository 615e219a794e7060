// Admission of new label sets: a limit on active series or on active entities (distinct label sets over all metrics). What is
// not admitted goes to the overflow row of its table; totals stay right, and each refusal is counted.

export interface LimiterCounters {
  seriesAdded: number;
  seriesRemoved: number;
  seriesLimited: number;
  entitiesAdded: number;
  entitiesRemoved: number;
  entitiesLimited: number;
}

export class Limiter {
  type: 'series' | 'entity';
  /** 0 = unlimited. */
  maxSeries = 0;
  maxEntities = 0;
  /** Counted where series are limited; entities likewise. */
  activeSeries = 0;
  /** Reference counts: one label set may stand in several tables. Kept only where entities are limited. */
  private readonly entities = new Map<string, number>();
  readonly counters: LimiterCounters = {
    seriesAdded: 0,
    seriesRemoved: 0,
    seriesLimited: 0,
    entitiesAdded: 0,
    entitiesRemoved: 0,
    entitiesLimited: 0,
  };

  constructor(type: 'series' | 'entity', maxSeries: number, maxEntities: number) {
    this.type = type;
    this.configure(type, maxSeries, maxEntities);
  }

  /** What is active stays; under another type it is counted anew, by `restore`. */
  configure(type: 'series' | 'entity', maxSeries: number, maxEntities: number): void {
    if (type !== this.type) {
      this.type = type;
      this.activeSeries = 0;
      this.entities.clear();
    }
    this.maxSeries = this.type === 'series' ? maxSeries : 0;
    this.maxEntities = this.type === 'entity' ? maxEntities : 0;
  }

  get limitsEntities(): boolean {
    return this.type === 'entity';
  }

  get activeEntities(): number {
    return this.entities.size;
  }

  /** May a part of `series` series of the label set `entity` become active? Counts it if so, the refusal if not. */
  admit(entity: string, series: number): boolean {
    if (this.maxSeries > 0 && this.activeSeries + series > this.maxSeries) {
      this.counters.seriesLimited += series;
      return false;
    }
    if (this.limitsEntities) {
      const holders = this.entities.get(entity);
      if (holders === undefined) {
        if (this.maxEntities > 0 && this.entities.size >= this.maxEntities) {
          this.counters.entitiesLimited += 1;
          return false;
        }
        this.counters.entitiesAdded += 1;
      }
      this.entities.set(entity, (holders ?? 0) + 1);
    }
    if (!this.limitsEntities) {
      this.activeSeries += series;
      this.counters.seriesAdded += series;
    }
    return true;
  }

  /** Counts a part that a load brought back. */
  restore(entity: string, series: number): void {
    if (!this.limitsEntities) this.activeSeries += series;
    else this.entities.set(entity, (this.entities.get(entity) ?? 0) + 1);
  }

  release(entity: string, series: number): void {
    if (!this.limitsEntities) {
      this.activeSeries -= series;
      this.counters.seriesRemoved += series;
      return;
    }
    const holders = this.entities.get(entity) ?? 0;
    if (holders > 1) this.entities.set(entity, holders - 1);
    else if (holders === 1) {
      this.entities.delete(entity);
      this.counters.entitiesRemoved += 1;
    }
  }
}
