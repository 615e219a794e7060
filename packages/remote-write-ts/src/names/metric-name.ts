// The name of a metric: what is illegal in it, and the suffixes that tell its unit and type. It must give the names that
// Prometheus gives to the same metrics when they come by OTLP, its oddities included.

import { LabelError, type MetricType } from '../labels/index.ts';
import { addsSuffixes, escapes, type NameTranslation } from './strategy.ts';
import { type UnitWords, unitWords } from './units.ts';

/** A metric as OpenTelemetry describes it. */
export interface OtelMetric {
  name: string;
  /** In UCUM: `s`, `By`, `1`, `{request}`, `By/s`. */
  unit?: string;
  /** `counter` is a monotonic sum. A sum that isn't monotonic is `unknown` here: a `gauge` of unit `1` would be a ratio. */
  type?: MetricType;
}

/**
 * A suffix that is there isn't added, but for `per_second` and its like where names are escaped: as in Prometheus,
 * `rate_per_second` in `1/s` becomes `rate_per_second_per_second`.
 * @throws LabelError `untranslatable_name` if nothing is left of the name.
 */
export function translateMetricName({ name, unit = '', type }: OtelMetric, translation: NameTranslation): string {
  const suffixes = addsSuffixes(translation) ? suffixesOf(unit, type, translation) : NO_SUFFIXES;
  const translated = escapes(translation)
    ? legacyName(name, suffixes, addsSuffixes(translation))
    : withSuffixes(name, suffixes);
  if (translated === '' || (translated !== name && /^_*$/.test(translated))) {
    throw new LabelError('untranslatable_name', 'nothing is left of the metric name where it must be a legacy one');
  }
  return translated;
}

interface Suffixes extends UnitWords {
  /** `total`, `ratio` or nothing. */
  type: string;
}

const NO_SUFFIXES: Suffixes = { main: '', per: '', type: '' };

function suffixesOf(unit: string, type: MetricType | undefined, translation: NameTranslation): Suffixes {
  const ofType = type === 'counter' ? 'total' : type === 'gauge' && unit === '1' ? 'ratio' : '';
  return { ...unitWords(unit, translation), type: ofType };
}

function legacyName(name: string, { main, per, type }: Suffixes, isWhole: boolean): string {
  // Underscores that were there are kept only where nothing else changes.
  const parts = name.split(isWhole ? /[^a-zA-Z0-9:]+/u : /[^a-zA-Z0-9:_]+/u).filter((part) => part !== '');
  if (main !== '' && !parts.includes(main)) parts.push(main);
  if (per !== '') parts.push(per);
  // Wherever it stood, it stands at the end now.
  const joined = type === '' ? parts : [...parts.filter((part) => part !== type), type];
  const legacy = joined.join('_');
  return /^[0-9]/.test(legacy) ? `_${legacy}` : legacy;
}

function withSuffixes(name: string, { main, per, type }: Suffixes): string {
  let base = withoutSuffix(withoutSuffix(name, type), per);
  if (main !== '' && !base.endsWith(main)) base += `_${main}`;
  return [base, per, type].filter((part) => part !== '').join('_');
}

/** With the character before it, whichever it is, unless that belongs to the word. */
function withoutSuffix(name: string, suffix: string): string {
  if (suffix === '' || !name.endsWith(suffix)) return name;
  const base = name.slice(0, -suffix.length);
  return /.[^\p{L}\p{N}]$/u.test(base) ? base.slice(0, -1) : name;
}
