// How many spans a sampled span stands for.

import type { Attributes, Span } from './request.ts';

export interface WeightSettings {
  spanMultiplierKey: string;
  enableTracestateSpanMultiplier: boolean;
}

export function weightOf(settings: WeightSettings, resource: Attributes, span: Span): number {
  const byState = settings.enableTracestateSpanMultiplier ? weightOfState(span.state) : undefined;
  if (byState !== undefined) return byState;
  const ratios = [...span.attributes, ...resource].filter(([key]) => key === settings.spanMultiplierKey);
  const ratio = ratios.find(([, value]) => typeof value === 'number' && value > 0)?.[1] as number | undefined;
  return ratio === undefined || settings.spanMultiplierKey === '' ? 1 : 1 / ratio;
}

/** By the `th` and `rv` of the first entry `ot=…`; undefined: it says nothing, or nothing valid. */
export function weightOfState(state: string): number | undefined {
  const entries = state.split(',').map((entry) => entry.trim());
  const value = entries.find((entry) => entry.startsWith('ot='))?.slice('ot='.length);
  if (value === undefined || value.length > 256) return undefined;
  const members = value.split(';').map((member) => /^([a-z][a-z0-9]*):([A-Za-z0-9._-]*)$/.exec(member));
  if (members.includes(null)) return undefined;
  const held = (name: string) => members.find((member) => member![1] === name)?.[2];
  const threshold = held('th');
  const random = held('rv');
  if (random !== undefined && !/^[0-9a-f]{14}$/.test(random)) return undefined;
  if (threshold === undefined || !/^[0-9a-f]{1,14}$/.test(threshold)) return undefined;
  const weight = 2 ** 56 / Number(2n ** 56n - BigInt(`0x${threshold.padEnd(14, '0')}`));
  const whole = Math.floor(weight);
  if (random === undefined || weight === whole) return weight;
  const isUp = Number(BigInt(`0x${random}`) >> 3n) / 2 ** 53 < weight - whole;
  return isUp ? whole + 1 : whole;
}
