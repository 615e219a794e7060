// `spanmill rw-relay`: reads what it is told, runs until a signal, delivers what it has. A second signal ends it at once.

import process from 'node:process';
import { setTimeout as timer } from 'node:timers/promises';
import { ClosedError, LabelError } from 'remote-write-ts';
import { VERSION } from '../version.ts';
import { openEndpoint } from './endpoint.ts';
import type { Lanes } from './lanes.ts';
import { parseOptions, type RelayFlags, USAGE } from './options.ts';
import { renderOwnMetrics } from './own-metrics.ts';
import { type OwnServer, startOwnServer } from './own-server.ts';
import { noCounts, runRelay } from './relay.ts';
import { scrape } from './scrape.ts';
import { SeriesTable } from './series-table.ts';
import { type RelaySettings, SettingsError } from './settings.ts';
import { troubleTeller } from './trouble.ts';

export interface RelayIo {
  stdout: { write(text: string): unknown };
  stderr: { write(text: string): unknown };
  /** Ends the relay as SIGINT does. Given one, the command leaves the process's signals alone. */
  signal?: AbortSignal;
}

const USER_AGENT = `spanmill-rw-relay/${VERSION}`;

/** Exit codes: 0 after a signal; 1 if the address can't be listened on; 2 for wrong flags or a wrong file. */
export async function relayCommand(args: readonly string[], io: RelayIo): Promise<number> {
  const log = (message: string) => io.stderr.write(`spanmill rw-relay: ${message}\n`);
  try {
    const options = parseOptions(args);
    if (options === 'help') {
      io.stdout.write(USAGE);
      return 0;
    }
    for (const warning of options.warnings) log(warning);
    return await run(options, io, log);
  } catch (error) {
    if (!(error instanceof SettingsError)) throw error;
    for (const line of error.message.split('\n')) log(line);
    return 2;
  }
}

async function run({ settings, listen, flushDeadlineMs }: RelayFlags, io: RelayIo, log: (message: string) => void) {
  const { target } = settings;
  const onTrouble = troubleTeller(log, Date.now);
  const endpoint = openEndpoint(settings.endpoint, settings.endpointPlace, { userAgent: USER_AGENT, onTrouble });
  const table = openTable(target, endpoint);
  const counts = noCounts();
  const stop = new AbortController();
  const release = followSignals(io, stop);
  let server: OwnServer | undefined;
  try {
    if (listen !== undefined) {
      server = await startOwnServer(listen, () =>
        renderOwnMetrics({
          counts,
          lanes: endpoint.stats(),
          remoteStorage: endpoint.metrics(),
          trackedSeries: table.size,
        }),
      ).catch((error: Error) => {
        log(`can't listen: ${error.message}`);
        return undefined;
      });
      if (server === undefined) {
        await endpoint.close(1);
        return 1;
      }
      log(`listens on port ${server.port}`);
    }
    // Without a start time on the wire, `_created` are series like any other.
    const takesCreated = settings.endpoint.protocol !== '1.0';
    const relaying = runRelay(
      {
        intervalMs: target.intervalMs,
        table,
        scrape: (signal) => scrape({ ...target, userAgent: USER_AGENT, takesCreated }, signal),
        append: (points, scrapeMs) => endpoint.append(points, scrapeMs),
        now: Date.now,
        sleep: (waitMs, signal) => timer(Math.max(0, waitMs), undefined, { signal }).catch(() => {}),
        onFailure: ({ reason, message }) => onTrouble(reason, `the scrape failed: ${message}`),
      },
      counts,
      stop.signal,
    );
    const stopped = new Promise<void>((resolve) => {
      if (stop.signal.aborted) resolve();
      stop.signal.addEventListener('abort', () => resolve(), { once: true });
    });
    // A fault of the loop itself comes through here.
    await Promise.race([stopped, relaying]);
    await endpoint.close(flushDeadlineMs);
    await relaying.catch((error: unknown) => {
      // Points that never got into the full queue.
      if (!(error instanceof ClosedError)) throw error;
    });
    const samples = endpoint.stats().reduce((sum, { dropped }) => sum + dropped.closed.samples, 0);
    if (samples > 0) log(`${samples} samples could not be delivered any more`);
    return 0;
  } finally {
    await server?.close();
    release();
  }
}

/** @throws SettingsError for labels that no series could have. */
function openTable({ labels, honorsTimestamps }: RelaySettings['target'], endpoint: Lanes): SeriesTable {
  try {
    return new SeriesTable({
      target: labels,
      honorsTimestamps,
      createSeries: (pairs, metadata) => endpoint.series(pairs, metadata),
    });
  } catch (error) {
    if (error instanceof LabelError) throw new SettingsError(`labels of the target or from outside: ${error.message}`);
    throw error;
  }
}

/** After the first signal the process's own handling is back: the second one ends it. */
function followSignals({ signal }: RelayIo, stop: AbortController): () => void {
  const onSignal = () => {
    release();
    stop.abort();
  };
  const release = () => {
    process.off('SIGINT', onSignal);
    process.off('SIGTERM', onSignal);
    signal?.removeEventListener('abort', onSignal);
  };
  if (signal === undefined) {
    process.on('SIGINT', onSignal);
    process.on('SIGTERM', onSignal);
  } else if (signal.aborted) stop.abort();
  else signal.addEventListener('abort', onSignal);
  return release;
}
