// A Prometheus without a network: takes remote-write requests by its rules, on virtual time, and keeps a record of every sample
// that any sender ever sent it. A series' samples must come in order; one that doesn't takes its whole request with it.
import {
  type DecodedHistogram,
  decodeWriteRequest,
  type Sender,
  type SendOutcome,
  snappyUncompress,
} from 'remote-write-ts';

export const STALE_BITS = 0x7ff0000000000002n;
const RETRY_MS = 1_000;
const MAX_AHEAD_MS = 600_000;
const MAX_BODY_BYTES = 16 << 20;

export interface Sample {
  timestampMs: number;
  value: number;
  bits: bigint;
}

/** One sample of a request; of a native histogram the value is its count. */
export interface SentSample extends Sample {
  tenant: string;
  /** All else that a native histogram says, but for hints: those say what the sender knows. */
  content?: string;
  /** Name and sorted labels without the shard's identity. */
  series: string;
  exemplar: string | undefined;
}

export interface Request {
  tenant: string;
  atMs: number;
  samples: SentSample[];
  outcome: 'accepted' | 'refused';
  reason?: string;
}

interface Flight {
  tenant: string;
  body: Uint8Array;
  incarnation: object;
  finish(outcome: SendOutcome): void;
}

export class Receiver {
  readonly requests: Request[] = [];
  /** By tenant and series: what was accepted, in order. */
  readonly stored = new Map<string, Sample[]>();
  outageUntilMs = 0;
  /** Of the request, and again of the answer. */
  latencyMs: () => number = () => 0;
  losesAnswer: () => boolean = () => false;
  refuses: (series: string) => boolean = () => false;
  /** Before a request is looked at. What it throws ends the run. */
  onArrival: (samples: readonly SentSample[], incarnation: object) => Promise<void> = async () => undefined;
  failure: unknown;
  private readonly now: () => number;
  private readonly instance: string;
  private events: { dueMs: number; run: () => void | Promise<void> }[] = [];
  private readonly flights = new Set<Flight>();

  constructor(now: () => number, instance: string) {
    this.now = now;
    this.instance = instance;
  }

  sender(tenant: string, incarnation: object): Sender {
    const stats = { attempts: 0, retries: 0, accepted: 0, refused: 0, aborted: 0, bytes: 0 };
    return {
      name: 'receiver',
      send: (body, { signal } = {}) =>
        new Promise<SendOutcome>((resolve) => {
          const flight: Flight = {
            tenant,
            body: body.slice(),
            incarnation,
            finish: (outcome) => {
              this.flights.delete(flight);
              resolve(outcome);
            },
          };
          this.flights.add(flight);
          const abort = () => flight.finish({ kind: 'aborted', attempts: 1 });
          if (signal?.aborted) return abort();
          signal?.addEventListener('abort', abort, { once: true });
          this.after(this.latencyMs(), () => this.attempt(flight));
        }),
      stats: () => stats,
      close: async () => undefined,
    };
  }

  /** Does what is due; false if there was nothing. */
  async runDue(): Promise<boolean> {
    const due = this.events.filter(({ dueMs }) => dueMs <= this.now()).sort((a, b) => a.dueMs - b.dueMs);
    this.events = this.events.filter((event) => !due.includes(event));
    for (const { run } of due) await run();
    if (this.failure !== undefined) throw this.failure;
    return due.length > 0;
  }

  /** The process at the other end died: of its requests on their way some still arrive, none gets an answer. */
  async crashed(incarnation: object, arrives: () => boolean): Promise<void> {
    for (const flight of [...this.flights].filter((each) => each.incarnation === incarnation)) {
      this.flights.delete(flight);
      if (arrives() && this.now() >= this.outageUntilMs) await this.take(flight);
    }
  }

  private after(waitMs: number, run: () => void | Promise<void>): void {
    this.events.push({ dueMs: this.now() + waitMs, run });
  }

  private async attempt(flight: Flight): Promise<void> {
    if (!this.flights.has(flight)) return;
    if (this.now() < this.outageUntilMs) {
      this.after(RETRY_MS, () => this.attempt(flight));
      return;
    }
    const outcome = await this.take(flight);
    if (this.losesAnswer()) this.after(RETRY_MS, () => this.attempt(flight));
    else this.after(this.latencyMs(), () => flight.finish(outcome));
  }

  private async take(flight: Flight): Promise<SendOutcome> {
    const samples = this.samplesOf(flight.body, flight.tenant);
    try {
      await this.onArrival(samples, flight.incarnation);
    } catch (error) {
      this.failure ??= error;
    }
    const reason = this.problem(samples);
    const request: Request = {
      tenant: flight.tenant,
      atMs: this.now(),
      samples,
      outcome: reason === undefined ? 'accepted' : 'refused',
    };
    if (reason !== undefined) request.reason = reason;
    this.requests.push(request);
    if (reason !== undefined) return { kind: 'refused', status: 400, message: reason, attempts: 1 };
    for (const sample of samples) {
      const { timestampMs, value, bits } = sample;
      const list = this.storedOf(sample);
      if (list.at(-1)?.timestampMs !== timestampMs) list.push({ timestampMs, value, bits });
    }
    return { kind: 'accepted', status: 200, attempts: 1 };
  }

  /** Why the whole request is refused. */
  private problem(samples: readonly SentSample[]): string | undefined {
    const newest = new Map<string, Sample | undefined>();
    for (const sample of samples) {
      const { series, timestampMs, bits } = sample;
      if (this.refuses(series)) return `${series} is not welcome`;
      if (timestampMs > this.now() + MAX_AHEAD_MS) return `${series} lies in the future`;
      const last = newest.has(series) ? newest.get(series) : this.storedOf(sample).at(-1);
      if (last && timestampMs < last.timestampMs)
        return `out of order: ${series} at ${timestampMs} after ${last.timestampMs}`;
      if (last && timestampMs === last.timestampMs && bits !== last.bits)
        return `another value: ${series} at ${timestampMs}`;
      newest.set(series, sample);
    }
    return undefined;
  }

  private storedOf({ tenant, series }: SentSample): Sample[] {
    const key = storedKey(tenant, series);
    let list = this.stored.get(key);
    if (!list) {
      list = [];
      this.stored.set(key, list);
    }
    return list;
  }

  private samplesOf(body: Uint8Array, tenant: string): SentSample[] {
    return decodeWriteRequest(snappyUncompress(body, MAX_BODY_BYTES)).timeseries.flatMap(
      ({ labels, samples, exemplars, histograms }) => {
        const series = seriesText(new Map(labels), this.instance);
        const exemplar = exemplars[0] && `${exemplars[0].labels.map(([, text]) => text).join()}=${exemplars[0].value}`;
        const all = [...samples, ...histograms.map(sampleOf)];
        return all.map((sample) => ({ ...sample, tenant, series, exemplar }));
      },
    );
  }
}

function sampleOf({ count, sumBits, timestampMs, resetHint: _, ...rest }: DecodedHistogram) {
  if (sumBits === STALE_BITS) return { timestampMs, value: Number.NaN, bits: STALE_BITS };
  const bits = new BigUint64Array(Float64Array.of(count).buffer)[0]!;
  return { timestampMs, value: count, bits, content: JSON.stringify({ ...rest, sumBits: String(sumBits) }) };
}

export function storedKey(tenant: string, series: string): string {
  return `${tenant} ${series}`;
}

/** @throws if the labels don't have the identity of the shard */
export function seriesText(labels: ReadonlyMap<string, string>, instance: string): string {
  if (labels.get('__metrics_gen_instance') !== instance) throw new Error('a series without the identity of its shard');
  const rest = [...labels].filter(([name]) => name !== '__name__' && name !== '__metrics_gen_instance');
  const text = rest
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => `${name}="${value}"`)
    .join(',');
  return `${labels.get('__name__')}{${text}}`;
}
