import { expect, it } from 'vitest';
import { shardStats } from '../../src/shard/shard-stats.ts';
import { StageLatencies } from '../../src/telemetry/index.ts';
import { everybody } from '../invariants/support/settings.ts';
import { span } from '../invariants/support/spans.ts';
import { World } from '../invariants/support/world.ts';

it('tells of each tenant what the rules over its labels did', async () => {
  const world = new World({ settings: everybody({ spanNameSanitization: 'enabled', maxCardinalityPerLabel: 1 }) });
  await world.start();
  const names = ['poll', ...Array.from({ length: 20 }, (_, i) => `GET /cart/${i}`)];
  for (const name of names) world.log.append(world.nowMs, [span(world.nowMs, { name })], { tenant: 'shop' });
  // The label limit is looked at every 15 s.
  await world.run(20_000);
  world.log.append(world.nowMs, [span(world.nowMs, { service: 'other' })], { tenant: 'shop' });
  await world.run(10_000);
  const [tenant] = shardStats(world.life!.shard, new StageLatencies()).tenants;
  expect(tenant).toMatchObject({
    tenant: 'shop',
    labels: {
      namesSanitized: 19,
      patternsEvicted: 0,
      namesSkipped: { too_few_tokens: 1, too_many_tokens: 0 },
      valuesLimited: [['span_name', 1]],
    },
  });
});
