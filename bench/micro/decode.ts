// Decoding alone: with the plan of the default configuration, and with one that wants nothing.
//   node --conditions=source bench/micro/decode.ts

import { Decoder, ExtractionPlan } from '../../src/otlp/index.ts';
import { makeCorpus, TYPICAL } from '../corpus.ts';
import { cost, print } from './measure.ts';

const DEFAULT_KEYS = [
  'peer.service',
  'db.name',
  'db.system',
  'db.system.name',
  'db.namespace',
  'server.address',
  'network.peer.address',
  'network.peer.port',
];

const corpus = makeCorpus({ ...TYPICAL, spans: 20_000 });
const view = new DataView(corpus.buffer, corpus.byteOffset, corpus.length);
const requests: Uint8Array[] = [];
for (let p = 0; p < corpus.length; ) {
  const n = view.getUint32(p, true);
  requests.push(corpus.subarray(p + 4, p + 4 + n));
  p += 4 + n;
}

const wanting = new Decoder(new ExtractionPlan(DEFAULT_KEYS));
const blind = new Decoder(new ExtractionPlan([]));
const spans = requests.reduce((sum, request) => sum + blind.decode(request).count, 0);
const decodeAll = (decoder: Decoder) => {
  for (const request of requests) decoder.decode(request);
};
print([
  cost('decode a span, keys of the default configuration', spans, () => decodeAll(wanting)),
  cost('decode a span, no keys', spans, () => decodeAll(blind)),
]);
