// An answer and how it goes onto the wire: HEAD, gzip, and the headers that every answer has. Nothing is ever cached by anybody.

import type { IncomingMessage, ServerResponse } from 'node:http';
import { promisify } from 'node:util';
import { constants, gzip } from 'node:zlib';
import { stringify } from 'yaml';
import { acceptsGzip, wantsYaml } from './negotiate.ts';

const compress = promisify(gzip);
/** Below this the saving is less than a packet. */
const GZIP_FROM_BYTES = 1_024;

export interface Reply {
  status: number;
  contentType: string;
  body: string;
  headers?: Record<string, string>;
}

export function text(status: number, line: string, headers?: Record<string, string>): Reply {
  return { status, contentType: 'text/plain; charset=utf-8', body: `${line}\n`, ...(headers ? { headers } : {}) };
}

export function json(value: unknown): Reply {
  return { status: 200, contentType: 'application/json', body: `${JSON.stringify(value, null, 2)}\n` };
}

/** JSON, or YAML for whoever asks for it. */
export function jsonOrYaml(request: IncomingMessage, value: unknown): Reply {
  if (!wantsYaml(request.headers.accept)) return json(value);
  return { status: 200, contentType: 'application/yaml', body: stringify(value) };
}

export async function send(request: IncomingMessage, response: ServerResponse, reply: Reply): Promise<void> {
  let body: Uint8Array = Buffer.from(reply.body);
  const headers: Record<string, string> = {
    'Content-Type': reply.contentType,
    'Cache-Control': 'no-store',
    'X-Content-Type-Options': 'nosniff',
    Vary: 'Accept, Accept-Encoding',
    ...reply.headers,
  };
  if (body.length >= GZIP_FROM_BYTES && acceptsGzip(headerText(request.headers['accept-encoding']))) {
    // The fastest level: a large exposition must not hold up the threads that the log is written with.
    body = await compress(body, { level: constants.Z_BEST_SPEED });
    headers['Content-Encoding'] = 'gzip';
  }
  if (response.destroyed) return;
  response.writeHead(reply.status, { ...headers, 'Content-Length': body.length });
  response.end(request.method === 'HEAD' ? undefined : body);
}

function headerText(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value.join(',') : value;
}
