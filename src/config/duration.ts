// Durations and byte sizes as they are written in the file. Both Go's durations (Go spec of `time.ParseDuration`) and
// Prometheus' longer units are read, so that one spelling works everywhere; a bare number is never guessed at.

const UNIT_MS: Record<string, number> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  μs: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
  y: 31_536_000_000,
};
const PART = /(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|μs|ms|[smhdwy])/y;
export const DURATION_PATTERN = '^(0|((\\d+(\\.\\d*)?|\\.\\d+)(ns|us|µs|ms|s|m|h|d|w|y))+)$';

export type Parsed = { ok: number } | { error: string };

/** `1h30m`, `500ms`, `1.5s`, `7d`, `0` as milliseconds. */
export function parseDuration(text: string): Parsed {
  const trimmed = text.trim();
  if (/^[-+]?0+$/.test(trimmed)) return { ok: 0 };
  if (/^\d+(\.\d+)?$/.test(trimmed)) {
    return { error: `a duration needs a unit: did you mean ${trimmed}s? (a bare number would be nanoseconds)` };
  }
  if (trimmed.startsWith('-')) return { error: `a duration can't be negative: "${text}"` };
  let total = 0;
  let at = 0;
  while (at < trimmed.length) {
    PART.lastIndex = at;
    const part = PART.exec(trimmed);
    if (part === null) break;
    total += Number(part[1]) * UNIT_MS[part[2]!]!;
    at = PART.lastIndex;
  }
  if (at === 0 || at < trimmed.length) return { error: `"${text}" is no duration: write 30s, 500ms, 1h30m or 7d` };
  return { ok: Number(total.toFixed(6)) };
}

const UNIT_BYTES: Record<string, number> = { '': 1, B: 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3, TiB: 1024 ** 4 };
export const BYTES_PATTERN = '^\\d+(\\.\\d+)? ?(B|KiB|MiB|GiB|TiB)?$';

/** `67108864` or `64MiB` as bytes. Units are binary ones only: `MB` is ambiguous and refused. */
export function parseBytes(text: string): Parsed {
  const match = /^(\d+(?:\.\d+)?) ?([KMGT]iB|B)?$/.exec(text.trim());
  if (match === null) return { error: `"${text}" is no size: write plain bytes, or KiB, MiB, GiB as in 64MiB` };
  const bytes = Number(match[1]) * UNIT_BYTES[match[2] ?? '']!;
  return Number.isSafeInteger(bytes) ? { ok: bytes } : { error: `"${text}" is not a whole number of bytes` };
}

/** As it would be written: `1h30m`, `15s`, `250ms`. */
export function durationText(ms: number): string {
  let text = '';
  let left = ms;
  for (const unit of ['h', 'm', 's'] as const) {
    const count = Math.floor(left / UNIT_MS[unit]!);
    if (count > 0) text += `${count}${unit}`;
    left -= count * UNIT_MS[unit]!;
  }
  if (left > 0) text += `${Number(left.toFixed(6))}ms`;
  return text === '' ? '0s' : text;
}
