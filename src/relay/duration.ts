// Durations as Prometheus and Go write them. Here and not from the configuration's door: that brings the whole schema along,
// and a relay should start at once.

const UNIT_MS: Record<string, number> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
  y: 31_536_000_000,
};

/**
 * `1h30m`, `500ms`, `1.5s`, `7d` as whole milliseconds, or what is wrong with it. `0` is none: a relay has no use for it.
 */
export function readDuration(text: string): number | { error: string } {
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ms|[smhdwy])/g)];
  if (parts.length === 0 || parts.map(([part]) => part).join('') !== text) {
    if (/^0+$/.test(text)) return { error: 'must be at least 1ms' };
    const hint = /^\d+$/.test(text) ? `did you mean ${text}s?` : 'write 30s, 500ms, 1h30m or 7d';
    return { error: `"${text}" is no duration: ${hint}` };
  }
  const totalMs = Math.round(parts.reduce((sum, [, count, unit]) => sum + Number(count) * UNIT_MS[unit!]!, 0));
  return totalMs >= 1 ? totalMs : { error: 'must be at least 1ms' };
}
