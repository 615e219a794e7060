// How many shards an endpoint needs: what comes in times what a point costs, and a share of the backlog. Pure. Source:
// Prometheus' queue manager (calculateDesiredShards), whose weights and thresholds these are.

const WEIGHT = 0.2;
const CATCH_UP_SHARE = 0.05;
const TOLERANCE = 0.3;
const BEHIND_MS = 10_000;

/** A rate per second, smoothed. */
export class Rate {
  #perSecond: number | undefined;

  get perSecond(): number {
    return this.#perSecond ?? 0;
  }

  add(amount: number, seconds: number): void {
    const now = amount / seconds;
    this.#perSecond = this.#perSecond === undefined ? now : this.#perSecond + WEIGHT * (now - this.#perSecond);
  }
}

export interface Load {
  shards: number;
  minShards: number;
  maxShards: number;
  /** Points per second that come in, and that are settled. */
  inPerSecond: number;
  outPerSecond: number;
  /** Seconds that all shards together spend on sending, per second. */
  sendingPerSecond: number;
  /** Points that wait. */
  pending: number;
  /** How far the newest point sent is behind the newest one taken in. */
  behindMs: number;
}

/** What the load asks for, a fraction as well, whether or not it is allowed; undefined if nothing has been settled. */
export function wantedShards({ inPerSecond, outPerSecond, sendingPerSecond, pending }: Load): number | undefined {
  if (outPerSecond <= 0) return undefined;
  return (sendingPerSecond / outPerSecond) * (inPerSecond + CATCH_UP_SHARE * pending);
}

export function desiredShards(load: Load): number {
  const { shards, minShards, maxShards, behindMs } = load;
  const wanted = wantedShards(load);
  if (wanted === undefined) return shards;
  const desired = Math.ceil(wanted);
  if (desired >= shards * (1 - TOLERANCE) && desired <= shards * (1 + TOLERANCE)) return shards;
  // Fewer would only make the delay longer.
  if (behindMs > BEHIND_MS && desired < shards) return shards;
  return Math.min(Math.max(desired, minShards), maxShards);
}
