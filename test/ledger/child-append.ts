// Appends the toy fold to a ledger until it is killed: a line with T for each acknowledged entry.
import { writeSync } from 'node:fs';
import { contentOf, foldTo, openAt, rebuild } from './helpers.ts';

const ledger = await openAt(process.argv[2]!);
const { tMs, counters } = await rebuild(ledger);
await ledger.takeOver();
for (let t = tMs + 1000; ; t += 1000) {
  foldTo(counters, t);
  await ledger.append(contentOf(t, counters.changes()));
  writeSync(1, `${t}\n`);
  ledger.settle('acme\u0000prom', t);
  if (t % 5000 === 0) await ledger.appendBase(contentOf(t, counters.everything()));
  if (t % 7000 === 0) await ledger.prune(t - 3000);
}
