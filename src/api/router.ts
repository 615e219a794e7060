// Which handler a request goes to: a path and a method from a table. Paths are compared as they were sent: nothing is
// decoded, joined or normalised, so there is nothing to trick.

import type { IncomingMessage } from 'node:http';
import { type Reply, text } from './reply.ts';

export type Handler = (request: IncomingMessage) => Reply | Promise<Reply>;
/** By path, then by method. HEAD goes to GET's handler. A path that ends in `/*` is that of everything one level below. */
export type Routes = ReadonlyMap<string, Readonly<Record<string, Handler>>>;

const MAX_TARGET_LENGTH = 8_192;
const MAX_SHOWN_PATH = 200;

export function route(routes: Routes, request: IncomingMessage): Handler {
  const target = request.url ?? '';
  if (target.length > MAX_TARGET_LENGTH)
    return () => text(414, `the request target is longer than ${MAX_TARGET_LENGTH} characters`);
  const path = pathOf(target);
  const methods = routes.get(path) ?? routes.get(`${path.slice(0, path.lastIndexOf('/'))}/*`);
  if (!methods) return () => text(404, `no page at ${shown(path)}`);
  const method = request.method ?? '';
  const handler = Object.hasOwn(methods, method) ? methods[method] : method === 'HEAD' ? methods['GET'] : undefined;
  if (handler) return handler;
  const allowed = Object.keys(methods).flatMap((name) => (name === 'GET' ? ['GET', 'HEAD'] : [name]));
  return () =>
    text(405, `${shown(path)} takes ${allowed.join(', ')}, not ${method}`, {
      Allow: allowed.join(', '),
    });
}

/** Without the query; of a target in absolute form (RFC 9112, section 3.2.2) without the authority, too. */
export function pathOf(target: string): string {
  const local = /^https?:\/\/[^/?#]*/i.exec(target);
  const rest = local ? target.slice(local[0].length) : target;
  const end = rest.search(/[?#]/);
  const path = end < 0 ? rest : rest.slice(0, end);
  return path === '' && local ? '/' : path;
}

/** Of bounded length. Node lets only printable ASCII into a target. */
function shown(path: string): string {
  return path.length > MAX_SHOWN_PATH ? `${path.slice(0, MAX_SHOWN_PATH)}…` : path;
}
