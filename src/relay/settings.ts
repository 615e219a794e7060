// What a relay is told to do, whether by flags or by a file.

import type { RemoteWriteOptions } from 'remote-write-ts';
import { ACCEPT } from './scrape.ts';
import type { TargetLabels } from './target-labels.ts';

export interface RelaySettings {
  target: {
    url: URL;
    labels: TargetLabels;
    honorsTimestamps: boolean;
    intervalMs: number;
    timeoutMs: number;
    accept: string;
    /** After decompression. */
    maxBytes: number;
  };
  endpoint: Omit<RemoteWriteOptions, 'userAgent'>;
  /** Where the endpoint is described, for messages: a flag, or a line of a file. */
  endpointPlace: string;
}

export const DEFAULT_MAX_BYTES = 256 * 1024 * 1024;
export const DEFAULT_ACCEPT = ACCEPT;
/** As Prometheus': a page that takes longer is as good as none. */
export const DEFAULT_TIMEOUT_MS = 10_000;
export const MAX_PER_REQUEST = 2_000;

/** What is wrong with flags or a file, in one line or several. */
export class SettingsError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'SettingsError';
  }
}
