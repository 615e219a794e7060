// What must be true of the sums, whatever happened: each body that was accepted has arrived, or is counted; and only once.

import { storedBodies } from './faults.ts';
import type { World } from './world.ts';

const ASIDE = /\.unreadable-\d+$/;

export interface Allowance {
  /** Bodies in segments whose headers were destroyed: what is kept of those can't be read by the test either. */
  destroyed?: ReadonlySet<number>;
  /** How many may be counted as lost that weren't. */
  falselyLost?: number;
}

/** Bodies that are neither here nor there. */
export function uncounted(world: World, { destroyed = new Set(), falselyLost = Infinity }: Allowance = {}): string[] {
  const problems: string[] = [];
  const delivered = new Set(world.deliveries.map(({ body }) => body.id));
  const dropped = new Set(world.dropped.map(({ id }) => id));
  const aside = new Set(storedBodies(world.disk, ASIDE).flatMap(({ frames }) => frames.map(({ id }) => id)));
  const isCounted = (id: number) => delivered.has(id) || dropped.has(id);
  const missing = [...world.accepted].filter((id) => !isCounted(id));
  const kept = missing.filter((id) => aside.has(id) || (world.unreadable > 0 && destroyed.has(id)));
  if (kept.length > 0 && world.unreadable === 0) problems.push('bodies were put aside, and no segment is counted');
  const unknown = missing.filter((id) => !kept.includes(id));
  if (unknown.length > world.lost) problems.push(`${unknown.length} are missing, ${world.lost} lost: ${unknown}`);
  // What was never accepted may have been stored, too; and what was on its way may have arrived.
  const gone = Array.from({ length: world.nextBody - 1 }, (_, i) => i + 1).filter((id) => !isCounted(id)).length;
  const underWay = world.lanes.reduce((sum, lanes) => sum + lanes, 0);
  if (world.lost > gone + underWay + falselyLost) problems.push(`${world.lost} lost, but only ${gone} didn't arrive`);
  return problems;
}

/** Bodies that are counted twice. */
export function countedTwice({ dropped, deliveries }: World): string[] {
  const problems: string[] = [];
  const dropOf = new Map<number, (typeof dropped)[0]>();
  for (const drop of dropped) {
    const before = dropOf.get(drop.id);
    // A process that dies before the cursor is written takes its sums with it.
    if (before !== undefined && (before.isKnown || before.life === drop.life)) {
      problems.push(`body ${drop.id} is dropped as ${before.reason} and again as ${drop.reason}`);
    }
    dropOf.set(drop.id, drop);
  }
  for (const { body, life } of deliveries) {
    const drop = dropOf.get(body.id);
    if (drop === undefined) continue;
    if (drop.life === life || (drop.life < life && drop.isKnown)) {
      problems.push(`body ${body.id} is dropped as ${drop.reason}, and delivered`);
    }
  }
  return problems;
}
