import { expect, it } from 'vitest';
import { Spanmill } from './support/spanmill.ts';

it('a ^C that arrives twice at once, as through npm at a terminal, ends it cleanly', async () => {
  const spanmill = await Spanmill.start();
  try {
    spanmill.signal('SIGINT');
    expect(await spanmill.stop('SIGINT')).toBe(0);
    expect(spanmill.log).toContain('"msg":"stopped"');
    await spanmill.resume();
  } finally {
    await spanmill.remove();
  }
});
