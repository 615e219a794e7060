// A receiver that throws everything away, in a process of its own: what it costs is not the sender's.

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

let requests = 0;
let bytes = 0;

const server = createServer((request, response) => {
  const { 'content-length': length = '0', 'x-samples': samples = '0' } = request.headers;
  request.resume().on('end', () => {
    requests++;
    bytes += Number(length);
    response.writeHead(204, { 'x-prometheus-remote-write-samples-written': samples }).end();
  });
});
server.listen(0, '127.0.0.1', () => process.send!((server.address() as AddressInfo).port));
process.on('message', () => process.send!({ requests, bytes }));
process.once('disconnect', () => process.exit());
