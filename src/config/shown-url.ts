// A URL as it may be said: its user, query and fragment may hold a secret.

/** Without these; nothing of a text that is no URL. */
export function shownUrl(text: string): string {
  const url = URL.parse(text);
  return url === null || url.host === '' ? 'the value' : `${url.protocol}//${url.host}${url.pathname}`;
}
