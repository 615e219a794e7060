// Relabelling rules, each by what the configuration reference of Prometheus says of it.

import { describe, expect, it } from 'vitest';
import { loadConfig } from '../../src/config/index.ts';
import { compileRelabel } from '../../src/shard/relabel.ts';

/** The labels after the rules, written as in a file; undefined: dropped. */
function relabel(rules: string, labels: Record<string, string>): Record<string, string> | undefined {
  const text = `metrics_generator: {storage: {remote_write: [{url: "http://p", write_relabel_configs: ${rules}}]}}`;
  const { writeRelabelConfigs } = loadConfig({ text }).config.remoteWrite.endpoints[0]!;
  const done = compileRelabel(writeRelabelConfigs)(new Map(Object.entries(labels)));
  return done && Object.fromEntries(done);
}

describe('replace', () => {
  it('writes groups of the joined source labels to the target', () => {
    const rule = `[{source_labels: [a, b], regex: "f(.*);(.*)r", target_label: c, replacement: "\${2}$1$$x"}]`;
    expect(relabel(rule, { a: 'foo', b: 'bar' })).toEqual({ a: 'foo', b: 'bar', c: 'baoo$x' });
  });

  it('changes nothing where the whole value does not match', () => {
    const rule = '[{source_labels: [a], regex: "fo", target_label: c, replacement: x}]';
    expect(relabel(rule, { a: 'foo' })).toEqual({ a: 'foo' });
  });

  it('takes the label away where nothing is left of it', () => {
    expect(relabel('[{source_labels: [missing], target_label: a}]', { a: 'foo' })).toEqual({});
  });

  it('has the defaults of Prometheus: the separator, any value, the whole of it', () => {
    expect(relabel('[{source_labels: [a, b], target_label: c}]', { a: '1', b: '2' })).toMatchObject({ c: '1;2' });
    expect(relabel('[{source_labels: [a, b], separator: "-", target_label: c}]', { a: '1' })).toMatchObject({
      c: '1-',
    });
  });

  it('takes the name of the target from the match too, and leaves it if that is no name', () => {
    const rule = `[{source_labels: [a], regex: "(.*)", target_label: "x_\${1}", replacement: v}]`;
    expect(relabel(rule, { a: 'foo' })).toEqual({ a: 'foo', x_foo: 'v' });
    expect(relabel(rule, { a: 'f-o' })).toEqual({ a: 'f-o' });
  });

  it('reads names of groups as far as they go, and unknown ones as nothing', () => {
    const rule = `[{source_labels: [a], regex: "(?P<first>.)(.*)", target_label: c, replacement: "$first-$2x-\${2}x"}]`;
    expect(relabel(rule, { a: 'foo' })).toMatchObject({ c: 'f--oox' });
  });

  // As Go's Regexp.Expand does.
  it.each([
    ['$1é', ''],
    [`\${1}é`, 'fé'],
    ['$01', ''],
    ['$7|$0', '|foo'],
    ['${1', '${1'],
    [`\${a-b}$`, `\${a-b}$`],
    [`\${}$$1`, `\${}$1`],
    ['$toString|$__proto__', '|'],
  ])('reads the replacement %s as %j', (replacement, wanted) => {
    const rule = JSON.stringify([{ source_labels: ['a'], regex: '(?P<first>.)(.*)', target_label: 'c', replacement }]);
    expect(relabel(rule, { a: 'foo', c: 'x' })!.c ?? '').toBe(wanted);
  });

  it('costs no more than its text is long, whatever clients send', () => {
    const rule = '[{source_labels: [a], regex: "(/?[a-z0-9]+)*/(health)", target_label: c, replacement: $2}]';
    const a = `${'a'.repeat(2048)}!/health`;
    expect(relabel(rule, { a })).toEqual({ a });
    expect(relabel(rule, { a: a.replace('!', '') })).toMatchObject({ c: 'health' });
  });

  it('lets a dot match line breaks', () => {
    expect(
      relabel('[{source_labels: [a], regex: "a.b", target_label: c, replacement: x}]', { a: 'a\nb' }),
    ).toMatchObject({
      c: 'x',
    });
  });
});

describe('keep and drop', () => {
  it('look at the whole value', () => {
    expect(relabel('[{source_labels: [a], regex: "fo+", action: keep}]', { a: 'foo' })).toEqual({ a: 'foo' });
    expect(relabel('[{source_labels: [a], regex: "fo", action: keep}]', { a: 'foo' })).toBeUndefined();
    expect(relabel('[{source_labels: [a], regex: "fo+", action: drop}]', { a: 'foo' })).toBeUndefined();
    expect(relabel('[{source_labels: [a], regex: "fo", action: Drop}]', { a: 'foo' })).toEqual({ a: 'foo' });
  });

  it('compare two labels where they are asked to', () => {
    const labels = { a: '1', b: '1', c: '2' };
    expect(relabel('[{source_labels: [a], target_label: b, action: keepequal}]', labels)).toEqual(labels);
    expect(relabel('[{source_labels: [a], target_label: c, action: keepequal}]', labels)).toBeUndefined();
    expect(relabel('[{source_labels: [a], target_label: b, action: dropequal}]', labels)).toBeUndefined();
    expect(relabel('[{source_labels: [a], target_label: c, action: dropequal}]', labels)).toEqual(labels);
  });

  it('end the rules', () => {
    const rules = '[{source_labels: [a], regex: x, action: drop}, {target_label: a, replacement: x}]';
    expect(relabel(rules, { a: 'x' })).toBeUndefined();
    expect(relabel(rules, { a: 'y' })).toEqual({ a: 'x' });
  });
});

it('hashmod is the last half of the MD5, modulo', () => {
  // md5("foo") = acbd18db4cc2f85c edef654fccc4a4d8
  const wanted = String(0xedef654fccc4a4d8n % 1000n);
  expect(
    relabel('[{source_labels: [a], target_label: s, modulus: 1000, action: hashmod}]', { a: 'foo' }),
  ).toMatchObject({
    s: wanted,
  });
});

it('labelmap, labeldrop and labelkeep go by names', () => {
  const labels = { __name__: 'm', meta_a: '1', meta_b: '2', c: '3' };
  expect(relabel('[{regex: "meta_(.*)", action: labelmap}]', labels)).toEqual({ ...labels, a: '1', b: '2' });
  expect(relabel('[{regex: "meta_.*", action: labeldrop}]', labels)).toEqual({ __name__: 'm', c: '3' });
  expect(relabel('[{regex: "__name__|c", action: labelkeep}]', labels)).toEqual({ __name__: 'm', c: '3' });
});

it('labelmap passes over what would be no name', () => {
  expect(relabel('[{regex: "meta_(.*)", action: labelmap}]', { meta_: '1', 'meta_a-b': '2' })).toEqual({
    meta_: '1',
    'meta_a-b': '2',
  });
});

it('lowercase and uppercase write the source in the other case', () => {
  expect(relabel('[{source_labels: [a], target_label: b, action: lowercase}]', { a: 'FoO' })).toMatchObject({
    b: 'foo',
  });
  expect(relabel('[{source_labels: [a], target_label: a, action: uppercase}]', { a: 'FoO' })).toEqual({ a: 'FOO' });
});
