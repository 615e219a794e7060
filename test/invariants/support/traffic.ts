// Random calls between a few services: halves in requests of their own, in any partition, late, lost, damaged or stamped wrongly.
import type { Random } from './random.ts';
import { CLIENT, CONSUMER, hex, PRODUCER, SERVER, type SpanSpec, span } from './spans.ts';
import type { World } from './world.ts';

const SERVICES = ['shop', 'cart', 'pay', 'mail'] as const;
const NAMES = ['GET /', 'POST /order', 'poll'] as const;
export const YEAR_2100_MS = Date.UTC(2100, 0, 1);

export class Traffic {
  private readonly world: World;
  private readonly random: Random;
  private readonly tenants: readonly string[];
  private waiting: { atMs: number; tenant: string; spans: SpanSpec[] }[] = [];
  private calls = 0;

  constructor(world: World, tenants: readonly string[] = ['shop']) {
    this.world = world;
    this.random = world.random;
    this.tenants = tenants;
  }

  /** What producers write at this moment. */
  step(): void {
    const { world, random } = this;
    for (let n = random.below(3); n > 0; n--) this.call();
    const due = this.waiting.filter(({ atMs }) => atMs <= world.nowMs);
    this.waiting = this.waiting.filter((item) => !due.includes(item));
    for (const { tenant, spans } of due) this.append(tenant, spans);
    if (random.chance(0.02)) this.damage();
  }

  /** The rest of the halves. */
  finish(): void {
    for (const { tenant, spans } of this.waiting) this.append(tenant, spans);
    this.waiting = [];
  }

  private call(): void {
    const { random, world } = this;
    const tenant = random.pick(this.tenants);
    const [from, to] = [random.pick(SERVICES), random.pick(SERVICES)];
    const isMessage = random.chance(0.15);
    const trace = hex(this.calls++, 32);
    const endMs = world.nowMs - random.below(2_000) - (random.chance(0.05) ? 60_000 : 0);
    const common = {
      trace,
      name: random.pick(NAMES),
      failed: random.chance(0.2),
      startMs: endMs - random.between(1, 900),
    };
    const client = span(endMs, { ...common, service: from, kind: isMessage ? PRODUCER : CLIENT });
    const server = span(endMs, { ...common, service: to, kind: isMessage ? CONSUMER : SERVER, parent: client.id });
    if (random.chance(0.1)) client.attributes['db.name'] = 'orders';
    if (random.chance(0.2)) client.attributes['peer.service'] = 'outside';
    if (random.chance(0.1)) server.parent = '';
    const inner = span(endMs, { trace, service: to, name: 'work' });
    if (random.chance(0.3)) {
      this.append(tenant, [client, server, inner]);
      return;
    }
    if (!random.chance(0.15)) this.append(tenant, [client]);
    // Sometimes later than the other half waits.
    if (!random.chance(0.15))
      this.waiting.push({ atMs: world.nowMs + random.pick([0, 1_000, 5_000, 14_000]), tenant, spans: [inner, server] });
  }

  private append(tenant: string, spans: SpanSpec[]): void {
    const { world, random } = this;
    const partition = random.below(world.log.partitions.length);
    let stampMs = world.nowMs;
    if (random.chance(0.01)) stampMs = YEAR_2100_MS;
    else if (random.chance(0.05)) stampMs -= random.between(1, 20_000);
    else if (random.chance(0.03)) stampMs += random.between(1, 9_000);
    const visibleMs = world.nowMs + (random.chance(0.3) ? random.below(3_000) : 0);
    world.log.append(world.nowMs, spans, { tenant, partition, stampMs, visibleMs });
  }

  private damage(): void {
    const { world, random } = this;
    const bytes = Uint8Array.from({ length: random.between(1, 30) }, () => 0xff);
    world.log.appendDamaged(world.nowMs, bytes, {
      tenant: random.pick(this.tenants),
      partition: random.below(world.log.partitions.length),
    });
  }
}
