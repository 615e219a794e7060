// Content negotiation (RFC 9110, section 12.5) for the two choices there are: text or OpenMetrics, plain or gzip. Elements that
// can't be read are passed over, never an error: a scraper with an odd header still gets its text.

export const TEXT_TYPE = 'text/plain; version=0.0.4; charset=utf-8';
export const OPENMETRICS_TYPE = 'application/openmetrics-text; version=1.0.0; charset=utf-8';

/** Versions of OpenMetrics whose readers take version 1.0.0. */
const OPENMETRICS_VERSIONS = ['', '1', '1.0', '1.0.0'];

interface Element {
  value: string;
  parameters: ReadonlyMap<string, string>;
  q: number;
}

/** OpenMetrics only where it is named with a higher weight than text, or with the same and first. A wildcard means text. */
export function wantsOpenMetrics(accept: string | undefined): boolean {
  let openMetrics = 0;
  let text = 0;
  let isFirst = false;
  for (const { value, parameters, q } of elements(accept)) {
    if (value === 'application/openmetrics-text' && OPENMETRICS_VERSIONS.includes(parameters.get('version') ?? '')) {
      isFirst ||= text === 0;
      openMetrics = Math.max(openMetrics, q);
    } else if (value === 'text/plain') text = Math.max(text, q);
  }
  return openMetrics > text || (openMetrics > 0 && openMetrics === text && isFirst);
}

const YAML_TYPES = ['application/yaml', 'application/x-yaml', 'text/yaml', 'text/x-yaml'];

/** YAML only where it is named with a higher weight than JSON. */
export function wantsYaml(accept: string | undefined): boolean {
  let yaml = 0;
  let json = 0;
  for (const { value, q } of elements(accept)) {
    if (YAML_TYPES.includes(value)) yaml = Math.max(yaml, q);
    else if (value === 'application/json') json = Math.max(json, q);
  }
  return yaml > json;
}

export function acceptsGzip(acceptEncoding: string | undefined): boolean {
  let any: boolean | undefined;
  let named: boolean | undefined;
  for (const { value, q } of elements(acceptEncoding)) {
    if (value === 'gzip' || value === 'x-gzip') named = q > 0;
    else if (value === '*') any = q > 0;
  }
  return named ?? any ?? false;
}

function* elements(header: string | undefined): Generator<Element> {
  for (const part of (header ?? '').split(',')) {
    const [value, ...rest] = part.split(';');
    const parameters = new Map<string, string>();
    for (const parameter of rest) {
      const equals = parameter.indexOf('=');
      if (equals < 0) continue;
      const text = parameter.slice(equals + 1).trim();
      parameters.set(parameter.slice(0, equals).trim().toLowerCase(), text.replace(/^"(.*)"$/, '$1'));
    }
    const q = weight(parameters.get('q'));
    if (q !== undefined) yield { value: value!.trim().toLowerCase(), parameters, q };
  }
}

/** 0 to 1 with at most three decimals; undefined for what is no weight. */
function weight(text: string | undefined): number | undefined {
  if (text === undefined) return 1;
  return /^(?:0(?:\.\d{0,3})?|1(?:\.0{0,3})?)$/.test(text) ? Number(text) : undefined;
}
