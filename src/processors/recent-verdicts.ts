// What a question about bytes was answered the last time these bytes came: a regular expression costs several times what a look here
// does, and most spans bring values that were there a moment ago. Never grows: values that fall on the same slot drive each other out.

/** A question about `buf` from `start` to `end`. */
export type BytesTest = (buf: Uint8Array, start: number, end: number) => boolean;

const SLOTS = 512;
/** Longer values are asked about each time. */
const MAX_BYTES = 96;

/** The same answers, as `ask` is asked only about what it was not asked about lately. It must go by the bytes alone. */
export function rememberVerdicts(ask: BytesTest): BytesTest {
  const keys = new Uint8Array(SLOTS * MAX_BYTES);
  const hashes = new Int32Array(SLOTS);
  /** Of the key in the slot; -1: none. */
  const lengths = new Int8Array(SLOTS).fill(-1);
  const verdicts = new Uint8Array(SLOTS);
  return (buf, start, end) => {
    const length = end - start;
    if (length > MAX_BYTES) return ask(buf, start, end);
    let hash = length;
    for (let i = start; i < end; i++) hash = Math.imul(hash ^ buf[i]!, 0x01000193);
    const slot = (hash ^ (hash >>> 15)) & (SLOTS - 1);
    const at = slot * MAX_BYTES;
    if (lengths[slot] === length && hashes[slot] === hash) {
      let i = 0;
      while (i < length && keys[at + i] === buf[start + i]) i++;
      if (i === length) return verdicts[slot] === 1;
    }
    const verdict = ask(buf, start, end);
    for (let i = 0; i < length; i++) keys[at + i] = buf[start + i]!;
    hashes[slot] = hash;
    lengths[slot] = length;
    verdicts[slot] = verdict ? 1 : 0;
    return verdict;
  };
}
