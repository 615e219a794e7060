// What a page says, whichever format it is written in.

import type { LabelPair, MetricType } from 'remote-write-ts';

export type Format = 'text' | 'openmetrics';

/** What HELP, TYPE and UNIT say of a name; `unknown` and empty texts where they say nothing. */
export interface Family {
  readonly name: string;
  type: MetricType;
  help: string;
  unit: string;
}

export interface PageExemplar {
  /** In the order of the page; no name twice. May be empty. */
  labels: LabelPair[];
  value: number;
  /** Milliseconds since the Unix epoch. */
  timestampMs: number | undefined;
}

export interface PageSample {
  name: string;
  /** In the order of the page, without `__name__`; no name twice. Values may be empty. */
  labels: LabelPair[];
  value: number;
  /** Milliseconds since the Unix epoch. */
  timestampMs: number | undefined;
  exemplar: PageExemplar | undefined;
}

/** A sample with what the page says about it elsewhere. */
export interface Sample extends PageSample {
  family: Family;
  /** When counting began by the page's `_created`, ms since the Unix epoch. */
  createdMs: number | undefined;
}

/** A page as its lines say it. */
export interface PageLines {
  samples: PageSample[];
  families: Map<string, Family>;
}

/** The family of a name, made if it is new. */
export function familyOf(families: Map<string, Family>, name: string): Family {
  let family = families.get(name);
  if (family === undefined) {
    family = { name, type: 'unknown', help: '', unit: '' };
    families.set(name, family);
  }
  return family;
}
