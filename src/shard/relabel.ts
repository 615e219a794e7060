// Relabelling of a series before it is sent, as `write_relabel_configs` says it. Pure: the same labels always become the same.
// Source: Prometheus configuration reference, `relabel_config`.

import { createHash } from 'node:crypto';
import { compileWholeRegex, type RegexMatch, type RelabelRule } from '../config/index.ts';

/** Undefined: the series is dropped. May change the map it is given. */
export type Relabel = (labels: Map<string, string>) => Map<string, string> | undefined;

type Step = (labels: Map<string, string>) => boolean;

const LABEL_NAME = /^[a-zA-Z_][a-zA-Z0-9_]*$/;
/** As Go's `Regexp.Expand` reads them: `$1`, `${1}`, `$name`, `${name}`; the longest name counts, `$$` is a dollar sign. */
const REFERENCE = /\$(?:\$|\{([\p{L}\p{Nd}_]+)\}|([\p{L}\p{Nd}_]+))/gu;
/** A number that begins with a zero is a name. */
const NUMBER = /^(?:0|[1-9]\d{0,8})$/;

/** The rules in their order. The schema has checked them. */
export function compileRelabel(rules: readonly RelabelRule[]): Relabel {
  const steps = rules.map(compileRule);
  return (labels) => {
    for (const step of steps) if (!step(labels)) return undefined;
    return labels;
  };
}

/** What one rule does to labels; false: the series is dropped. */
function compileRule(rule: RelabelRule): Step {
  const { action, targetLabel, replacement } = rule;
  const whole = compileWholeRegex(rule.regex);
  const source = (labels: Map<string, string>) =>
    rule.sourceLabels.map((name) => labels.get(name) ?? '').join(rule.separator);
  const change = (work: (labels: Map<string, string>) => void): Step => {
    return (labels) => {
      work(labels);
      return true;
    };
  };
  switch (action) {
    case 'keep':
      return (labels) => whole.test(source(labels));
    case 'drop':
      return (labels) => !whole.test(source(labels));
    case 'keepequal':
      return (labels) => source(labels) === (labels.get(targetLabel) ?? '');
    case 'dropequal':
      return (labels) => source(labels) !== (labels.get(targetLabel) ?? '');
    case 'replace':
      return change((labels) => {
        const match = whole.match(source(labels));
        if (match === undefined) return;
        const target = expand(targetLabel, match);
        if (LABEL_NAME.test(target)) put(labels, target, expand(replacement, match));
      });
    case 'lowercase':
      return change((labels) => put(labels, targetLabel, source(labels).toLowerCase()));
    case 'uppercase':
      return change((labels) => put(labels, targetLabel, source(labels).toUpperCase()));
    case 'hashmod':
      return change((labels) => put(labels, targetLabel, String(hash(source(labels)) % BigInt(rule.modulus))));
    case 'labelmap':
      return change((labels) => {
        for (const [name, value] of [...labels]) {
          const match = whole.match(name);
          const target = match ? expand(replacement, match) : '';
          if (LABEL_NAME.test(target)) put(labels, target, value);
        }
      });
    case 'labeldrop':
      return change((labels) => {
        for (const name of [...labels.keys()]) if (whole.test(name)) labels.delete(name);
      });
    case 'labelkeep':
      return change((labels) => {
        for (const name of [...labels.keys()]) if (!whole.test(name)) labels.delete(name);
      });
  }
}

/** An empty value is no label. */
function put(labels: Map<string, string>, name: string, value: string): void {
  if (value === '') labels.delete(name);
  else labels.set(name, value);
}

function expand(template: string, { groups, named }: RegexMatch): string {
  if (!template.includes('$')) return template;
  return template.replace(REFERENCE, (written: string, braced?: string, bare?: string) => {
    if (written === '$$') return '$';
    const name = braced ?? bare ?? '';
    return (NUMBER.test(name) ? groups[Number(name)] : named[name]) ?? '';
  });
}

/** The last eight bytes of the MD5, big-endian. */
function hash(text: string): bigint {
  return createHash('md5').update(text).digest().readBigUInt64BE(8);
}
