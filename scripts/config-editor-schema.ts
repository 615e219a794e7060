// JSON Schema of the configuration file, for completion and checks in editors.

import { z } from 'zod';
import { BYTES_PATTERN, DURATION_PATTERN } from '../src/config/duration.ts';
import { configFile } from '../src/config/schema/file.ts';
import { type KeyInfo, keyInfo } from '../src/config/schema/keys.ts';

export function editorSchema(): object {
  return z.toJSONSchema(configFile, {
    io: 'input',
    unrepresentable: 'any',
    override: ({ zodSchema, jsonSchema }) => {
      const info = (keyInfo.get(zodSchema as unknown as z.ZodType) ?? {}) as KeyInfo;
      if (info.verdict !== undefined) {
        for (const key of Object.keys(jsonSchema)) delete jsonSchema[key];
        jsonSchema.description =
          info.verdict === 'ignored' ? `Accepted and ignored: ${info.why}.` : `Refused: ${info.why}.`;
        if (info.verdict === 'refused') {
          if (info.harmless?.length) jsonSchema.enum = info.harmless as never;
          else jsonSchema.not = {};
        } else jsonSchema.deprecated = true;
      }
      if (info.unit === 'duration') jsonSchema.pattern = DURATION_PATTERN;
      if (info.unit === 'bytes') {
        jsonSchema.pattern = BYTES_PATTERN;
        jsonSchema.type = ['string', 'integer'] as never;
      }
      if (info.ignoredPatterns !== undefined && jsonSchema.type === 'object') {
        jsonSchema.patternProperties = Object.fromEntries(info.ignoredPatterns.map((pattern) => [pattern.source, {}]));
      }
    },
  });
}
