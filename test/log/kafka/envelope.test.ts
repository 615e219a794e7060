import { describe, expect, it } from 'vitest';
import {
  createEnvelopeReader,
  type Envelope,
  type EnvelopeOptions,
  encodingOf,
} from '../../../src/log/kafka/envelope.ts';
import { readRecords, recordSet } from '../../../src/log/kafka/record-batch.ts';
import { pushBytes } from '../../../src/log/kafka/sink.ts';
import { encodeBatch, sealed, type TestRecord } from './batches.ts';

const OTLP = Buffer.from([0x0a, 3, 1, 2, 3]);

async function open(
  record: TestRecord,
  options: Partial<EnvelopeOptions> = {},
): Promise<Pick<Envelope, 'tenant' | 'encoding' | 'bytes'> | string> {
  const reader = createEnvelopeReader({
    encoding: 'auto',
    isTenantId: (tenant) => tenant.length > 0 && !tenant.includes('/'),
    ...options,
  });
  let result: Pick<Envelope, 'tenant' | 'encoding' | 'bytes'> | string = 'nothing';
  const record2 = (view: Parameters<typeof reader.open>[0]) => {
    const envelope = reader.open(view);
    result =
      typeof envelope === 'string'
        ? envelope
        : {
            tenant: envelope.tenant,
            encoding: envelope.encoding,
            bytes: Buffer.from(envelope.bytes.subarray(envelope.start, envelope.end)),
          };
    return true;
  };
  readRecords(
    recordSet(await encodeBatch([record]), []),
    0,
    { record: record2, skipped: () => undefined },
    { checkCrcs: true },
  );
  return result;
}

describe('the envelope of a record', () => {
  it('takes the tenant of push-bytes from the key, else from the header, else there is only one', async () => {
    const value = pushBytes(OTLP);
    expect(await open({ value, key: 'k', headers: { 'X-Scope-OrgID': 'h' } })).toEqual({
      tenant: 'k',
      encoding: 'push-bytes',
      bytes: value,
    });
    expect(await open({ value, headers: { 'X-Scope-OrgID': 'h' } })).toMatchObject({ tenant: 'h' });
    expect(await open({ value })).toMatchObject({ tenant: 'single-tenant' });
  });

  it('is of the one tenant, whatever key and header say, where there is only one', async () => {
    const options = { isSingleTenant: true };
    const headers = { 'X-Scope-OrgID': 'h' };
    expect(await open({ value: pushBytes(OTLP), key: 'k', headers }, options)).toMatchObject({
      tenant: 'single-tenant',
    });
    expect(await open({ value: OTLP, headers }, options)).toMatchObject({ tenant: 'single-tenant' });
  });

  it('leaves a value to the transcoder that knows more encodings, when it is to be told apart', async () => {
    const transcode = (encoding: string, bytes: Uint8Array) => ({
      encoding: 'otlp' as const,
      bytes: Buffer.from(`${encoding}:${bytes.length}`),
    });
    expect(await open({ value: OTLP }, { transcode })).toMatchObject({ bytes: Buffer.from('auto:5') });
  });

  it('takes the tenant of OTLP from the header, whatever its case and place, and never from the key', async () => {
    expect(await open({ value: OTLP, key: 'a trace id' })).toMatchObject({ tenant: 'single-tenant', encoding: 'otlp' });
    for (const name of ['X-Scope-OrgID', 'x-scope-orgid', 'X-SCOPE-ORGID']) {
      expect(await open({ value: OTLP, headers: { traceparent: '00-1', [name]: 'team', later: 'x' } })).toMatchObject({
        tenant: 'team',
      });
    }
  });

  it('gives a record of a tenant that can not be to nobody', async () => {
    expect(await open({ value: OTLP, headers: { 'X-Scope-OrgID': 'a/b' } })).toBe('invalid_tenant');
    expect(await open({ value: pushBytes(OTLP), key: 'a/b' })).toBe('invalid_tenant');
    expect(await open({ value: OTLP, headers: { 'X-Scope-OrgID': '' } })).toBe('invalid_tenant');
  });

  it('is damaged where a header has a name of negative length, which would lead back to itself', async () => {
    // Length, attributes, time, offset, no key, an empty value, two million headers, and a name of -2 bytes.
    const record = Buffer.from([0x14, 0, 0, 0, 0x01, 0, 0xfe, 0xff, 0xff, 0x01, 0x03]);
    const batch = Buffer.concat([(await encodeBatch([{ value: 'x' }])).subarray(0, 61), record]);
    batch.writeInt32BE(batch.length - 12, 8);
    const skips: string[] = [];
    const reader = createEnvelopeReader({ encoding: 'auto', isTenantId: () => true });
    const open = (view: Parameters<typeof reader.open>[0]) => typeof reader.open(view) !== 'string';
    const skipped = (reason: string) => skips.push(reason);
    expect(readRecords(recordSet(sealed(batch), []), 0, { record: open, skipped }, { checkCrcs: true })).toBe(1);
    expect(skips).toEqual(['damaged']);
  });

  it('tells push-bytes and OTLP apart by their first field', () => {
    const of = (bytes: number[]) => encodingOf(Uint8Array.from(bytes), 0, bytes.length);
    expect(of([0x0a, 0])).toBe('otlp');
    expect(of([])).toBe('otlp');
    expect(of([0x12, 0])).toBe('push-bytes');
    expect(of([0x1a, 0])).toBe('push-bytes');
    expect(of([0x28, 1])).toBe('push-bytes');
    expect(of([0x7b])).toBeUndefined();
  });

  it('believes an encoding that is configured', async () => {
    expect(await open({ value: OTLP, key: 'k' }, { encoding: 'push-bytes' })).toMatchObject({
      encoding: 'push-bytes',
      tenant: 'k',
    });
    expect(await open({ value: pushBytes(OTLP), key: 'k' }, { encoding: 'otlp' })).toMatchObject({
      encoding: 'otlp',
      tenant: 'single-tenant',
    });
  });

  it('hands other encodings to the transcoder, and counts what it can not do', async () => {
    const json = Buffer.from('{"resourceSpans":[]}');
    const transcode = (encoding: string, bytes: Uint8Array) => {
      if (bytes[0] !== 0x7b) throw new Error('not JSON');
      return { encoding: 'otlp' as const, bytes: Buffer.from(encoding) };
    };
    expect(await open({ value: json }, { encoding: 'otlp_json', transcode })).toMatchObject({
      bytes: Buffer.from('otlp_json'),
      encoding: 'otlp',
    });
    expect(await open({ value: json }, { transcode })).toMatchObject({ bytes: Buffer.from('auto') });
    expect(await open({ value: OTLP }, { encoding: 'otlp_json', transcode })).toBe('undecodable');
    expect(await open({ value: json })).toBe('undecodable');
    expect(await open({ value: null })).toBe('tombstone');
  });
});
