// What must not be shown: credentials that are part of an endpoint's address. They are cut out of everything that leaves by HTTP,
// also out of error texts, which may repeat the address or name one that a redirect led to.

import type { EndpointView, StatusView } from './status-view.ts';

/** Shorter ones would blot out ordinary words, and keep no secret. */
const MIN_SECRET_CHARACTERS = 4;
const ANY_URL = /https?:\/\/[^\s"'<>]+/gi;

export function withoutSecrets(view: StatusView): StatusView {
  return { ...view, endpoints: view.endpoints.map(shownEndpoint) };
}

function shownEndpoint(endpoint: EndpointView): EndpointView {
  const { url, lastError } = endpoint;
  return {
    ...endpoint,
    url: shownUrl(url),
    lastError: lastError && withoutQuery(lastError.replace(ANY_URL, shownUrl), url),
  };
}

/** A receiver may name the request by its path alone. */
function withoutQuery(text: string, url: string): string {
  const query = URL.parse(url)?.search.slice(1) ?? '';
  const values = query.split('&').map((pair) => pair.slice(pair.indexOf('=') + 1));
  return [...values, ...new URLSearchParams(query).values()]
    .filter((value) => value.length >= MIN_SECRET_CHARACTERS)
    .reduce((clean, value) => clean.replaceAll(value, '…'), text);
}

/** Without user and password; values of the query are replaced by dots. */
export function shownUrl(url: string): string {
  if (!URL.canParse(url)) return '(not a URL)';
  const parsed = new URL(url);
  const query = [...parsed.searchParams.keys()].map((key) => `${encodeURIComponent(key)}=…`).join('&');
  return `${parsed.protocol}//${parsed.host}${parsed.pathname}${query === '' ? '' : `?${query}`}`;
}
