// Moves all times of an encoded request, so that a request that had to wait for its receiver still tells of now. It reads only
// requests that `encode-request.ts` wrote, and never changes a length.

/** Adds `deltaNano` to the start, end and event times of every span, in place. */
export function shiftTimes(request: Uint8Array, deltaNano: bigint): void {
  const view = new DataView(request.buffer, request.byteOffset, request.byteLength);
  eachField(request, 0, request.length, (tag, at, end) => {
    if (tag === 0x0a) shiftScopes(request, view, at, end, deltaNano);
  });
}

function shiftScopes(bytes: Uint8Array, view: DataView, from: number, to: number, delta: bigint): void {
  eachField(bytes, from, to, (tag, at, end) => {
    if (tag !== 0x12) return;
    eachField(bytes, at, end, (inner, spanAt, spanEnd) => {
      if (inner === 0x12) shiftSpan(bytes, view, spanAt, spanEnd, delta);
    });
  });
}

function shiftSpan(bytes: Uint8Array, view: DataView, from: number, to: number, delta: bigint): void {
  eachField(bytes, from, to, (tag, at, end) => {
    // 7 start and 8 end as fixed64; 11 is an event, whose field 1 is its time.
    if (tag === 0x39 || tag === 0x41) view.setBigUint64(at, view.getBigUint64(at, true) + delta, true);
    else if (tag === 0x5a) {
      eachField(bytes, at, end, (inner, timeAt) => {
        if (inner === 0x09) view.setBigUint64(timeAt, view.getBigUint64(timeAt, true) + delta, true);
      });
    }
  });
}

function eachField(
  bytes: Uint8Array,
  from: number,
  to: number,
  visit: (tag: number, at: number, end: number) => void,
): void {
  let at = from;
  const varint = (): number => {
    let value = 0;
    let scale = 1;
    for (;;) {
      const byte = bytes[at++]!;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
      scale *= 128;
    }
  };
  while (at < to) {
    const tag = varint();
    const type = tag & 7;
    if (type === 0) varint();
    else {
      const length = type === 1 ? 8 : type === 5 ? 4 : varint();
      visit(tag, at, at + length);
      at += length;
    }
  }
}
