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

  it('gives each wanted shard to exactly one member that wants it, evenly where all want all', () => {
    const shards = fc.uniqueArray(fc.nat(5), { maxLength: 6 });
    fc.assert(
      fc.property(fc.array(shards, { minLength: 1, maxLength: 5 }), (wishes) => {
        const members = wishes.map((wants, i) => member(`m${i}`, wants, [], 6));
        const owned = assignShards(members);
        for (let shard = 0; shard < 6; shard++) {
          const owners = members.filter(({ memberId }) => owned.get(memberId)!.includes(shard));
          expect(owners).toHaveLength(wishes.some((wants) => wants.includes(shard)) ? 1 : 0);
          expect(owners.every(({ wants }) => wants.includes(shard))).toBe(true);
        }
      }),
    );
    const all = [0, 1, 2, 3, 4, 5];
    const even = assignShards([member('a', all, [], 6), member('b', all, [], 6), member('c', all, [], 6)]);
    expect([...even.values()].map(({ length }) => length)).toEqual([2, 2, 2]);
  });

  it('survives the way through the group protocol', () => {
    const { memberId: _, ...data } = member('a', [0, 2], [2]);
    expect(decodeMember('a', encodeMember('topic', data))).toEqual(member('a', [0, 2], [2]));
    expect(decodeAssignment(encodeAssignment('topic', [1], 4, [0, 1, 2, 5]))).toEqual([1]);
    expect(decodeAssignment(Buffer.alloc(0))).toEqual([]);
  });
});
