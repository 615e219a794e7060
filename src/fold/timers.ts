// Timers of log time: each fires at every origin + k · period. Nothing here reads a clock; time is what the caller says it is.

export interface TimerSpec {
  periodMs: number;
  fire(atMs: number): void;
  /** False while firing would change nothing: the timer is then moved on without being fired. */
  needed(): boolean;
}

export class Timers {
  private readonly specs: readonly TimerSpec[];
  private readonly originMs: number;
  private nextMs: number[] = [];

  /** Timers fire strictly after `startMs`, in the order in which they are given where two are due at one instant. */
  constructor(specs: readonly TimerSpec[], originMs: number, startMs: number) {
    this.specs = specs;
    this.originMs = originMs;
    this.restart(startMs);
  }

  /** Takes everything up to and including `startMs` as fired: state that was loaded has seen it. */
  restart(startMs: number): void {
    const { originMs } = this;
    this.nextMs = this.specs.map(
      ({ periodMs }) => originMs + (Math.floor((startMs - originMs) / periodMs) + 1) * periodMs,
    );
  }

  /** Fires all that is due up to and including `tMs`, in the order of time. */
  advance(tMs: number): void {
    for (;;) {
      let due = -1;
      for (let i = 0; i < this.specs.length; i++) {
        if (this.nextMs[i]! <= tMs && (due < 0 || this.nextMs[i]! < this.nextMs[due]!)) due = i;
      }
      if (due < 0) return;
      const spec = this.specs[due]!;
      const atMs = this.nextMs[due]!;
      if (spec.needed()) {
        spec.fire(atMs);
        this.nextMs[due] = atMs + spec.periodMs;
      } else {
        // A jump over years must not cost years of firings. But firing another timer may make this one needed again, also at
        // that very instant: so only up to the next one that is due.
        let otherMs = Number.POSITIVE_INFINITY;
        for (let i = 0; i < this.specs.length; i++)
          if (i !== due && this.specs[i]!.needed()) otherMs = Math.min(otherMs, this.nextMs[i]!);
        const steps =
          otherMs <= tMs
            ? Math.max(1, Math.ceil((otherMs - atMs) / spec.periodMs))
            : Math.floor((tMs - atMs) / spec.periodMs) + 1;
        this.nextMs[due] = atMs + steps * spec.periodMs;
      }
    }
  }
}
