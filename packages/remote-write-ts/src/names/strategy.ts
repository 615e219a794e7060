// The ways in which a name of OpenTelemetry becomes one of Prometheus, under the names that Prometheus gives them.
// Source: Prometheus configuration, `otlp.translation_strategy`.

/**
 * - `UnderscoreEscapingWithSuffixes`: `http.server.duration` in `s` becomes `http_server_duration_seconds`.
 * - `UnderscoreEscapingWithoutSuffixes`: it becomes `http_server_duration`.
 * - `NoUTF8EscapingWithSuffixes`: it becomes `http.server.duration_seconds`.
 * - `NoTranslation`: it stays as it is. Metrics that differ in unit or type alone become one.
 */
export const NAME_TRANSLATIONS = [
  'UnderscoreEscapingWithSuffixes',
  'UnderscoreEscapingWithoutSuffixes',
  'NoUTF8EscapingWithSuffixes',
  'NoTranslation',
] as const;
export type NameTranslation = (typeof NAME_TRANSLATIONS)[number];

export function isNameTranslation(text: string): text is NameTranslation {
  return (NAME_TRANSLATIONS as readonly string[]).includes(text);
}

/** Whether names become legacy ones: letters, digits, underscores, and colons in metric names. */
export function escapes(translation: NameTranslation): boolean {
  return translation === 'UnderscoreEscapingWithSuffixes' || translation === 'UnderscoreEscapingWithoutSuffixes';
}

/** Whether metric names tell unit and type. */
export function addsSuffixes(translation: NameTranslation): boolean {
  return translation === 'UnderscoreEscapingWithSuffixes' || translation === 'NoUTF8EscapingWithSuffixes';
}
