// Labels that do not tell rows apart: a row has those of the label set that made it, whatever is looked up later.

import { describe, expect, test } from 'vitest';
import { makeSchema, Registry, type RowTable, TenantImage } from '../../src/registry/index.ts';
import { applyAll } from '../fold/series.ts';
import { settingsWith } from '../fold/settings.ts';

const T = 1_767_225_600_000;
const SCHEMA = {
  ...makeSchema('t', ['name', 'scope', 'version'], [{ kind: 'counter', metric: 'calls' }], {}, 'traceID'),
  carried: { labels: 2, of: ['lib'] },
};

class Life {
  registry = new Registry(settingsWith());
  readonly image = new TenantImage();

  get table(): RowTable {
    return this.registry.table(SCHEMA);
  }

  count(name: string, scope: string, version: string): this {
    const { table } = this;
    [name, scope, version].forEach((text, i) => {
      table.key[i] = this.registry.symbols.internText(text);
    });
    let row = table.find();
    if (row < 0) row = table.admit(T, table.fullMask);
    table.touch(row, T);
    table.add(row, { kind: 'counter', metric: 'calls', column: 0 }, 1);
    return this;
  }

  rows(tMs: number): [labels: string, value: number][] {
    applyAll(this.image, this.registry.changes(tMs));
    return [...this.image.tables.get('t')!.rows.values()].map(({ labels, values }) => [labels.join(), values[0]!]);
  }

  reload(tMs: number): this {
    const sections = structuredClone(this.registry.everything(tMs));
    this.registry = new Registry(settingsWith());
    for (const section of sections) this.registry.load(section, tMs);
    this.registry.loaded();
    return this;
  }
}

describe('carried labels', () => {
  test('are those of the first, and find their row whatever comes', () => {
    const life = new Life().count('a', 'lib', '1').count('b', '', '').count('a', '', '').count('b', 'lib', '2');
    expect(life.rows(T + 1)).toEqual([
      ['a,lib,1', 2],
      ['b,,', 2],
    ]);
  });

  test('stay through growth, new symbols and a load', () => {
    const life = new Life();
    for (let i = 0; i < 1_000; i++) life.count(`${i}`, `s${i}`, 'v');
    life.rows(T + 1);
    life.registry.trimSymbols(Number.NEGATIVE_INFINITY);
    for (let i = 0; i < 1_000; i++) life.count(`${i}`, '', '');
    life.rows(T + 2);
    life.reload(T + 2);
    for (let i = 0; i < 1_000; i++) life.count(`${i}`, 'other', '');
    expect(life.table.liveRows).toBe(1_000);
    expect(life.rows(T + 3)[7]).toEqual(['7,s7,v', 3]);
  });

  test('are chosen anew once the row has ended, whichever rows end with it', () => {
    const life = new Life();
    for (let i = 0; i < 200; i++) life.count(`${i}`, 'old', '');
    life.rows(T + 1);
    const { table } = life;
    for (let row = 0; row < 200; row += 3) table.end(row);
    for (let i = 0; i < 200; i++) life.count(`${i}`, 'new', '');
    const byScope = Map.groupBy(life.rows(T + 2), ([labels]) => labels.split(',')[1]);
    expect([byScope.get('old')!.length, byScope.get('new')!.length]).toEqual([133, 67]);
  });
});
