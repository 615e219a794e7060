// What the rules over labels count about themselves; they outlive the rules, which come and go with the settings.

export class LabelCounters {
  /** Spans and edges whose name has a template (in a dry run: would have been replaced by it). */
  spansSanitized = 0;
  patternsDetected = 0;
  patternsEvicted = 0;
  /** Names that were not looked at, as they are too short or too long. */
  tooFewTokens = 0;
  tooManyTokens = 0;
  /** Values replaced, by label name; `*`: of labels that there are too many of. */
  readonly valuesLimited = new Map<string, number>();
}
