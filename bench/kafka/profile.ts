// Whose time a thread's CPU profile shows: kafkajs's, the log's, the fold's, … Code of Node's own and of the engine counts for
// whoever called it; what nobody called (sockets, timers) is Node's.

/** What `node --cpu-prof` writes. Times in µs of the monotonic clock. */
export interface CpuProfile {
  nodes: ProfileNode[];
  startTime: number;
  samples: number[];
  timeDeltas: number[];
}

interface ProfileNode {
  id: number;
  callFrame: { functionName: string; url: string };
  children?: number[];
}

const IDLE = '(idle)';
const OUTSIDE_JAVASCRIPT: Record<string, string | undefined> = {
  [IDLE]: IDLE,
  '(garbage collector)': 'garbage collector',
  '(program)': 'native code, kernel',
};

/** µs by owner between two times of the monotonic clock, idle time left out. */
export function owners(profile: CpuProfile, fromUs: number, toUs: number): Map<string, number> {
  const ownerOf = ownersOfNodes(profile.nodes);
  const sums = new Map<string, number>();
  let atUs = profile.startTime;
  profile.samples.forEach((id, i) => {
    const us = profile.timeDeltas[i]!;
    atUs += us;
    const owner = ownerOf.get(id)!;
    // Deltas may be negative: samples are not always in order.
    if (owner === IDLE || us <= 0 || atUs < fromUs || atUs >= toUs) return;
    sums.set(owner, (sums.get(owner) ?? 0) + us);
  });
  return sums;
}

function ownersOfNodes(nodes: readonly ProfileNode[]): Map<number, string> {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const found = new Map<number, string>();
  const visit = (node: ProfileNode, caller: string): void => {
    const owner = ownerOf(node.callFrame, caller);
    found.set(node.id, owner);
    for (const id of node.children ?? []) visit(byId.get(id)!, owner);
  };
  if (nodes[0]) visit(nodes[0], 'node');
  return found;
}

function ownerOf({ functionName, url }: ProfileNode['callFrame'], caller: string): string {
  const outside = OUTSIDE_JAVASCRIPT[functionName];
  if (url === '' && outside !== undefined) return outside;
  if (url === 'node:zlib') return 'decompression';
  const dependency = /.*\/node_modules\/([^/]+)\//.exec(url)?.[1];
  if (dependency !== undefined) return dependency;
  if (url.includes('/packages/remote-write-ts/')) return 'remote-write-ts';
  const folder = /\/(?:dist|src)\/(log\/[^/]+|[^/]+)\//.exec(url)?.[1];
  return folder ?? caller;
}
