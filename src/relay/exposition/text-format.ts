// The text format, versions 0.0.4 and 1.0.0 (which quotes names that aren't legacy ones). What is a comment, and where
// blanks may stand, is as Prometheus reads it. Source: Prometheus documentation, "Exposition formats".

import type { MetricType } from 'remote-write-ts';
import { Line, shorten, unescapeHelp } from './line.ts';
import { parseMs, parseNumber } from './numbers.ts';
import { type Family, familyOf, type PageLines, type PageSample } from './page.ts';

const TYPES: Readonly<Record<string, MetricType>> = {
  counter: 'counter',
  gauge: 'gauge',
  histogram: 'histogram',
  summary: 'summary',
  untyped: 'unknown',
};

/** @throws ExpositionError */
export function parseTextFormat(text: string): PageLines {
  const samples: PageSample[] = [];
  const families = new Map<string, Family>();
  const line = new Line(text);
  while (line.next()) {
    line.skipBlanks();
    if (line.isAtEnd) continue;
    if (line.skip('#')) readComment(line, families);
    else samples.push(readSample(line));
  }
  return { samples, families };
}

// `#HELP` without a blank, and HELP or TYPE with nothing behind it, are comments like any other.
function readComment(line: Line, families: Map<string, Family>): void {
  if (!line.skipBlanks()) return;
  const keyword = line.token();
  if ((keyword !== 'HELP' && keyword !== 'TYPE') || !line.skipBlanks()) return;
  const family = familyOf(families, line.metricName());
  const hasBlank = line.skipBlanks();
  if (!hasBlank && !line.isAtEnd) line.fail(`expected a blank after the metric name, found ${line.shown()}`);
  if (keyword === 'HELP') {
    family.help = unescapeHelp(line.rest());
    return;
  }
  const word = line.token();
  line.skipBlanks();
  const type = Object.hasOwn(TYPES, word) && line.isAtEnd ? TYPES[word] : undefined;
  family.type = type ?? line.fail(`no metric type: ${shorten(word)}`);
}

function readSample(line: Line): PageSample {
  const { name, labels } = line.series(true);
  const isAfterBrace = line.text[line.at - 1] === '}';
  if (!line.skipBlanks() && !isAfterBrace) line.fail(`expected a value after ${shorten(name)}, found ${line.shown()}`);
  const valueText = line.token();
  const value =
    parseNumber(valueText) ?? line.fail(valueText === '' ? 'a value is missing' : `no number: ${shorten(valueText)}`);
  line.skipBlanks();
  let timestampMs: number | undefined;
  if (!line.isAtEnd) {
    const timestampText = line.token();
    timestampMs = parseMs(timestampText) ?? line.fail(`no timestamp in milliseconds: ${shorten(timestampText)}`);
    line.skipBlanks();
    if (!line.isAtEnd) line.fail(`expected the end of the line, found ${line.shown()}`);
  }
  return { name, labels, value, timestampMs, exemplar: undefined };
}
