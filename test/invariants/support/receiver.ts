// A Prometheus without a network: takes remote-write requests by its rules, on virtual time, and keeps a record of every sample
// that any sender ever sent it. A series' samples must come in order; one that doesn't takes its whole request with it.
import {
  type BatchInfo,
  createWriter,
  type DecodedHistogram,
  decodeWriteRequest,
  decodeWriteRequestV2,
  type Protocol,
  snappyUncompress,
  type TransportRequest,
  type TransportResponse,
  type Writer,
} from 'remote-write-ts';
import type { EndpointPlan } from '../../../src/shard/index.ts';

export const STALE_BITS = 0x7ff0000000000002n;
const OUT_OF_BOUNDS = 'is out of bounds';
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
  /** 2.0 only. */
  startMs: number | undefined;
}

export interface Request {
  tenant: string;
  protocol: Protocol;
  atMs: number;
  samples: SentSample[];
  /** On 2.0 a refused request may have been stored in part. */
  outcome: 'accepted' | 'refused';
  reason?: string;
}

interface Flight {
  tenant: string;
  protocol: Protocol;
  body: Uint8Array;
  incarnation: object;
  finish(answer: TransportResponse | Error): void;
}

export class Receiver {
  readonly requests: Request[] = [];
  /** By tenant and series: what was accepted, in order. */
  readonly stored = new Map<string, Sample[]>();
  /** A receiver of 1.0 reads a request of 2.0 as an empty one, and takes it. */
  speaks: Protocol = '1.0';
  outageUntilMs = 0;
  /** Of the request, and again of the answer. */
  latencyMs: () => number = () => 0;
  losesAnswer: () => boolean = () => false;
  /** As Prometheus before 2.50 with an out-of-order window: what is older is refused with a 500. */
  saysTooOld = false;
  refuses: (series: string) => boolean = () => false;
  /** What it says of these. */
  refusal = 'is not welcome';
  /** Samples from before this are out of its window. */
  oldestMs = Number.NEGATIVE_INFINITY;
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

  /** A writer to this receiver. @param isDead its process has ended: nothing that it still does gets out */
  writer(
    { connection }: EndpointPlan,
    tenant: string,
    incarnation: object,
    isDead: () => boolean,
    onBatch: (batch: BatchInfo) => void,
  ): Writer {
    const post = (request: TransportRequest) =>
      isDead() ? new Promise<never>(() => {}) : this.post(request, tenant, incarnation);
    return createWriter({
      ...connection,
      url: 'http://receiver/',
      userAgent: 'test/1',
      onBatch,
      transport: { post, close: async () => undefined },
      now: this.now,
      random: () => 0,
      sleep: (waitMs, signal) =>
        new Promise((resolve) => {
          this.after(waitMs, resolve);
          signal.addEventListener('abort', () => resolve(), { once: true });
        }),
    });
  }

  private post(request: TransportRequest, tenant: string, incarnation: object): Promise<TransportResponse> {
    const { body, headers, signal } = request;
    const protocol = headers['x-prometheus-remote-write-version'] === '2.0.0' ? '2.0' : '1.0';
    return new Promise((resolve, reject) => {
      const flight: Flight = {
        tenant,
        protocol,
        body: body.slice(),
        incarnation,
        finish: (answer) => {
          if (!this.flights.delete(flight)) return;
          if (answer instanceof Error) reject(answer);
          else resolve(answer);
        },
      };
      this.flights.add(flight);
      const abort = () => flight.finish(new Error('aborted'));
      if (signal.aborted) return abort();
      signal.addEventListener('abort', abort, { once: true });
      this.after(this.latencyMs(), () => this.attempt(flight));
    });
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
    if (this.now() < this.outageUntilMs) return flight.finish(new Error('connection refused'));
    const answer = await this.take(flight);
    if (this.losesAnswer()) flight.finish(new Error('connection reset'));
    else this.after(this.latencyMs(), () => flight.finish(answer));
  }

  private async take({ tenant, protocol, body, incarnation }: Flight): Promise<TransportResponse> {
    if (protocol === '2.0' && this.speaks === '1.0') return answer(204, '');
    const samples = this.samplesOf(body, tenant, protocol);
    try {
      await this.onArrival(samples, incarnation);
    } catch (error) {
      this.failure ??= error;
    }
    // 1.0 rolls all of a request back for one series, 2.0 stores the others.
    const { taken, reason } = this.sort(samples);
    const stored = protocol === '1.0' && reason !== undefined ? [] : taken;
    const outcome = reason === undefined ? 'accepted' : 'refused';
    const request: Request = { tenant, protocol, atMs: this.now(), samples, outcome };
    if (reason !== undefined) request.reason = reason;
    this.requests.push(request);
    for (const sample of stored) {
      const { timestampMs, value, bits } = sample;
      const list = this.storedOf(sample);
      if (list.at(-1)?.timestampMs !== timestampMs) list.push({ timestampMs, value, bits });
    }
    const refusal = this.saysTooOld && reason?.endsWith(OUT_OF_BOUNDS) ? 500 : 400;
    const text = refusal === 500 ? 'too old sample' : (reason ?? '');
    return answer(reason === undefined ? 204 : refusal, text, protocol === '2.0' ? stored : undefined);
  }

  private sort(samples: readonly SentSample[]): { taken: SentSample[]; reason: string | undefined } {
    const newest = new Map<string, Sample | undefined>();
    const taken: SentSample[] = [];
    let reason: string | undefined;
    for (const sample of samples) {
      const why = this.problem(sample, newest);
      if (why === undefined) taken.push(sample);
      reason ??= why;
    }
    return { taken, reason };
  }

  private problem(sample: SentSample, newest: Map<string, Sample | undefined>): string | undefined {
    const { series, timestampMs, bits } = sample;
    if (this.refuses(series)) return `${series} ${this.refusal}`;
    if (timestampMs > this.now() + MAX_AHEAD_MS) return `${series} lies in the future`;
    if (timestampMs < this.oldestMs) return `${series} at ${timestampMs} ${OUT_OF_BOUNDS}`;
    const last = newest.has(series) ? newest.get(series) : this.storedOf(sample).at(-1);
    if (last && timestampMs < last.timestampMs)
      return `out of order: ${series} at ${timestampMs} after ${last.timestampMs}`;
    if (last && timestampMs === last.timestampMs && bits !== last.bits)
      return `another value: ${series} at ${timestampMs}`;
    newest.set(series, sample);
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

  private samplesOf(body: Uint8Array, tenant: string, protocol: Protocol): SentSample[] {
    const bytes = snappyUncompress(body, MAX_BODY_BYTES);
    const { timeseries } = protocol === '2.0' ? decodeWriteRequestV2(bytes) : decodeWriteRequest(bytes);
    return timeseries.flatMap(({ labels, samples, exemplars, histograms }) => {
      const series = seriesText(new Map(labels), this.instance);
      const exemplar = exemplars[0] && `${exemplars[0].labels.map(([, text]) => text).join()}=${exemplars[0].value}`;
      const all = [...samples, ...histograms.map(sampleOf)];
      return all.map((sample) => ({ startMs: undefined, ...sample, tenant, series, exemplar }));
    });
  }
}

function answer(status: number, text: string, written?: readonly SentSample[]): TransportResponse {
  const histograms = written?.filter(({ content }) => content !== undefined).length;
  const headers: Record<string, string> = {};
  if (written) {
    headers['x-prometheus-remote-write-samples-written'] = String(written.length - histograms!);
    headers['x-prometheus-remote-write-histograms-written'] = String(histograms);
    headers['x-prometheus-remote-write-exemplars-written'] = '0';
  }
  return { status, text, cut: false, header: (name) => headers[name] };
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
