// What must not be shown: credentials that are part of an endpoint's address. They are cut out of everything that leaves by HTTP,
// also out of error texts, which may repeat the address or name one that a redirect led to.

import type { EndpointView, StatusView } from './status-view.ts';

const ANY_URL = /https?:\/\/[^\s"'<>]+/gi;

export function withoutSecrets(view: StatusView): StatusView {
  return { ...view, endpoints: view.endpoints.map(shownEndpoint) };
}

function shownEndpoint(endpoint: EndpointView): EndpointView {
  return { ...endpoint, url: shownUrl(endpoint.url), lastError: endpoint.lastError?.replace(ANY_URL, shownUrl) };
}

/** Without user and password; values of the query are replaced by dots. */
export function shownUrl(url: string): string {
  if (!URL.canParse(url)) return '(not a URL)';
  const parsed = new URL(url);
  const query = [...parsed.searchParams.keys()].map((key) => `${encodeURIComponent(key)}=…`).join('&');
  return `${parsed.protocol}//${parsed.host}${parsed.pathname}${query === '' ? '' : `?${query}`}`;
}
