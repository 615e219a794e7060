// `spanmill`: reads the configuration, runs until a signal, ends cleanly. A second signal ends it at once.

import process from 'node:process';
import { App, StartError } from './app.ts';
import {
  ConfigError,
  describeEffective,
  type Loaded,
  loadConfig,
  nearestTempoFlag,
  tempoFlag,
} from './config/index.ts';
import { countdown } from './countdown.ts';
import { LogError } from './log/index.ts';
import { ListenError } from './receiver-set.ts';
import type { CommandIo } from './simulate/index.ts';
import { createLogger, type Logger } from './telemetry/index.ts';

/** From the signal to the end: Kubernetes grants 30 s. */
const STOP_DEADLINE_MS = 25_000;

const SAME_SIGNAL_MS = 1_000;

export interface ServeFlags {
  configFile: string | undefined;
  expandEnv: boolean;
  verify: boolean;
  printConfig: boolean;
  /** What flags of Tempo's stand for: dotted path to value. */
  set: Record<string, string>;
  /** Flags of Tempo's that have no effect. */
  ignored: string[];
}

export async function serveCommand(args: readonly string[], io: CommandIo): Promise<number> {
  const loaded = loadFromFlags(args, io);
  if (typeof loaded === 'number') return loaded;
  const logger = createLogger(loaded.config.server.logLevel);
  return serve(loaded, logger, io, async () => () => Promise.resolve());
}

/** Exit code where there is nothing to run; else the configuration. */
export function loadFromFlags(args: readonly string[], io: CommandIo): Loaded | number {
  let flags: ServeFlags;
  try {
    flags = parseFlags(args);
  } catch (error) {
    io.stderr.write(`spanmill: ${error instanceof Error ? error.message : error} (spanmill help lists the flags)\n`);
    return 2;
  }
  try {
    const loaded = loadConfig({
      ...(flags.configFile === undefined ? { text: '' } : { path: flags.configFile }),
      expandEnv: flags.expandEnv,
      env: io.env,
      set: flags.set,
    });
    loaded.notes.push(...flags.ignored);
    if (flags.printConfig) {
      io.stdout.write(`${JSON.stringify(describeEffective(loaded.config), null, 2)}\n`);
      return 0;
    }
    if (flags.verify) {
      for (const note of loaded.notes) io.stderr.write(`note: ${note}\n`);
      io.stdout.write('the configuration is valid\n');
      return 0;
    }
    return loaded;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    io.stderr.write(`${error.message}\n`);
    return 1;
  }
}

/** Runs the app until a signal or a failure. `whenRunning` may start more; what it returns is stopped first. */
export async function serve(
  loaded: Loaded,
  logger: Logger,
  io: CommandIo,
  whenRunning: (app: App) => Promise<() => Promise<unknown>>,
): Promise<number> {
  const ended = Promise.withResolvers<number>();
  const starting = new AbortController();
  let app: App | undefined;
  let hasFailed = false;
  let firstSignalMs: number | undefined;
  let left: ReturnType<typeof countdown> | undefined;
  const end = (code: number) => {
    left ??= countdown(STOP_DEADLINE_MS, () => performance.now());
    starting.abort();
    ended.resolve(code);
  };
  const onSignal = (signal: NodeJS.Signals) => {
    if (firstSignalMs !== undefined) {
      // At a terminal, npm passes on the ^C that the terminal sends here as well.
      if (Date.now() - firstSignalMs < SAME_SIGNAL_MS) return;
      io.stderr.write('spanmill: ended at once; what was taken in is in the log and goes on after the next start\n');
      process.exit(1);
    }
    firstSignalMs = Date.now();
    logger.info({ signal }, 'stopping');
    end(0);
  };
  process.on('SIGTERM', onSignal);
  process.on('SIGINT', onSignal);
  try {
    app = await App.start({
      signal: starting.signal,
      config: loaded.config,
      notes: loaded.notes,
      warnings: loaded.warnings,
      logger,
      now: Date.now,
      onFailed: (error) => {
        logger.fatal({ err: error }, 'spanmill can not go on');
        hasFailed = true;
        end(1);
      },
    });
    const stopMore = await whenRunning(app);
    const code = await ended.promise;
    await stopMore();
    await app.stop(left!());
    logger.info('stopped');
    return code;
  } catch (error) {
    if (app) throw error;
    if (starting.signal.aborted) return hasFailed ? 1 : 0;
    io.stderr.write(`spanmill: ${startProblem(error)}\n`);
    return 1;
  } finally {
    process.off('SIGTERM', onSignal);
    process.off('SIGINT', onSignal);
  }
}

/** A fault of the machine or the user is one line; anything else keeps its stack. */
function startProblem(error: unknown): string {
  const isKnown = error instanceof StartError || error instanceof LogError || error instanceof ListenError;
  if (isKnown || (error instanceof Error && 'code' in error)) return error.message;
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

function parseFlags(args: readonly string[]): ServeFlags {
  const flags: ServeFlags = {
    configFile: undefined,
    expandEnv: false,
    verify: false,
    printConfig: false,
    set: {},
    ignored: [],
  };
  for (let i = 0; i < args.length; i++) {
    const [name, inline] = splitFlag(args[i]!);
    const flag = (): boolean => {
      if (inline !== undefined && inline !== 'true' && inline !== 'false')
        throw new Error(`-${name}=${inline}: true or false`);
      return inline !== 'false';
    };
    switch (name) {
      case 'config.file': {
        const file = inline ?? args[++i];
        if (file === undefined) throw new Error('-config.file needs a file');
        flags.configFile = file;
        break;
      }
      case 'config.expand-env':
        flags.expandEnv = flag();
        break;
      case 'config.verify':
        flags.verify = flag();
        break;
      case 'print-config':
        flags.printConfig = flag();
        break;
      default:
        i = tempoArgument(args, i, name, inline, flags);
    }
  }
  return flags;
}

function splitFlag(arg: string): [name: string, inline: string | undefined] {
  const match = /^--?([^=]+)(?:=(.*))?$/s.exec(arg);
  if (!match) throw new Error(`"${arg}" is no flag`);
  return [match[1]!, match[2]];
}

/** A flag that Tempo has. Returns the index of the last argument that belongs to it. */
function tempoArgument(
  args: readonly string[],
  index: number,
  name: string,
  inline: string | undefined,
  flags: ServeFlags,
): number {
  const known = tempoFlag(name);
  if (known === undefined) {
    const near = nearestTempoFlag(name);
    throw new Error(`no flag ${args[index]}${near === undefined ? '' : `: did you mean -${near}?`}`);
  }
  const next = args[index + 1];
  const takesNext =
    inline === undefined &&
    !known.isBoolean &&
    next !== undefined &&
    (known.key !== undefined || !next.startsWith('-'));
  const value = inline ?? (takesNext ? next : known.isBoolean ? 'true' : undefined);
  if (known.key === undefined) flags.ignored.push(`command line: -${name}: ignored: ${known.ignored}`);
  else if (value === undefined) throw new Error(`-${name} needs a value`);
  else flags.set[known.key] = value;
  return takesNext ? index + 1 : index;
}
