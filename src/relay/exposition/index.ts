// Pages of metrics as they are scraped: bytes in, samples out. Strict, linear in time, and pure.

import { isUtf8 } from 'node:buffer';
import { ExpositionError } from './error.ts';
import { resolve } from './families.ts';
import { parseOpenMetrics } from './open-metrics.ts';
import type { Format, Sample } from './page.ts';
import { parseTextFormat } from './text-format.ts';

export { ExpositionError } from './error.ts';
export { labelsKey } from './families.ts';
export type { Family, Format, PageExemplar, Sample } from './page.ts';

export interface ParseOptions {
  format: Format;
  /** Whether OpenMetrics' `_created` samples become `createdMs` of their family's others. Default: true. */
  takesCreated?: boolean;
}

/** @throws ExpositionError with the line, for anything that isn't a page of that format; nothing else. */
export function parsePage(bytes: Uint8Array, { format, takesCreated = true }: ParseOptions): Sample[] {
  if (!isUtf8(bytes)) throw new ExpositionError(firstBadLine(bytes), 'not UTF-8');
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString();
  const lines = format === 'openmetrics' ? parseOpenMetrics(text) : parseTextFormat(text);
  return resolve(lines, takesCreated && format === 'openmetrics');
}

/** By the media type; anything that doesn't say OpenMetrics is read as text. */
export function formatOf(contentType: string | null): Format {
  return /^\s*application\/openmetrics-text\s*(;|$)/i.test(contentType ?? '') ? 'openmetrics' : 'text';
}

// No character reaches over a line feed, so one line by itself isn't UTF-8.
function firstBadLine(bytes: Uint8Array): number {
  let start = 0;
  for (let number = 1; ; number++) {
    const feed = bytes.indexOf(0x0a, start);
    if (feed === -1 || !isUtf8(bytes.subarray(start, feed))) return number;
    start = feed + 1;
  }
}
