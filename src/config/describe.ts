// The effective configuration as it would be written: every key with its value, defaults filled in, secrets masked. Apart from the
// masks it can be loaded again.

import type { z } from 'zod';
import type { Config, KafkaLogSettings } from './config.ts';
import { durationText } from './duration.ts';
import { configFile } from './schema/file.ts';
import { elementOf, look, optionsOf, shapeOf, valueTypeOf } from './schema/inspect.ts';

export function describeEffective(config: Config): Record<string, unknown> {
  // What these say is in spanmill's own settings by now.
  const { distributor, ingest, target, auth_enabled, ...own } = filled(configFile, config.written) as Described;
  const log = own['log']!;
  const described: Record<string, unknown> = {
    ...own,
    multitenancy_enabled: config.multitenancyEnabled,
    ledger: { ...own['ledger'], path: config.ledger.path },
    log: { ...log, embedded: { ...(log['embedded'] as object), path: config.log.embedded.path } },
  };
  if (distributor !== undefined || target !== undefined) described['receivers'] = receiversOf(config);
  if (config.log.kind === 'kafka' && log['kind'] !== 'kafka')
    described['log'] = { ...log, kind: 'kafka', kafka: kafkaOf(config.log.kafka, log['kafka']) };
  return described;
}

type Described = Record<string, Record<string, unknown>>;

function receiversOf({ receivers }: Config): Record<string, unknown> {
  const { http, grpc } = receivers.otlp;
  return {
    otlp: {
      http: http ? { enabled: true, endpoint: http.endpoint, max_request_body_size: http.maxRequestBodyBytes } : null,
      grpc: grpc ? { enabled: true, endpoint: grpc.endpoint } : null,
    },
    ...(receivers.zipkin && { zipkin: receivers.zipkin }),
  };
}

function kafkaOf(kafka: KafkaLogSettings, own: unknown): Record<string, unknown> {
  const { brokers, topic, encoding, start, consumerGroup, clientId, compression, tls, sasl } = kafka;
  const isSecret = (key: string) => key === 'key' || key === 'password';
  const snake = (settings: object) =>
    Object.fromEntries(
      Object.entries(settings).map(([key, value]) => [
        key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
        isSecret(key) ? '<secret>' : value,
      ]),
    );
  return {
    ...(own as object),
    brokers,
    topic,
    encoding,
    start: typeof start === 'string' ? start : durationText(start.agoMs),
    consumer_group: consumerGroup,
    client_id: clientId,
    compression,
    ...(tls && { tls: snake(tls) }),
    ...(sasl && { sasl: snake(sasl) }),
  };
}

/** The value with the schema's defaults in every gap. */
export function filled(schema: z.core.$ZodType, value: unknown): unknown {
  const view = look(schema);
  if (value === null) return null;
  if (view.info.secret) return value === '' ? '' : '<secret>';
  if (view.type === 'object' && isMap(value)) {
    const out: Record<string, unknown> = {};
    for (const [key, child] of Object.entries(shapeOf(view.core))) {
      const { info, hasDefault, defaultValue } = look(child);
      if (info.verdict !== undefined) continue;
      if (Object.hasOwn(value, key)) out[key] = filled(child, value[key]);
      else if (hasDefault) out[key] = filled(child, defaultValue);
    }
    return out;
  }
  if (view.type === 'record' && isMap(value)) {
    return Object.fromEntries(Object.entries(value).map(([key, held]) => [key, filled(valueTypeOf(view.core), held)]));
  }
  if (view.type === 'array' && Array.isArray(value)) return value.map((held) => filled(elementOf(view.core), held));
  if (view.type === 'union') {
    const wanted = Array.isArray(value) ? 'array' : 'object';
    const option =
      typeof value === 'object' ? optionsOf(view.core).find((one) => look(one).type === wanted) : undefined;
    return option === undefined ? value : filled(option, value);
  }
  return value;
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
