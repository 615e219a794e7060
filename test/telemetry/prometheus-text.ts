// Reads the Prometheus text format 0.0.4 strictly: what it does not expect is an error. Written from the format's description, not
// from the code under test.

export interface Sample {
  name: string;
  labels: Record<string, string>;
  value: number;
}

export interface Family {
  type: string;
  help: string | undefined;
  samples: Sample[];
}

const SUFFIXES: Record<string, string[]> = {
  summary: ['', '_sum', '_count'],
  histogram: ['_bucket', '_sum', '_count'],
};

export function parseText(text: string): Map<string, Family> {
  if (!text.endsWith('\n')) throw new Error('the last line does not end');
  const families = new Map<string, Family>();
  let help: [name: string, text: string] | undefined;
  let open: [name: string, family: Family] | undefined;
  for (const line of text.split('\n')) {
    if (line === '') continue;
    const comment = /^# (HELP|TYPE) ([a-zA-Z_:][a-zA-Z0-9_:]*) (.*)$/.exec(line);
    if (comment?.[1] === 'HELP') help = [comment[2]!, comment[3]!];
    else if (comment) {
      const name = comment[2]!;
      if (families.has(name)) throw new Error(`${name} has two types`);
      open = [name, { type: comment[3]!, help: help?.[0] === name ? help[1] : undefined, samples: [] }];
      families.set(...open);
    } else {
      const sample = parseSample(line);
      if (!open || !(SUFFIXES[open[1].type] ?? ['']).some((suffix) => sample.name === open![0] + suffix)) {
        throw new Error(`${sample.name} is not below its type`);
      }
      open[1].samples.push(sample);
    }
  }
  return families;
}

function parseSample(line: string): Sample {
  const match = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{((?:[a-zA-Z_]\w*="(?:[^"\\]|\\[\\n"])*",?)*)\})? (\S+)$/.exec(line);
  if (!match) throw new Error(`not a sample: ${line}`);
  const labels: Record<string, string> = {};
  for (const [, name, value] of (match[2] ?? '').matchAll(/([a-zA-Z_]\w*)="((?:[^"\\]|\\[\\n"])*)"/g)) {
    labels[name!] = value!.replace(/\\(.)/g, (_, c: string) => (c === 'n' ? '\n' : c));
  }
  const text = match[3]!;
  const value = text === 'Nan' || text === 'NaN' ? Number.NaN : Number(text.replace('Inf', 'Infinity'));
  if (Number.isNaN(value) && !/^nan$/i.test(text)) throw new Error(`not a number: ${text}`);
  return { name: match[1]!, labels, value };
}
