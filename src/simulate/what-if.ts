// "Which series would these spans make?": a file of spans through the real fold with a spanmill configuration, at one moment.

import { readFileSync } from 'node:fs';
import { type Config, resolveTenant } from '../config/index.ts';
import { Fold, type TenantFold } from '../fold/index.ts';
import { DecodeError, Decoder, ExtractionPlan } from '../otlp/index.ts';
import { transcodeJson } from '../otlp/json/index.ts';
import { INSTANCE_LABEL, TenantImage } from '../registry/index.ts';
import { splitMessages } from './case.ts';
import { type SeriesView, viewSeries } from './series-view.ts';

export interface WhatIf {
  atMs: number;
  series: SeriesView[];
  tenant: TenantFold;
}

/** A file that holds no spans in a form that is understood. */
export class SpansFileError extends Error {}

/**
 * @param path OTLP JSON (one request, or one per line), a protobuf ExportTraceServiceRequest, or length-delimited ones
 * @param atMs the moment at which the spans arrive; by default the newest span's end
 * @param instance value of the label that tells instances apart; by default the series have none
 */
export function whatIf(
  config: Config,
  path: string,
  atMs?: number,
  tenant = 'single-tenant',
  instance?: string,
): WhatIf {
  const messages = readSpans(path);
  const at = atMs ?? newestEndMs(messages);
  const settings = resolveTenant(config, tenant);
  const fold = new Fold({ settingsOf: () => settings, originMs: at });
  const tenantFold = fold.tenant(tenant);
  for (const message of messages) fold.push(tenant, at, at, message, false);
  // Halves that wait become virtual edges or expire before the answer is given.
  const doneMs = at + settings.serviceGraphs.waitMs + 4_000;
  fold.advance(doneMs);
  const image = new TenantImage();
  for (const section of fold.collect(doneMs)) if (section.meta['holder'] === 'rows') image.apply(section);
  return {
    atMs: at,
    series: viewSeries(image, instance === undefined ? {} : { [INSTANCE_LABEL]: instance }),
    tenant: tenantFold,
  };
}

function readSpans(path: string): Uint8Array[] {
  const bytes = new Uint8Array(readFileSync(path));
  // The binary forms first: a request may well begin with bytes that look like a line break and a brace, JSON is never a request.
  const whole = tryMessages([bytes]);
  if (whole) return whole;
  try {
    const delimited = tryMessages(splitMessages(bytes, path));
    if (delimited) return delimited;
  } catch {
    // Not delimited.
  }
  const first = bytes.find((b) => b > 0x20);
  if (first === undefined) throw new SpansFileError(`${path}: is empty`);
  if (first === 0x7b) return readJson(bytes, path);
  throw new SpansFileError(`${path}: neither OTLP JSON, nor an ExportTraceServiceRequest, nor length-delimited ones`);
}

function readJson(bytes: Uint8Array, path: string): Uint8Array[] {
  try {
    return [transcodeJson(bytes)];
  } catch (whole) {
    const lines = Buffer.from(bytes)
      .toString('utf8')
      .split('\n')
      .filter((line) => line.trim() !== '');
    if (lines.length < 2)
      throw new SpansFileError(`${path}: ${whole instanceof Error ? whole.message : whole}`, { cause: whole });
    return lines.map((line, i) => {
      try {
        return transcodeJson(Buffer.from(line));
      } catch (cause) {
        throw new SpansFileError(`${path}:${i + 1}: ${cause instanceof Error ? cause.message : cause}`, { cause });
      }
    });
  }
}

function tryMessages(messages: Uint8Array[]): Uint8Array[] | undefined {
  const decoder = new Decoder(new ExtractionPlan([]));
  try {
    let spans = 0;
    for (const message of messages) spans += decoder.decode(message).count;
    return spans > 0 ? messages : undefined;
  } catch (error) {
    if (error instanceof DecodeError) return undefined;
    throw error;
  }
}

/** The newest end of a span in the messages, ms (rounded up). */
export function newestEndMs(messages: readonly Uint8Array[]): number {
  const decoder = new Decoder(new ExtractionPlan([]));
  let newest = 0;
  for (const message of messages) {
    const batch = decoder.decode(message);
    for (let i = 0; i < batch.count; i++)
      newest = Math.max(newest, (batch.endHigh[i]! * 4294967296 + batch.endLow[i]!) / 1e6);
  }
  return Math.ceil(newest);
}
