// OTLP/JSON in, OTLP protobuf out (OTLP specification, JSON Protobuf Encoding). Unknown fields are ignored, null is absent,
// names may be lowerCamelCase or as in the .proto files, enums numbers or names. Must never lose a digit of a 64-bit number.

import { DigitsLost, encodeRequest } from './encode.ts';
import { OtlpJsonError } from './errors.ts';

export interface TranscodeOptions {
  /**
   * `plain` (the default): canonical protobuf, fields ascending, nothing written that is absent.
   * `collector`: the bytes that the OpenTelemetry collector's encoder makes of the same request: fields descending; `resource`,
   * `scope`, `status`, ids and the `value` of an attribute always written, empty if they are absent.
   */
  profile?: 'plain' | 'collector';
  /** Called before a second parse, which takes ten times as long and several times the memory. What it throws ends the call. */
  onSecondParse?(): void;
}

const decoder = new TextDecoder();

/**
 * One ExportTraceServiceRequest. Bytes that are not UTF-8 and surrogates without a partner become U+FFFD.
 * @throws OtlpJsonError, what `onSecondParse` throws
 */
export function transcodeJson(body: Uint8Array, options: TranscodeOptions = {}): Uint8Array {
  const collector = options.profile === 'collector';
  const text = decoder.decode(body);
  try {
    return encodeRequest(parse(text), { collector, needDigits: true });
  } catch (error) {
    // Rare: 64-bit numbers that are not in quotes. The second parse is slower, and keeps their digits.
    if (!(error instanceof DigitsLost)) throw error;
    options.onSecondParse?.();
    return encodeRequest(parse(text, keepDigits), { collector, needDigits: false });
  }
}

/**
 * The same for JSON that was parsed already; numbers beyond 2^53 have lost their last digits by then.
 * @throws OtlpJsonError
 */
export function transcodeRequestObject(value: unknown, options: TranscodeOptions = {}): Uint8Array {
  return encodeRequest(value, { collector: options.profile === 'collector', needDigits: false });
}

type Reviver = (this: unknown, key: string, value: unknown, context?: { source?: string }) => unknown;

function parse(text: string, reviver?: Reviver): unknown {
  try {
    return reviver === undefined
      ? JSON.parse(text)
      : JSON.parse(text, reviver as (key: string, value: unknown) => unknown);
  } catch (error) {
    if (error instanceof SyntaxError) {
      throw new OtlpJsonError('syntax', '', `not JSON: ${error.message.slice(0, 200)}`, { cause: error });
    }
    // Only the stack can run out here: the second parse visits every value by recursion.
    throw new OtlpJsonError('depth', '', 'nested too deeply', { cause: error });
  }
}

/** JSON.parse passes the source text of a number since V8 11.4. */
function keepDigits(_key: string, value: unknown, context?: { source?: string }): unknown {
  if (typeof value !== 'number' || Number.isSafeInteger(value) || context?.source === undefined) return value;
  return /^-?\d{1,20}$/.test(context.source) ? BigInt(context.source) : value;
}
