// The order of labels: by the bytes of the UTF-8 name. It must never be JavaScript's own order, which compares UTF-16
// units and so puts U+10000 (units D800 DC00) before U+FFFD.

/**
 * Compares two strings as their UTF-8 bytes compare, without encoding them. For well-formed strings: a lone surrogate is
 * ordered by its code point.
 * @returns negative, zero or positive, as for `Array.prototype.sort`.
 */
export function compareUtf8(a: string, b: string): number {
  const shared = Math.min(a.length, b.length);
  for (let i = 0; i < shared; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x !== y) return rank(x) - rank(y);
  }
  return a.length - b.length;
}

// UTF-8 sorts by code point, and every surrogate stands for a code point above U+FFFF: lift them over E000..FFFF.
function rank(unit: number): number {
  if (unit < 0xd800) return unit;
  return unit < 0xe000 ? unit + 0x2000 : unit - 0x800;
}
