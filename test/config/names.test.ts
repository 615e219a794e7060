import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { dimensionLabelName, mappingCollisions, parsePolicyKey, sanitizeLabelName } from '../../src/config/index.ts';

describe('label names', () => {
  it.each([
    ['http.method', 'http_method'],
    ['9digit', '9digit'],
    ['a..b', 'a__b'],
    ['UPPER.Case', 'UPPER_Case'],
    ['emoji.😀.x', 'emoji___x'],
    ['日本', '__'],
    ['', ''],
  ])('sanitizes "%s" to "%s"', (name, label) => {
    expect(sanitizeLabelName(name)).toBe(label);
  });

  it('puts one underscore for each foreign code point, whatever the name', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (name) => {
        const label = sanitizeLabelName(name);
        expect(label).toMatch(/^[a-zA-Z0-9_]*$/);
        expect(label.length).toBe([...name].length);
      }),
    );
  });

  it('puts two underscores before a dimension that an intrinsic owns', () => {
    expect(dimensionLabelName('span.kind')).toBe('__span_kind');
    expect(dimensionLabelName('job')).toBe('job');
  });

  it('finds mappings whose label is taken by a dimension or an earlier mapping', () => {
    const mapping = (name: string) => ({ name, sourceLabels: ['a'], join: '' });
    const found = mappingCollisions(
      ['http.method', 'http_method'],
      [mapping('http_method'), mapping('x'), mapping('x'), mapping('service')],
    );
    expect(found.map(({ index }) => index)).toEqual([0, 2]);
    expect(found[0]!.message).toContain('dimension "http_method"');
  });
});

describe('keys of filter policies', () => {
  it.each([
    ['kind', { intrinsic: 'kind' }],
    ['span:status', { intrinsic: 'status' }],
    [' name ', { intrinsic: 'name' }],
    ['span.http.method', { scope: 'span', attribute: 'http.method' }],
    ['resource.9x/y-z', { scope: 'resource', attribute: '9x/y-z' }],
    ['span."my key"', { scope: 'span', attribute: 'my key' }],
    ['span.a."b c".d', { scope: 'span', attribute: 'a.b c.d' }],
    ['span."say \\"hi\\""', { scope: 'span', attribute: 'say "hi"' }],
    ['parent.span.x', { scope: 'span', attribute: 'x' }],
    ['parent.resource.x', { scope: 'resource', attribute: 'x' }],
  ])('reads %s', (key, expected) => {
    expect(parsePolicyKey(key)).toEqual(expected);
  });

  it.each([
    '',
    'span.',
    '.foo',
    'foo',
    'parent.foo',
    'duration',
    'statusMessage',
    'trace:id',
    'event.x',
    'span.a b',
    'span.a=b',
    'span."a',
    'kind = server',
  ])('refuses "%s"', (key) => {
    expect(() => parsePolicyKey(key)).toThrow(key === '' ? /policy key/ : key.trim().slice(0, 4));
  });
});
