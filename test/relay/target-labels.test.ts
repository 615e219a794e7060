import { expect, it } from 'vitest';
import { withTarget } from '../../src/relay/target-labels.ts';

type Labels = Record<string, string>;
const TARGET: Labels = { job: 'test', instance: 'host:80' };
const result = (page: Labels, honorsPage: boolean, target = TARGET) =>
  Object.fromEntries(withTarget('a', Object.entries(page), { labels: Object.entries(target), honorsPage }));

it.each<[string, Labels, Labels]>([
  ['adds those of the target', { x: '1' }, { x: '1', ...TARGET }],
  ['renames what the page calls the same', { job: 'own' }, { exported_job: 'own', ...TARGET }],
  [
    'keeps what is called so already',
    { job: 'own', exported_job: 'theirs' },
    {
      exported_job: 'theirs',
      exported_exported_job: 'own',
      ...TARGET,
    },
  ],
  ['leaves empty ones out', { x: '', job: '' }, TARGET],
])('%s', (_title, page, expected) => {
  expect(result(page, false)).toEqual({ __name__: 'a', ...expected });
});

it('does not depend on the order of the page where two are renamed', () => {
  const target = { job: 't', exported_job: 't2' };
  const expected = { __name__: 'a', ...target, exported_exported_job: '1', exported_exported_exported_job: '2' };
  expect(result({ job: '1', exported_job: '2' }, false, target)).toEqual(expected);
  expect(result({ exported_job: '2', job: '1' }, false, target)).toEqual(expected);
});

it.each<[string, Labels, Labels]>([
  ['the page’s win', { job: 'own', x: '1' }, { job: 'own', x: '1', instance: 'host:80' }],
  ['an empty one of the page takes the target’s away', { instance: '' }, { job: 'test' }],
])('if the page is honoured, %s', (_title, page, expected) => {
  expect(result(page, true)).toEqual({ __name__: 'a', ...expected });
});
