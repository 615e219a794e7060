// The reference page of `semconv.aliases`, made from its table.

import { SEMCONV_ALIASES } from '../src/processors/index.ts';
import type { Artifact } from './generate.ts';

export function semconvArtifacts(): Artifact[] {
  const rows = Object.entries(SEMCONV_ALIASES).flatMap(([today, before]) =>
    before.map(({ key, values }) => {
      const spelt = Object.entries(values ?? {}).map(([old, now]) => `\`${old}\` → \`${now}\``);
      return `| \`${today}\` | \`${key}\` | ${spelt.length === 0 ? 'the same' : spelt.join(', ')} |`;
    }),
  );
  return [{ path: 'docs/reference/semconv-aliases.md', text: `${INTRODUCTION}${rows.join('\n')}\n` }];
}

const INTRODUCTION = `# Names that attributes have had

Generated from \`src/processors/semconv-aliases.ts\` by \`npm run generate\`.

OpenTelemetry renames attributes now and then, and services follow at their own pace. With

\`\`\`yaml
semconv:
  aliases: on
\`\`\`

a dimension (and a source of a dimension mapping, a peer or database attribute of the service graph, a key of a filter policy) matches each of
the names below that mean the same. Labels keep the name that is configured, and values are spelt as that name spells them: with the
dimension \`db.system\`, a span that says \`db.system.name: microsoft.sql_server\` counts as \`db_system="mssql"\`, so a service that changes its
instrumentation goes on with its series.

The configured name itself comes first, wherever it stands; then today's, then those from before, in this order. Off by default: Tempo looks at the
configured name alone. Attributes of span events, target info, host identifiers and multipliers are always looked up by the configured name.

\`net.peer.name\` and \`net.host.name\` are not here: what they became depends on the kind of the span.

| today | before | values |
|---|---|---|
`;
