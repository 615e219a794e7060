// Keeps secrets out of messages: receivers and proxies like to repeat a request's headers in their error pages.

const REPLACEMENT = '[redacted]';

/** @param cut whether `text` was cut off, perhaps inside a secret: then a secret's beginning at its end goes too. */
export function redact(text: string, secrets: readonly string[], cut = false): string {
  let clean = text;
  // Longest first: one secret may hold another.
  const ordered = [...secrets].sort((a, b) => b.length - a.length);
  for (const secret of ordered) clean = clean.replaceAll(secret, REPLACEMENT);
  if (!cut) return clean;
  for (const secret of ordered) {
    for (let length = Math.min(secret.length - 1, clean.length); length > 0; length--) {
      if (clean.endsWith(secret.slice(0, length))) {
        clean = clean.slice(0, -length);
        break;
      }
    }
  }
  return clean;
}
