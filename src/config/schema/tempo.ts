// The other top-level blocks of a Tempo file. Most tune its process layout, or its trace store, and are accepted with any content; what
// would open a door that is not there is refused with a hint.

import { z } from 'zod';
import { flag, ignored, opaque, refused } from './keys.ts';
import { distributor } from './tempo-distributor.ts';
import { ingest } from './tempo-ingest.ts';

export { SERVER_IGNORED, SERVER_IGNORED_PATTERNS } from './tempo-server.ts';

/** Said of everything that has to do with keeping and finding traces. */
export const NO_STORE = 'spanmill keeps no traces yet and answers no queries for them, it only makes metrics';
const LAYOUT = "it tunes Tempo's processes";
const NOT_BUILT = 'not built yet';
const FOR_GO = 'it is for Go only';

/** Targets of Tempo that have no process of their own here. */
const ELSEWHERE = [
  'distributor',
  'ingester',
  'querier',
  'query-frontend',
  'compactor',
  'block-builder',
  'backend-scheduler',
  'backend-worker',
  'live-store',
] as const;

const target = z
  .enum(['all', 'scalable-single-binary', 'metrics-generator', 'metrics-generator-no-local-blocks', ...ELSEWHERE])
  .superRefine((written, context) => {
    if (!(ELSEWHERE as readonly string[]).includes(written)) return;
    const message = `there is no ${written} as a process of its own here: use all, or metrics-generator`;
    context.addIssue({ code: 'custom', message });
  })
  .optional()
  .describe('`all`, or `metrics-generator`: spans come from Kafka alone, no receiver listens. The others are refused.');

/** Top-level keys beside spanmill's own. */
export const TEMPO_KEYS = {
  distributor: distributor.optional(),
  ingest: ingest.optional(),
  target,
  auth_enabled: flag('Older spelling of multitenancy_enabled.').optional(),
  http_api_prefix: refused(`${NOT_BUILT}: the API is at /, let a proxy add the prefix`, ['']),
  shutdown_delay: ignored(`${NOT_BUILT}: it stops at once when it is told to`, ['0s']),
  storage: opaque(NO_STORE),
  querier: opaque(NO_STORE, [
    {
      path: ['trace_by_id', 'external', 'endpoint'],
      harmless: [''],
      hint: 'no traces are asked for elsewhere: remove it',
    },
  ]),
  query_frontend: opaque(NO_STORE, [
    { path: ['mcp_server', 'enabled'], harmless: [false], hint: `${NOT_BUILT}: there is no MCP server: remove it` },
    { path: ['allowed_headers'], harmless: [[]], hint: 'no queries are answered: remove it' },
  ]),
  compactor: opaque(NO_STORE),
  backend_worker: opaque(NO_STORE),
  backend_scheduler: opaque(NO_STORE),
  backend_scheduler_client: opaque(NO_STORE),
  block_builder: opaque(NO_STORE),
  live_store: opaque(NO_STORE),
  live_store_client: opaque(NO_STORE),
  ingester: opaque(NO_STORE),
  ingester_client: opaque(NO_STORE),
  metrics_generator_client: opaque(LAYOUT),
  memberlist: opaque(LAYOUT),
  cache: opaque(NO_STORE),
  memory: opaque(FOR_GO),
  usage_report: opaque('spanmill reports nothing to anybody'),
  internal_server: opaque('health is on the one HTTP port', [
    { path: ['enable'], harmless: [false], hint: `${NOT_BUILT}: health is on server.http_listen_port` },
  ]),
  vulture: opaque(LAYOUT),
  'tempo-query': opaque(LAYOUT),
  stream_over_http_enabled: ignored('there is no streaming of queries', [false]),
  enable_go_runtime_metrics: ignored(FOR_GO, [false]),
  span_profiling: ignored(FOR_GO, [false]),
  use_otel_tracer: ignored('own traces use OpenTelemetry', [true, false]),
  search_enabled: ignored(NO_STORE, [true]),
  autocomplete_filtering_enabled: ignored(NO_STORE, [true, false]),
  metrics_generator_enabled: refused('the generator is what runs here: remove it', [true]),
};
