// Units of UCUM in the words of Prometheus. Source: OpenTelemetry, "Prometheus and OpenMetrics Compatibility", and what
// Prometheus itself makes of them.

import { escapes, type NameTranslation } from './strategy.ts';

/** `1` has no word: what it means depends on the type. `tibibytes` is misspelt, but that is the name Prometheus gives. */
const WORDS = new Map([
  ['d', 'days'],
  ['h', 'hours'],
  ['min', 'minutes'],
  ['s', 'seconds'],
  ['ms', 'milliseconds'],
  ['us', 'microseconds'],
  ['ns', 'nanoseconds'],
  ['By', 'bytes'],
  ['KiBy', 'kibibytes'],
  ['MiBy', 'mebibytes'],
  ['GiBy', 'gibibytes'],
  ['TiBy', 'tibibytes'],
  ['KBy', 'kilobytes'],
  ['MBy', 'megabytes'],
  ['GBy', 'gigabytes'],
  ['TBy', 'terabytes'],
  ['m', 'meters'],
  ['V', 'volts'],
  ['A', 'amperes'],
  ['J', 'joules'],
  ['W', 'watts'],
  ['g', 'grams'],
  ['Cel', 'celsius'],
  ['Hz', 'hertz'],
  ['1', ''],
  ['%', 'percent'],
]);

/** Behind a slash, where `m` is a minute. */
const PER_WORDS = new Map([
  ['s', 'second'],
  ['m', 'minute'],
  ['h', 'hour'],
  ['d', 'day'],
  ['w', 'week'],
  ['mo', 'month'],
  ['y', 'year'],
]);

/** Either part is empty if there is none. */
export interface UnitWords {
  /** `bytes` of `By/s`. */
  main: string;
  /** `per_second` of `By/s`. */
  per: string;
}

/** What stands in braces is no unit; a unit that isn't known is its own word. */
export function unitWords(unit: string, translation: NameTranslation): UnitWords {
  const slash = unit.indexOf('/');
  const main = word(slash === -1 ? unit : unit.slice(0, slash), WORDS);
  const perWord = slash === -1 ? '' : word(unit.slice(slash + 1), PER_WORDS);
  const per = perWord === '' ? '' : `per_${perWord}`;
  if (!escapes(translation)) return { main, per };
  const legacyPer = withoutTail(legacyUnit(per));
  // `mm[Hg]` ends with an underscore, and a metric name with it, as Prometheus has it.
  const legacyMain = legacyPer === '' || legacyPer === 'per' ? legacyUnit(main) : withoutTail(legacyUnit(main));
  return { main: legacyMain, per: legacyPer === 'per' ? '' : legacyPer };
}

/** The unit as metadata have it: `bytes_per_second` for `By/s`, nothing for `1`. */
export function translateUnit(unit: string, translation: NameTranslation): string {
  const { main, per } = unitWords(unit, translation);
  return [escapes(translation) ? withoutTail(main) : main, per].filter((part) => part !== '').join('_');
}

function word(unit: string, words: ReadonlyMap<string, string>): string {
  const trimmed = unit.trim();
  return /[{}]/.test(trimmed) ? '' : (words.get(trimmed) ?? trimmed);
}

function legacyUnit(unit: string): string {
  return unit.replace(/[^a-zA-Z0-9:]+/gu, '_').replace(/^_/, '');
}

function withoutTail(unit: string): string {
  return unit.replace(/_$/, '');
}
