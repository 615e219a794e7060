// Takes a request that was walked before apart by partition: each part has the resource, scope, schema URLs and unknown fields
// of its spans, and the spans' bytes as they came, in their order. Scopes and resources without a span of the part are left out.

/** Byte ranges [from, to) of everything in a message but the children that are being distributed. */
interface Frame {
  ranges: number[];
  size: number;
}
interface Scope extends Frame {
  resource: number;
}

export interface RequestPart {
  partition: number;
  bytes: Uint8Array;
}

const REPEATED_1 = 10;
const REPEATED_2 = 18;

let at = 0;

/** `bytes` must have passed the walk; `partitionOf[i]` is the partition of its ith span. Parts ascend by partition. */
export function rebuild(bytes: Uint8Array, spans: number, partitionOf: Int32Array): RequestPart[] {
  const outline = outlineOf(bytes, spans);
  const order = new Map<number, number[]>();
  for (let i = 0; i < spans; i++) {
    const list = order.get(partitionOf[i]!);
    if (list === undefined) order.set(partitionOf[i]!, [i]);
    else list.push(i);
  }
  return [...order.keys()]
    .sort((a, b) => a - b)
    .map((partition) => ({ partition, bytes: writePart(bytes, outline, order.get(partition)!) }));
}

interface Outline {
  request: Frame;
  resources: Frame[];
  scopes: Scope[];
  /** Per span: its scope, and the range of its bytes with tag and length. */
  scopeOf: Int32Array;
  from: Int32Array;
  to: Int32Array;
}

/** Where everything is. The children that are distributed are found by their tag; what is inside a span is not looked at. */
function outlineOf(buf: Uint8Array, spans: number): Outline {
  const request: Frame = { ranges: [], size: 0 };
  const outline: Outline = {
    request,
    resources: [],
    scopes: [],
    scopeOf: new Int32Array(spans),
    from: new Int32Array(spans),
    to: new Int32Array(spans),
  };
  let span = 0;
  const each = (
    frame: Frame,
    from: number,
    end: number,
    child: number,
    visit: (from: number, body: number, to: number) => void,
  ) => {
    for (let pos = from; pos < end; ) {
      const start = pos;
      const tag = varint(buf, pos);
      const body = skip(buf, tag, at);
      const to = at;
      pos = to;
      if (tag === child) visit(start, body, to);
      else addRange(frame, start, to);
    }
  };
  each(request, 0, buf.length, REPEATED_1, (_, resourceBody, resourceEnd) => {
    const resource: Frame = { ranges: [], size: 0 };
    const index = outline.resources.push(resource) - 1;
    each(resource, resourceBody, resourceEnd, REPEATED_2, (_, scopeBody, scopeEnd) => {
      const scope: Scope = { ranges: [], size: 0, resource: index };
      const scopeIndex = outline.scopes.push(scope) - 1;
      each(scope, scopeBody, scopeEnd, REPEATED_2, (from, _, to) => {
        outline.scopeOf[span] = scopeIndex;
        outline.from[span] = from;
        outline.to[span++] = to;
      });
    });
  });
  return outline;
}

/** Neighbours become one range. */
function addRange(frame: Frame, from: number, to: number): void {
  const { ranges } = frame;
  if (ranges.length > 0 && ranges[ranges.length - 1] === from) ranges[ranges.length - 1] = to;
  else ranges.push(from, to);
  frame.size += to - from;
}

interface Group {
  index: number;
  size: number;
  members: number;
}

/** Sizes first, from the inside out, then one allocation of the exact size and one pass of copies. */
function writePart(bytes: Uint8Array, outline: Outline, spans: readonly number[]): Uint8Array {
  const { request, resources, scopes } = outline;
  const scopeGroups: Group[] = [];
  const resourceGroups: Group[] = [];
  for (const span of spans) {
    const index = outline.scopeOf[span]!;
    let group = scopeGroups.at(-1);
    if (group?.index !== index) {
      group = { index, size: scopes[index]!.size, members: 0 };
      scopeGroups.push(group);
    }
    group.size += outline.to[span]! - outline.from[span]!;
    group.members++;
  }
  for (const scope of scopeGroups) {
    const index = scopes[scope.index]!.resource;
    let group = resourceGroups.at(-1);
    if (group?.index !== index) {
      group = { index, size: resources[index]!.size, members: 0 };
      resourceGroups.push(group);
    }
    group.size += 1 + varintSize(scope.size) + scope.size;
    group.members++;
  }
  let total = request.size;
  for (const group of resourceGroups) total += 1 + varintSize(group.size) + group.size;

  const out = new Uint8Array(total);
  let pos = copyRanges(bytes, request.ranges, out, 0);
  let nextScope = 0;
  let nextSpan = 0;
  for (const resource of resourceGroups) {
    pos = writeHead(out, pos, REPEATED_1, resource.size);
    pos = copyRanges(bytes, resources[resource.index]!.ranges, out, pos);
    for (let s = 0; s < resource.members; s++) {
      const scope = scopeGroups[nextScope++]!;
      pos = writeHead(out, pos, REPEATED_2, scope.size);
      pos = copyRanges(bytes, scopes[scope.index]!.ranges, out, pos);
      const last = nextSpan + scope.members;
      while (nextSpan < last) {
        const from = outline.from[spans[nextSpan]!]!;
        let to = outline.to[spans[nextSpan++]!]!;
        while (nextSpan < last && outline.from[spans[nextSpan]!] === to) to = outline.to[spans[nextSpan++]!]!;
        out.set(bytes.subarray(from, to), pos);
        pos += to - from;
      }
    }
  }
  return out;
}

function copyRanges(bytes: Uint8Array, ranges: readonly number[], out: Uint8Array, pos: number): number {
  for (let i = 0; i < ranges.length; i += 2) {
    out.set(bytes.subarray(ranges[i]!, ranges[i + 1]!), pos);
    pos += ranges[i + 1]! - ranges[i]!;
  }
  return pos;
}

function writeHead(out: Uint8Array, pos: number, tag: number, size: number): number {
  out[pos++] = tag;
  for (; size >= 128; size >>>= 7) out[pos++] = (size & 127) | 128;
  out[pos++] = size;
  return pos;
}

function varintSize(value: number): number {
  let size = 1;
  for (; value >= 128; value >>>= 7) size++;
  return size;
}

/** Of known good bytes; leaves the position after it in `at`. Exact below 2^53, which lengths and tags are. */
function varint(buf: Uint8Array, pos: number): number {
  let byte = buf[pos++]!;
  let value = byte & 127;
  for (let factor = 128; byte >= 128; factor *= 128) {
    byte = buf[pos++]!;
    value += (byte & 127) * factor;
  }
  at = pos;
  return value;
}

/** Returns where the value begins and leaves the position after it in `at`. */
function skip(buf: Uint8Array, tag: number, pos: number): number {
  switch (tag % 8) {
    case 0:
      varint(buf, pos);
      return pos;
    case 1:
      at = pos + 8;
      return pos;
    case 5:
      at = pos + 4;
      return pos;
    default: {
      const size = varint(buf, pos);
      const body = at;
      at = body + size;
      return body;
    }
  }
}
