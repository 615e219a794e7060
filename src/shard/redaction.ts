// Keeps what an endpoint is reached with out of texts that others read. The package knows the secrets of authorization and headers that
// are called like one; here every header's value and every value of the URL's query is one. Must never change what is sent.

const REPLACEMENT = '[redacted]';
/** Shorter ones would blot out ordinary words, and keep no secret. */
const MIN_SECRET_CHARACTERS = 4;
/** A receiver's answer is cut off after a KiB, perhaps inside a secret. */
const CUT_AFTER_CHARACTERS = 900;
/** A tenant is no secret: logs and pages name it anyway. */
const OPEN_HEADERS: ReadonlySet<string> = new Set(['x-scope-orgid']);

export type Redact = (text: string) => string;

export function redaction(url: string, headers: Readonly<Record<string, string>>): Redact {
  const values = Object.entries(headers).flatMap(([name, value]) =>
    // A scheme before the credentials: they are a secret without it, too.
    OPEN_HEADERS.has(name.toLowerCase()) ? [] : [value, ...value.trim().split(/\s+/)],
  );
  const secrets = [...new Set([...values, ...queryValues(url)].flatMap(spellings))]
    .filter((secret) => secret.length >= MIN_SECRET_CHARACTERS)
    // One secret may hold another.
    .sort((a, b) => b.length - a.length);
  return (text) => {
    let clean = text;
    for (const secret of secrets) clean = clean.replaceAll(secret, REPLACEMENT);
    return text.length > CUT_AFTER_CHARACTERS ? withoutBeginnings(clean, secrets) : clean;
  };
}

function queryValues(url: string): string[] {
  const parsed = URL.parse(url);
  if (parsed === null) return [];
  const raw = parsed.search.slice(1).split('&');
  return [...parsed.searchParams.values(), ...raw.map((pair) => pair.slice(pair.indexOf('=') + 1))];
}

/** As it is, in a URL, in JSON, and in HTML. */
function spellings(secret: string): string[] {
  const html = secret.replace(/[&<>"]/g, (character) => `&${HTML_NAMES[character]};`);
  return [secret, encodeURIComponent(secret.toWellFormed()), JSON.stringify(secret).slice(1, -1), html];
}

const HTML_NAMES: Readonly<Record<string, string>> = { '&': 'amp', '<': 'lt', '>': 'gt', '"': 'quot' };

function withoutBeginnings(text: string, secrets: readonly string[]): string {
  for (const secret of secrets) {
    for (let length = secret.length - 1; length >= MIN_SECRET_CHARACTERS; length--) {
      if (text.endsWith(secret.slice(0, length))) return text.slice(0, -length);
    }
  }
  return text;
}
