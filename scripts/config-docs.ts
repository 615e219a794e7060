// The files that are made from the configuration's schema: the reference page, a YAML with every key, the JSON Schema for editors.

import { editorSchema } from './config-editor-schema.ts';
import { fullYaml } from './config-full-yaml.ts';
import { referencePage } from './config-reference.ts';
import type { Artifact } from './generate.ts';

export function configArtifacts(): Artifact[] {
  return [
    { path: 'configs/full.yaml', text: fullYaml() },
    { path: 'configs/spanmill.schema.json', text: `${JSON.stringify(editorSchema(), null, 2)}\n` },
    { path: 'docs/reference/configuration.md', text: referencePage() },
  ];
}
