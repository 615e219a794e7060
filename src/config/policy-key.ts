// The keys that a filter policy may name: TraceQL attribute identifiers of the span and resource scope, and three intrinsics.

export type PolicyKey = { scope: 'span' | 'resource'; attribute: string } | { intrinsic: 'kind' | 'status' | 'name' };

export const KIND_NAMES = [
  'SPAN_KIND_UNSPECIFIED',
  'SPAN_KIND_INTERNAL',
  'SPAN_KIND_SERVER',
  'SPAN_KIND_CLIENT',
  'SPAN_KIND_PRODUCER',
  'SPAN_KIND_CONSUMER',
] as const;
export const STATUS_NAMES = ['STATUS_CODE_UNSET', 'STATUS_CODE_OK', 'STATUS_CODE_ERROR'] as const;

const SCOPED = /^(?:parent\.)?(span|resource)\./;
const TERMINATOR = /[\s{}()=~!<>&|^,]/;

/**
 * `span.http.method`, `resource."odd key"`, `kind`, `span:kind`. The `parent.` before a scope is read and means nothing.
 * @throws Error with a sentence that says what is allowed.
 */
export function parsePolicyKey(key: string): PolicyKey {
  const text = key.trim();
  const intrinsic = /^(?:span:)?(kind|status|name)$/.exec(text);
  if (intrinsic) return { intrinsic: intrinsic[1] as 'kind' | 'status' | 'name' };
  const scoped = SCOPED.exec(text);
  if (scoped === null) {
    throw new Error(`"${key}" is no policy key: use span.<attribute>, resource.<attribute>, kind, status or name`);
  }
  return { scope: scoped[1] as 'span' | 'resource', attribute: attributeName(key, text.slice(scoped[0].length)) };
}

/** Plain characters up to a terminator, and quoted stretches in which `\"` and `\\` are escapes. */
function attributeName(key: string, text: string): string {
  let name = '';
  let quoted = false;
  for (let at = 0; at < text.length; at++) {
    const char = text[at]!;
    if (quoted && char === '\\' && (text[at + 1] === '"' || text[at + 1] === '\\')) name += text[++at];
    else if (char === '"') quoted = !quoted;
    else if (!quoted && TERMINATOR.test(char)) throw new Error(`"${key}": "${char}" needs quotes, as in span."my key"`);
    else name += char;
  }
  if (quoted) throw new Error(`"${key}": the closing quote is missing`);
  if (name === '') throw new Error(`"${key}" names no attribute`);
  return name;
}
