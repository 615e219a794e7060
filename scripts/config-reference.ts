// docs/reference/configuration.md: a table for each block, then what is accepted and ignored, then what is refused.

import type { z } from 'zod';
import { configFile } from '../src/config/schema/file.ts';
import { elementOf, look, shapeOf } from '../src/config/schema/inspect.ts';
import { tenantFile } from '../src/config/schema/overrides.ts';
import { typeText } from './config-types.ts';

const INTRO = `# Configuration

<!-- Made from the schema (npm run generate); a test checks that it is fresh. -->

One YAML file, \`-config.file\`. \`metrics_generator\` and \`overrides\` have the keys, nesting and defaults of Grafana Tempo's blocks of
that name, and the other blocks of a Tempo file are accepted, so that an existing file can be used as it is. \`configs/full.yaml\` holds
every key with its default; \`configs/spanmill.schema.json\` is for editors.

- **Errors** come all at once, as \`file:line:column: key: message\`. An unknown key is an error with a suggestion, so is a key that is
  set twice. An empty block counts as absent, and that is said.
- **YAML** is version 1.1 with merge keys (\`<<\`); top-level keys that begin with \`x-\` are yours, for anchors. Numbers and booleans may
  be quoted.
- **Durations**: \`500ms\`, \`30s\`, \`1h30m\`, \`7d\`, \`2w\`, \`0\`. A number without a unit is refused. **Sizes**: \`64MiB\`, or plain bytes.
- **Environment**, with \`-config.expand-env\`: \`\${X}\`, \`\${X:default}\`, \`\${X:-default}\`, \`\${X:=default}\`, \`\${X=default}\`; a default is taken if X
  is unset or empty and may hold variables itself. \`$$\` is a dollar sign; a lone \`$\` stays. \`\${1}\`, \`\${env:X}\`, \`\${X:?text}\` and
  \`\${X:+text}\` are refused with the spelling to use. Lines that are only a comment are left alone.
- **Regular expressions** are RE2's (no look-around, no back-references), unanchored in filter policies.

## How a tenant's settings are found

The tenant's block in the per-tenant file, else the block \`*\` there, over \`overrides.defaults\`, over \`metrics_generator\`.

- \`overrides.merge: deep\` (default): maps are merged key by key, lists and values are replaced. What a tenant takes from the defaults is
  said at start.
- \`overrides.merge: replace\`, as Tempo does: the block stands alone. Of the defaults it still takes \`native_histogram_*\` and
  \`span_name_sanitization\`; without \`processors\` nothing runs; \`enable_client_server_prefix: false\` can't undo a static \`true\`.
- \`intrinsic_dimensions\` is always merged over the static one. An empty list counts as set. 0 or an empty text means "not set" for
  \`collection_interval\`, \`ingestion_time_range_slack\`, \`span_multiplier_key\`, \`trace_id_label_name\` and \`metric_name\`.
- Where no file names \`processors\`, \`span-metrics\` and \`service-graphs\` run.

The per-tenant file may be of the flat shape of older files (\`metrics_generator_processors\`), too.
`;

export function referencePage(): string {
  const sections: string[] = [];
  const ignoredRows: string[] = [];
  const refusedRows: string[] = [];
  section(configFile, '', sections, ignoredRows, refusedRows, new Map());
  const tenants = look(shapeOf(look(tenantFile).core)['overrides']!);
  return [
    INTRO,
    ...sections,
    `## The per-tenant file\n\n\`overrides:\`, the only key, holds a map. ${tenants.about} A block has the keys of \`overrides.defaults\`, all of them optional.\n`,
    `## Accepted and ignored\n\nSaid at start, in a line for each reason. Keys at Tempo's default are only counted.\n\n| key | why |\n|---|---|\n${ignoredRows.join('\n')}\n`,
    `## Refused\n\n| key | but for | what to do |\n|---|---|---|\n${refusedRows.join('\n')}\n`,
  ].join('\n');
}

function section(
  schema: z.core.$ZodType,
  path: string,
  sections: string[],
  ignoredRows: string[],
  refusedRows: string[],
  seen: Map<unknown, string>,
): void {
  const view = look(schema);
  const rows: string[] = [];
  const deeper: [schema: z.core.$ZodType, path: string][] = [];
  for (const [key, child] of Object.entries(shapeOf(view.core))) {
    const one = look(child);
    const at = path === '' ? key : `${path}.${key}`;
    if (one.info.verdict === 'ignored') {
      ignoredRows.push(`| \`${at}\` | ${one.info.why} |`);
      const { refusedValues } = one.info;
      if (refusedValues !== undefined) {
        refusedRows.push(
          `| \`${at}: ${JSON.stringify(refusedValues.values[0])}\` | other values | ${refusedValues.hint} |`,
        );
      }
      for (const inner of one.info.refusedInside ?? []) {
        refusedRows.push(`| \`${at}.${inner.path.join('.')}\` | ${values(inner.harmless)} | ${inner.hint} |`);
      }
    } else if (one.info.verdict === 'refused')
      refusedRows.push(`| \`${at}\` | ${values(one.info.harmless ?? [])} | ${one.info.why} |`);
    else if (one.type === 'object') deeper.push([child, at]);
    else {
      const item = one.type === 'array' ? elementOf(one.core) : undefined;
      const shared = item === undefined ? undefined : seen.get(item);
      let about = one.about;
      if (item !== undefined && look(item).type === 'object') {
        if (shared === undefined) {
          seen.set(item, `${at}[]`);
          deeper.push([item, `${at}[]`]);
        } else about += ` As \`${shared}\`.`;
      }
      rows.push(`| \`${key}\` | ${typeText(one)} | ${defaultText(one)} | ${about} |`);
    }
  }
  const patterns = view.info.ignoredPatterns ?? [];
  if (patterns.length > 0) {
    const written = patterns.map((pattern) => `\`${pattern.source.replaceAll('|', '\\|')}\``).join(', ');
    const where = path === '' ? 'top-level keys' : `keys of \`${path}\``;
    ignoredRows.push(
      `| ${where} that match ${written} | ${path === '' ? 'they are yours' : "they tune Tempo's processes"} |`,
    );
  }
  if (path !== '' && rows.length > 0) {
    sections.push(
      `## \`${path}\`\n\n${view.about}\n\n| key | type | default | meaning |\n|---|---|---|---|\n${rows.join('\n')}\n`,
    );
  } else if (rows.length > 0) {
    sections.push(`## Top level\n\n| key | type | default | meaning |\n|---|---|---|---|\n${rows.join('\n')}\n`);
  }
  for (const [child, at] of deeper) section(child, at, sections, ignoredRows, refusedRows, seen);
}

function defaultText(view: { hasDefault: boolean; defaultValue: unknown; required: boolean }): string {
  if (view.required) return 'required';
  if (!view.hasDefault) return '–';
  const { defaultValue } = view;
  return `\`${typeof defaultValue === 'string' && defaultValue !== '' ? defaultValue : JSON.stringify(defaultValue)}\``;
}

function values(harmless: readonly unknown[]): string {
  return harmless.map((value) => `\`${JSON.stringify(value)}\``).join(', ');
}
