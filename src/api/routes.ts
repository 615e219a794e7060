// The table of paths, and what each answers. Paths and texts that Tempo has too are the same here.

import type { IncomingMessage } from 'node:http';
import { SINGLE_TENANT } from '../config/index.ts';
import { isTenantId } from '../receivers/index.ts';
import { OPENMETRICS_TYPE, TEXT_TYPE, wantsOpenMetrics } from './negotiate.ts';
import type { ApiServerOptions } from './options.ts';
import { PAGE_HEADERS, statusPage } from './page.ts';
import { pipelineOf } from './pipeline.ts';
import { json, jsonOrYaml, type Reply, text } from './reply.ts';
import { type Handler, pathOf, type Routes } from './router.ts';
import { withoutSecrets } from './secrets.ts';
import type { StatusView } from './status-view.ts';

const DEFAULT_PROVIDER_TIMEOUT_MS = 30_000;
/** Cheap, and asked by whoever restarts the process if no answer comes: they are never refused for load. */
export const PROBES: readonly string[] = ['/ready', '/-/ready', '/-/healthy', '/api/echo'];
const OPENMETRICS_EMPTY = '# EOF\n';
const BAD_TENANT = "the org id is not 1 to 150 characters of 0-9 A-Z a-z ! - _ . * ' ( ), or is . or ..";
/** A list of tenants in an answer is at most this long. */
const MAX_TENANTS = 1_000;

export function apiRoutes(options: ApiServerOptions): Routes {
  const { providers } = options;
  const timeoutMs = options.providerTimeoutMs ?? DEFAULT_PROVIDER_TIMEOUT_MS;
  const get = (handler: Handler) => ({ GET: handler });

  const spanMetrics: Handler = (request) => {
    const tenant = options.multitenancy ? tenantOf(request) : { id: SINGLE_TENANT };
    if ('refusal' in tenant) return tenant.refusal;
    const openMetrics = wantsOpenMetrics(request.headers.accept);
    return within(timeoutMs, 'the newest boundary', async () => {
      const body = (await providers.spanMetrics(tenant.id, openMetrics)) ?? (openMetrics ? OPENMETRICS_EMPTY : '');
      return { status: 200, contentType: openMetrics ? OPENMETRICS_TYPE : TEXT_TYPE, body };
    });
  };

  const ready: Handler = () => {
    const { ready, reasons } = providers.readiness();
    if (ready) return text(200, 'ready');
    return text(503, reasons.length === 0 ? 'not ready' : reasons.map(oneLine).join('\n'));
  };

  const tenantOverrides: Handler = (request) => {
    const path = pathOf(request.url ?? '');
    const tenant = path.slice(path.lastIndexOf('/') + 1);
    if (!isTenantId(tenant)) return text(404, BAD_TENANT);
    return jsonOrYaml(request, providers.tenantOverrides(tenant));
  };

  const status = (): StatusView => withoutSecrets(providers.status());

  return new Map([
    [
      '/',
      get(() => ({
        status: 200,
        contentType: 'text/html; charset=utf-8',
        body: statusPage(status(), providers.readiness()),
        headers: PAGE_HEADERS,
      })),
    ],
    ['/span-metrics', get(spanMetrics)],
    [
      '/metrics',
      get(() => within(timeoutMs, 'own metrics', async () => ({ status: 200, ...(await providers.ownMetrics()) }))),
    ],
    ['/ready', get(ready)],
    ['/-/ready', get(ready)],
    ['/-/healthy', get(() => text(200, 'healthy'))],
    // Grafana's "Save & test" of a Tempo data source; without a final newline, as Tempo has it.
    ['/api/echo', get(() => ({ status: 200, contentType: 'text/plain; charset=utf-8', body: 'echo' }))],
    ['/api/status/buildinfo', get(() => json(buildInfo(options.version)))],
    ['/status', get(() => json(statusBody(status())))],
    ['/status/overrides', get((request) => jsonOrYaml(request, providers.overrides()))],
    ['/status/overrides/*', get(tenantOverrides)],
  ]);
}

/** The keys that Tempo answers. Grafana reads `version`. */
function buildInfo(version: string) {
  return { version, revision: '', branch: '', buildUser: '', buildDate: '', goVersion: '' };
}

function statusBody(view: StatusView) {
  const tenants = view.tenants.slice(0, MAX_TENANTS);
  return { ...view, tenants, tenantsLeftOut: view.tenants.length - tenants.length, pipeline: pipelineOf(view) };
}

function tenantOf(request: IncomingMessage): { id: string } | { refusal: Reply } {
  const header = request.headers['x-scope-orgid'];
  const id = Array.isArray(header) ? header.join(',') : header;
  if (id === undefined || id === '') return { refusal: text(401, 'no org id') };
  if (!isTenantId(id)) {
    return { refusal: text(400, BAD_TENANT) };
  }
  return { id };
}

/** Workers may be gone or stuck: nobody waits for ever for what they owe. */
async function within(timeoutMs: number, what: string, work: () => Promise<Reply>): Promise<Reply> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<Reply>((resolve) => {
    timer = setTimeout(resolve, timeoutMs, text(503, `${what} did not come within ${timeoutMs} ms`));
  });
  try {
    return await Promise.race([work(), late]);
  } finally {
    clearTimeout(timer);
  }
}

function oneLine(reason: string): string {
  return reason.replace(/\s*[\r\n]+\s*/g, ' ');
}
