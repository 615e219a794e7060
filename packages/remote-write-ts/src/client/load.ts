// What comes into a queue and what leaves it, from which the number of shards follows.

import { Rate } from './resharding.ts';

export interface Rates {
  inPerSecond: number;
  outPerSecond: number;
  sendingPerSecond: number;
  /** Whether anything was settled since the last time. */
  hasSent: boolean;
}

export class LoadMeter {
  /** Of points taken and of points settled, ms since the Unix epoch; 0 before the first. */
  highestTimestampMs = 0;
  highestSentTimestampMs = 0;
  #entered = 0;
  #settled = 0;
  #sendingMs = 0;
  #measuredMs: number;
  #frozenUntilMs = Number.NEGATIVE_INFINITY;
  readonly #in = new Rate();
  readonly #out = new Rate();
  readonly #sending = new Rate();

  constructor(nowMs: number) {
    this.#measuredMs = nowMs;
  }

  entered(points: number, highestMs: number): void {
    this.#entered += points;
    if (highestMs > this.highestTimestampMs) this.highestTimestampMs = highestMs;
  }

  /** What an earlier process took. */
  found(timestampMs: number): void {
    if (timestampMs > this.highestTimestampMs) this.highestTimestampMs = timestampMs;
  }

  /** Points that have their final fate, after so much time of sending. */
  settled(points: number, sendingMs: number, highestMs: number): void {
    this.#settled += points;
    this.#sendingMs += sendingMs;
    if (highestMs > this.highestSentTimestampMs) this.highestSentTimestampMs = highestMs;
  }

  /** The endpoint is in trouble until then: rates of this time say nothing about the shards it needs. */
  freeze(untilMs: number): void {
    this.#frozenUntilMs = Math.max(this.#frozenUntilMs, untilMs);
  }

  isFrozen(nowMs: number): boolean {
    return nowMs < this.#frozenUntilMs;
  }

  /** The rates since the last call, smoothed; undefined if no time has passed. */
  measure(nowMs: number): Rates | undefined {
    const seconds = (nowMs - this.#measuredMs) / 1000;
    if (seconds <= 0) return undefined;
    const hasSent = this.#settled > 0;
    this.#in.add(this.#entered, seconds);
    this.#out.add(this.#settled, seconds);
    this.#sending.add(this.#sendingMs / 1000, seconds);
    this.#measuredMs = nowMs;
    this.#entered = 0;
    this.#settled = 0;
    this.#sendingMs = 0;
    return {
      inPerSecond: this.#in.perSecond,
      outPerSecond: this.#out.perSecond,
      sendingPerSecond: this.#sending.perSecond,
      hasSent,
    };
  }
}
