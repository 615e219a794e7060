// Plain-text answers, as Zipkin's own server gives them, also to a request whose body is still coming.

import type { ServerResponse } from 'node:http';

/** How long the rest of a refused body is thrown away before the connection is cut, so that the client can read the answer. */
const LINGER_MS = 2000;

export function answerText(response: ServerResponse, status: number, text: string): void {
  if (response.headersSent || response.destroyed) return;
  const body = Buffer.from(text);
  const type = body.length === 0 ? {} : { 'Content-Type': 'text/plain; charset=utf-8' };
  response.writeHead(status, { ...type, 'Content-Length': body.length });
  if (response.req.complete) response.end(body);
  else answerAndLinger(response, body);
}

/**
 * Ending the response may close the connection, and closing it on unread bytes resets it, which can take the answer away from a
 * client that has yet to read it. So: say everything, throw away what comes, and end when the client has, or has had its time.
 */
function answerAndLinger(response: ServerResponse, body: Buffer): void {
  const request = response.req;
  const end = () => {
    clearTimeout(timer);
    request.off('end', end).off('close', end);
    response.end();
  };
  const timer = setTimeout(() => {
    end();
    request.socket.destroy();
  }, LINGER_MS);
  timer.unref();
  request.once('end', end).once('close', end);
  response.write(body);
  request.resume();
}
