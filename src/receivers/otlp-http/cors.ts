// Cross-origin requests of browsers (Fetch standard, CORS protocol). Off unless origins are configured.

import type { IncomingMessage, ServerResponse } from 'node:http';

const HEADER_NAMES = /^[\w!#$%&'*+.^`|~-]+(?:\s*,\s*[\w!#$%&'*+.^`|~-]+)*$/;
const PREFLIGHT_SECONDS = 7200;

export type OriginTest = (origin: string) => boolean;

/** A pattern is an origin in which `*` stands for any characters, or `*` alone. */
export function compileOrigins(patterns: readonly string[]): OriginTest {
  const parts = patterns.map((pattern) => pattern.toLowerCase().split('*'));
  return (origin) => parts.some((each) => isMadeOf(each, origin.toLowerCase()));
}

/** The parts in their order, with anything between them: in one pass, as clients choose the text. */
function isMadeOf(parts: readonly string[], text: string): boolean {
  const [first = '', ...others] = parts;
  const last = others.pop();
  if (last === undefined) return text === first;
  if (!text.startsWith(first)) return false;
  let at = first.length;
  for (const part of others) {
    const found = text.indexOf(part, at);
    if (found < 0) return false;
    at = found + part.length;
  }
  return text.length - last.length >= at && text.endsWith(last);
}

/** Says that the origin may read the answer, if it may. Returns whether it may. */
export function allowOrigin(request: IncomingMessage, response: ServerResponse, isAllowed: OriginTest): boolean {
  const { origin } = request.headers;
  if (origin === undefined || !isAllowed(origin)) return false;
  response.setHeader('Access-Control-Allow-Origin', origin);
  response.setHeader('Vary', 'Origin');
  return true;
}

/** Answers a preflight of an allowed origin: any header may be sent, exporters add their own. */
export function answerPreflight(request: IncomingMessage, response: ServerResponse): void {
  const asked = request.headers['access-control-request-headers'] ?? '';
  response.setHeader('Access-Control-Allow-Methods', 'POST');
  if (HEADER_NAMES.test(asked)) response.setHeader('Access-Control-Allow-Headers', asked);
  response.setHeader('Access-Control-Max-Age', PREFLIGHT_SECONDS);
  response.writeHead(204).end();
}
