// One request over undici and its answer, by undici's own events: without the stream and the signal that `request` makes of them it
// costs two thirds of the CPU. The answer is always read to its end or its connection given up.

import type { Dispatcher } from 'undici';
import type { TransportResponse } from './transport.ts';

export interface ExchangeOptions {
  origin: string;
  path: string;
  headers: Readonly<Record<string, string>>;
  body: Uint8Array;
  signal: AbortSignal;
  /** How much of the answer is kept as text. */
  keptBytes: number;
}

/** A longer answer isn't worth a connection: it is closed instead. */
const DRAINED_BYTES = 2 * 1024 * 1024;

/** Rejects if no status arrives. */
export function post(dispatcher: Dispatcher, options: ExchangeOptions): Promise<TransportResponse> {
  const { origin, path, headers, body, signal } = options;
  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      reject(signal.reason);
      return;
    }
    const exchange = new Exchange(signal, options.keptBytes, resolve, reject);
    // A copy of the headers: the way over a proxy adds to them.
    dispatcher.dispatch({ origin, path, method: 'POST', headers: { ...headers }, body }, exchange);
  });
}

class Exchange implements Dispatcher.DispatchHandler {
  readonly #signal: AbortSignal;
  readonly #keptBytes: number;
  readonly #resolve: (response: TransportResponse) => void;
  readonly #reject: (error: unknown) => void;
  #controller: Dispatcher.DispatchController | undefined;
  /** 0 until it arrives. */
  #status = 0;
  #headers: Readonly<Record<string, string | string[] | undefined>> = {};
  readonly #kept: Uint8Array[] = [];
  #seenBytes = 0;
  #isOver = false;

  constructor(
    signal: AbortSignal,
    keptBytes: number,
    resolve: (response: TransportResponse) => void,
    reject: (error: unknown) => void,
  ) {
    this.#signal = signal;
    this.#keptBytes = keptBytes;
    this.#resolve = resolve;
    this.#reject = reject;
    signal.addEventListener('abort', this.#onAbort);
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    // It waited for a connection when it was given up.
    if (this.#isOver) controller.abort(abortError());
  }

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    status: number,
    headers: Record<string, string | string[] | undefined>,
  ): void {
    if (status < 200) return; // more is to come
    this.#status = status;
    this.#headers = headers;
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Uint8Array): void {
    const room = this.#keptBytes - this.#seenBytes;
    if (room > 0) this.#kept.push(chunk.subarray(0, room));
    this.#seenBytes += chunk.length;
    if (this.#seenBytes <= DRAINED_BYTES) return;
    this.#settle(true);
    controller.abort(abortError());
  }

  onResponseEnd(): void {
    // undici frees a connection one turn of the event loop after its answer, and asks for that turn after this call: a request
    // sooner would open another one.
    queueMicrotask(() => setImmediate(() => this.#settle(this.#seenBytes > this.#keptBytes)));
  }

  onResponseError(_controller: unknown, error: Error): void {
    // Once a status has arrived, it alone decides: a body that breaks off or stalls only shortens the message.
    if (this.#status > 0) this.#settle(true);
    else this.#fail(error);
  }

  readonly #onAbort = (): void => {
    if (this.#status > 0) this.#settle(true);
    else this.#fail(this.#signal.reason);
    this.#controller?.abort(abortError());
  };

  #settle(cut: boolean): void {
    if (this.#end()) return;
    const headers = this.#headers;
    this.#resolve({
      status: this.#status,
      header(name) {
        const value = headers[name];
        return Array.isArray(value) ? value[0] : value;
      },
      text: textOf(this.#kept, cut),
      cut,
    });
  }

  #fail(error: unknown): void {
    if (!this.#end()) this.#reject(error);
  }

  /** Whether it was over before. */
  #end(): boolean {
    if (this.#isOver) return true;
    this.#isOver = true;
    this.#signal.removeEventListener('abort', this.#onAbort);
    return false;
  }
}

function abortError(): Error {
  return new Error('given up');
}

function textOf(chunks: readonly Uint8Array[], cut: boolean): string {
  if (chunks.length === 0) return '';
  // `stream` drops a character that was cut in two.
  return new TextDecoder().decode(Buffer.concat(chunks), { stream: cut });
}
