// `spanmill demo`, what `npm start` runs: everything embedded, a live load of a web shop, and the addresses to open.

import { runGenerate } from './generate/index.ts';
import { loadFromFlags, serve } from './serve.ts';
import type { CommandIo } from './simulate/index.ts';
import { createLogger } from './telemetry/index.ts';

const SPANS_PER_SECOND = 200;

export async function demoCommand(args: readonly string[], io: CommandIo): Promise<number> {
  const loaded = loadFromFlags(args, io);
  if (typeof loaded === 'number') return loaded;
  const logger = createLogger(loaded.config.server.logLevel === 'info' ? 'warn' : loaded.config.server.logLevel);
  return serve(loaded, logger, io, async (app) => {
    const { api, otlpHttp } = app.listening;
    io.stdout.write(welcome(api, otlpHttp, loaded.config.log.embedded.path));
    const stop = new AbortController();
    const load = otlpHttp
      ? runGenerate(
          [
            '--otlp',
            `http://${otlpHttp}`,
            '--rate',
            String(SPANS_PER_SECOND),
            '--seed',
            String(Date.now() % 1_000_000),
          ],
          {
            stdout: { write: () => true },
            stderr: { write: () => true },
            env: io.env,
            signal: stop.signal,
          },
        )
      : Promise.resolve(0);
    return async () => {
      stop.abort();
      await load;
    };
  });
}

function welcome(api: string, otlpHttp: string | undefined, data: string): string {
  return `
  spanmill runs, with a demo load of a web shop.

    status page    http://${api}/
    span metrics   http://${api}/span-metrics      (first series within 30 s)
    own metrics    http://${api}/metrics
${otlpHttp ? `    send spans     http://${otlpHttp}/v1/traces   (OTLP/HTTP, protobuf or JSON)\n` : ''}
  Data is kept in ${data} and beside it. Ctrl-C ends it cleanly.

`;
}
