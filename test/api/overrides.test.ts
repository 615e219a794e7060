import { afterEach, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { ask, NOW_MS, startApi, stopAll } from './support.ts';

afterEach(stopAll);

describe('/status/overrides', () => {
  it('lists the tenants with a block, and says how the file does', async () => {
    const { port } = await startApi();
    const answer = await ask(port, '/status/overrides');
    expect(answer.headers['content-type']).toBe('application/json');
    expect(JSON.parse(answer.body)).toEqual({
      merge: 'deep',
      reloadFailures: 0,
      lastReloadSuccessfulMs: NOW_MS,
      tenants: ['*', 'team-a'],
    });
  });

  it.each(['team-a', '*', "it's(a)!tenant", '...'])(
    '/%s: every value of the tenant, and where it came from',
    async (tenant) => {
      const { port } = await startApi();
      const { status, body } = await ask(port, `/status/overrides/${tenant}?x=1`);
      expect(status).toBe(200);
      expect(JSON.parse(body)).toMatchObject({
        tenant,
        block: null,
        settings: { collection_interval: { value: '15s', source: 'default' } },
      });
    },
  );

  it.each([
    ['application/yaml', 'application/yaml'],
    ['text/yaml, application/json;q=0.5', 'application/yaml'],
    ['application/json, application/yaml;q=0.5', 'application/json'],
    ['*/*', 'application/json'],
  ])('%s gets %s', async (accept, type) => {
    const { port } = await startApi();
    for (const path of ['/status/overrides', '/status/overrides/team-a']) {
      const answer = await ask(port, path, { accept });
      expect(answer.headers['content-type']).toBe(type);
      expect(parse(answer.body)).toMatchObject({ merge: 'deep' });
    }
  });

  it('refuses what is no name of a tenant', async () => {
    const { port } = await startApi();
    expect(await ask(port, '/status/overrides/a%20b')).toMatchObject({
      status: 404,
      body: expect.stringMatching(/^the org id is not/),
    });
  });
});
