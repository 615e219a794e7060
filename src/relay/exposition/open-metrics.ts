// OpenMetrics 1.0. The grammar is held to: single blanks, no empty lines, no comments, `# EOF` at the end. The rules about
// meaning (which suffix a type may have, families that don't interleave) are not, as in Prometheus: pages that break them
// are common, and lose nothing. Source: OpenMetrics 1.0, "ABNF".

import { METRIC_TYPES } from 'remote-write-ts';
import { Line, shorten, unescapeAll } from './line.ts';
import { parseNumber, parseSeconds } from './numbers.ts';
import { type Family, familyOf, type PageExemplar, type PageLines, type PageSample } from './page.ts';

/** @throws ExpositionError */
export function parseOpenMetrics(text: string): PageLines {
  const samples: PageSample[] = [];
  const families = new Map<string, Family>();
  const line = new Line(text);
  let hasEnded = false;
  while (line.next()) {
    if (hasEnded) line.fail('there is more after "# EOF"');
    if (line.skip('# EOF') && line.isAtEnd) {
      hasEnded = true;
      continue;
    }
    if (!line.isWhole) line.fail('the page is cut off: it does not end with "# EOF"');
    if (line.isAtEnd) line.fail('a line is empty');
    if (line.skip('# ')) readMetadata(line, families);
    else samples.push(readSample(line));
  }
  if (!hasEnded) {
    line.number++;
    line.fail('the page is cut off: it does not end with "# EOF"');
  }
  return { samples, families };
}

function readMetadata(line: Line, families: Map<string, Family>): void {
  const keyword = ['HELP ', 'TYPE ', 'UNIT '].find((word) => line.skip(word));
  if (keyword === undefined) line.fail(`expected HELP, TYPE, UNIT or EOF, found ${line.shown()}`);
  const family = familyOf(families, line.metricName());
  if (!line.isAtEnd && !line.skip(' ')) line.fail(`expected a blank after the metric name, found ${line.shown()}`);
  const rest = line.rest();
  switch (keyword) {
    case 'HELP ':
      family.help = unescapeAll(rest);
      return;
    case 'TYPE ':
      family.type = METRIC_TYPES.find((known) => known === rest) ?? line.fail(`no metric type: ${shorten(rest)}`);
      return;
    case 'UNIT ':
      if (rest !== '' && !family.name.endsWith(`_${rest}`)) {
        line.fail(`unit ${shorten(rest)} is not the suffix of ${shorten(family.name)}`);
      }
      family.unit = rest;
  }
}

function readSample(line: Line): PageSample {
  const { name, labels } = line.series(false);
  const value = readValue(line);
  let timestampMs: number | undefined;
  let hasExemplar = line.skip(' # ');
  if (!hasExemplar && !line.isAtEnd) {
    timestampMs = readTimestamp(line);
    hasExemplar = line.skip(' # ');
  }
  const exemplar = hasExemplar ? readExemplar(line) : undefined;
  if (!line.isAtEnd) line.fail(`expected the end of the line, found ${line.shown()}`);
  return { name, labels, value, timestampMs, exemplar };
}

function readExemplar(line: Line): PageExemplar {
  const { labels } = line.labelSet(false, false);
  const value = readValue(line);
  return { labels, value, timestampMs: line.isAtEnd ? undefined : readTimestamp(line) };
}

function readValue(line: Line): number {
  if (!line.skip(' ')) line.fail(`expected a blank and a value, found ${line.shown()}`);
  const text = line.token();
  return parseNumber(text) ?? line.fail(text === '' ? 'a value is missing' : `no number: ${shorten(text)}`);
}

function readTimestamp(line: Line): number {
  if (!line.skip(' ')) line.fail(`expected a blank, found ${line.shown()}`);
  const text = line.token();
  return parseSeconds(text) ?? line.fail(`no timestamp in seconds: ${shorten(text)}`);
}
