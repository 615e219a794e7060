import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  assignShards,
  decodeAssignment,
  decodeMember,
  encodeAssignment,
  encodeMember,
  type Member,
} from '../../../src/log/kafka/assignor.ts';

const member = (memberId: string, wants: number[], holds: number[] = [], shardCount = 4): Member => ({
  memberId,
  wants,
  holds,
  shardCount,
});

describe('the assignment of shards', () => {
  it('gives one member all that it wants', () => {
    expect(assignShards([member('a', [0, 1, 2, 3])])).toEqual(new Map([['a', [0, 1, 2, 3]]]));
  });

  it('leaves a shard with the member that holds it, whoever else wants it', () => {
    expect(assignShards([member('a', [0]), member('b', [0], [0]), member('c', [0])])).toEqual(
      new Map([
        ['a', []],
        ['b', [0]],
        ['c', []],
      ]),
    );
  });

  it('gives nothing to a member that counts shards differently, or whose data can not be read', () => {
    const all = [
      member('a', [0], [], 2),
      member('b', [0, 1], [0, 1], 2),
      member('c', [0, 1, 2], [], 3),
      decodeMember('d', Buffer.from('?')),
    ];
    expect(assignShards(all)).toEqual(
      new Map([
        ['a', []],
        ['b', [0, 1]],
        ['c', []],
        ['d', []],
      ]),
    );
  });

  it('gives all shards to one of those that want all, and the others wait', () => {
    const all = [0, 1];
    const first = assignShards([member('b', all, [], 2), member('a', all, [], 2)]);
    expect(first).toEqual(
      new Map([
        ['a', all],
        ['b', []],
      ]),
    );
    // In the next generation each says what it got: it stays so.
    const next = assignShards([...first].map(([id, holds]) => member(id, all, holds, 2)));
    expect(next).toEqual(first);
  });

  it('makes one owner of two members that an older leader gave a share each', () => {
    const all = [0, 1];
    const owned = assignShards([member('a', all, [0], 2), member('b', all, [1], 2)]);
    expect([...owned.values()]).toEqual([all, []]);
  });

  it('does not let a member that waits for one shard keep another from its own', () => {
    const owned = assignShards([member('a', [0, 1], [0]), member('b', [1], [1]), member('c', [0])]);
    expect(owned).toEqual(
      new Map([
        ['a', []],
        ['b', [1]],
        ['c', [0]],
      ]),
    );
  });

  it('gives each member all that it wants or nothing, no shard twice, and never leaves out one that could have all', () => {
    const shards = fc.uniqueArray(fc.nat(5), { maxLength: 6 });
    fc.assert(
      fc.property(fc.array(shards, { minLength: 1, maxLength: 5 }), (wishes) => {
        const members = wishes.map((wants, i) => member(`m${i}`, wants, [], 6));
        const owned = assignShards(members);
        const given = [...owned.values()].flat();
        expect(new Set(given).size).toBe(given.length);
        for (const { memberId, wants } of members) {
          const got = owned.get(memberId)!;
          if (got.length > 0) expect(got).toEqual(wants);
          else if (wants.length > 0) expect(wants.some((shard) => given.includes(shard))).toBe(true);
        }
        // Whoever has all that it wants keeps it, whatever it is called and whoever comes.
        const again = members.map((of, i) => ({ ...of, memberId: `z${9 - i}`, holds: owned.get(of.memberId)! }));
        const kept = assignShards([...again, member('a', [0, 1, 2, 3, 4, 5], [], 6)]);
        for (const { memberId, holds } of again) if (holds.length > 0) expect(kept.get(memberId)).toEqual(holds);
      }),
    );
  });

  it('survives the way through the group protocol', () => {
    const { memberId: _, ...data } = member('a', [0, 2], [2]);
    expect(decodeMember('a', encodeMember('topic', data))).toEqual(member('a', [0, 2], [2]));
    expect(decodeAssignment(encodeAssignment('topic', [1], 4, [0, 1, 2, 5]))).toEqual([1]);
    expect(decodeAssignment(Buffer.alloc(0))).toEqual([]);
  });
});
