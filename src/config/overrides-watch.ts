// Reads the per-tenant file again and again: what is valid and new is handed on, what isn't is told and changes nothing. It decides
// nothing about when settings take effect.

import { readFile } from 'node:fs/promises';
import { isDeepStrictEqual } from 'node:util';
import type { Logger } from '../telemetry/index.ts';
import type { Config } from './config.ts';
import { type Loaded, reloadTenants, type TenantCheck } from './load.ts';
import { resolveTenants } from './resolve.ts';

export interface OverridesWatchOptions {
  config: Config;
  /** What can't be taken over while running. */
  check?: TenantCheck;
  /** The settings of some tenant are others now. */
  onChange(config: Config): void;
  logger: Logger;
  now(): number;
  /** Replaced in tests. */
  readFile?: (path: string) => Promise<string>;
}

export class OverridesWatch {
  /** With the newest blocks that were valid. */
  config: Config;
  /** Readings that failed, also of one and the same text. */
  failures = 0;
  /** When the file was last read and valid; the start counts. */
  lastSuccessMs: number;
  private readonly options: OverridesWatchOptions;
  private readText: string | undefined;
  /** What is wrong with the file as it is now, as it was logged. */
  private problem: string | undefined;
  private timer: NodeJS.Timeout | undefined;
  private stopped = false;

  constructor(options: OverridesWatchOptions) {
    this.options = options;
    this.config = options.config;
    this.lastSuccessMs = options.now();
  }

  /** Reads now, and then every period, until `stop`. Without a per-tenant file it does nothing. */
  start(): void {
    const { perTenantFile, perTenantPeriodMs } = this.config.overrides;
    if (perTenantFile === undefined) return;
    const next = async (): Promise<void> => {
      await this.poll();
      if (!this.stopped) this.timer = setTimeout(next, perTenantPeriodMs);
    };
    void next();
  }

  /** Idempotent. */
  stop(): void {
    this.stopped = true;
    clearTimeout(this.timer);
  }

  /** One reading. Never throws. */
  async poll(): Promise<void> {
    const path = this.config.overrides.perTenantFile!;
    let text: string;
    try {
      text = await (this.options.readFile ?? ((file) => readFile(file, 'utf8')))(path);
    } catch (error) {
      this.readText = undefined;
      this.refuse(`${path}: can't be read: ${(error as Error).message}`);
      return;
    }
    if (this.stopped) return;
    if (text === this.readText) this.seen();
    else this.take(path, text);
  }

  private take(path: string, text: string): void {
    // What is odd about the text that the start took has been said by then.
    const isFirst = this.readText === undefined;
    this.readText = text;
    // Whoever writes a file in place empties it first.
    if (text.trim() === '') {
      this.refuse(`${path}: the file is empty: write "overrides: {}" if no tenant has a block any more`);
      return;
    }
    const { check, logger, onChange } = this.options;
    const before = this.config;
    let loaded: Loaded;
    try {
      const { expandWith } = before.overrides;
      loaded = reloadTenants(before, {
        readFile: () => text,
        ...(expandWith ? { expandEnv: true, env: expandWith } : {}),
        ...(check ? { check } : {}),
      });
      this.config = loaded.config;
    } catch (error) {
      this.refuse((error as Error).message);
      return;
    }
    this.problem = undefined;
    this.seen();
    const { notes, warnings } = loaded;
    const isSame = isDeepStrictEqual(resolveTenants(before), resolveTenants(this.config));
    if (warnings.length > 0 && !(isFirst && isSame))
      logger.warn({ file: path, warnings }, 'the per-tenant file was taken, but something in it may be a mistake');
    if (isSame) return;
    logger.info({ file: path, notes }, 'the per-tenant file changed: its settings hold from the next boundary on');
    onChange(this.config);
  }

  /** The file is as it was: as good, or as bad. */
  private seen(): void {
    if (this.problem === undefined) this.lastSuccessMs = this.options.now();
    else this.failures++;
  }

  private refuse(problem: string): void {
    this.failures++;
    if (problem === this.problem) return;
    this.problem = problem;
    const { perTenantFile: file } = this.config.overrides;
    this.options.logger.error(
      { file, problems: problem.split('\n') },
      'the per-tenant file was not taken: the settings stay as they are',
    );
  }
}
