// Relabelling of a series before it is sent, as `write_relabel_configs` says it. Pure: the same labels always become the same.
// Source: Prometheus configuration reference, `relabel_config`.

import { createHash } from 'node:crypto';
import { compileRegex, type RelabelRule } from '../config/index.ts';

/** Undefined: the series is dropped. May change the map it is given. */
export type Relabel = (labels: Map<string, string>) => Map<string, string> | undefined;

type Step = (labels: Map<string, string>) => boolean;

const LABEL_NAME = /^[a-zA-Z_][a-zA-Z0-9_]*$/;
/** `$1`, `${1}`, `$name`, `${name}`; the longest name counts, `$$` is a dollar sign. */
const REFERENCE = /\$(?:\$|\{(\w+)\}|(\w+))/g;

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
  const regex = compileRegex(`(?s:${rule.regex})`);
  const whole = new RegExp(`^(?:${regex.source})$`, regex.flags);
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
        const match = whole.exec(source(labels));
        if (!match) return;
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
          const match = whole.exec(name);
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

function expand(template: string, match: RegExpExecArray): string {
  if (!template.includes('$')) return template;
  return template.replace(REFERENCE, (written: string, braced?: string, bare?: string) => {
    if (written === '$$') return '$';
    const name = braced ?? bare ?? '';
    return (/^\d+$/.test(name) ? match[Number(name)] : match.groups?.[name]) ?? '';
  });
}

/** The last eight bytes of the MD5, big-endian. */
function hash(text: string): bigint {
  return createHash('md5').update(text).digest().readBigUInt64BE(8);
}
