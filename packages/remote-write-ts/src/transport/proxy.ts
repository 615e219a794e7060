// Which proxy a request goes through, if any. A plain http receiver is asked for through the proxy, an https one through a
// tunnel. Source: the usual meaning of HTTP_PROXY, HTTPS_PROXY and NO_PROXY, as Go's HTTP client reads them.

import { BlockList, isIP } from 'node:net';
import { SenderError } from '../errors/index.ts';
import { checkKeys, keysOf } from './known-keys.ts';
import type { TlsOptions } from './tls.ts';

/** `env`: as the environment's HTTP_PROXY, HTTPS_PROXY and NO_PROXY say when the sender is made. */
export type ProxyOptions = 'env' | ProxySettings;

export interface ProxySettings {
  /** http or https. May hold credentials, which never show up in a message. */
  url: string;
  /** Hosts that need no proxy, with commas: names (with what is below them), addresses, CIDR blocks, each with a port or not, or `*`. */
  noProxy?: string;
  /** More headers for the proxy. */
  headers?: Readonly<Record<string, string>>;
  tls?: TlsOptions;
}

export interface Proxy {
  /** Without credentials. */
  url: URL;
  headers: Record<string, string>;
  tls: TlsOptions | undefined;
  secrets: readonly string[];
}

const HEADER_NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const HEADER_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;
const KEYS = keysOf<ProxySettings>({ url: true, noProxy: true, headers: true, tls: true });

/**
 * @param name of the option, for messages.
 * @throws SenderError `bad_proxy`, `bad_option`
 */
export function proxyFor(target: URL, options: ProxyOptions | undefined, name = 'proxy'): Proxy | undefined {
  if (options === undefined) return undefined;
  if (typeof options === 'string' && options !== 'env') {
    throw new SenderError('bad_proxy', `${name} is neither 'env' nor an object: a URL goes into ${name}.url`);
  }
  if (options !== 'env') checkKeys(name, options, KEYS);
  const settings = options === 'env' ? fromEnvironment(target) : options;
  if (settings === undefined || isDirect(target, settings.noProxy ?? '')) return undefined;
  const url = URL.parse(settings.url);
  if (url === null || !/^https?:$/.test(url.protocol)) {
    throw new SenderError('bad_proxy', "the proxy's URL is not an absolute http or https one");
  }
  const headers: Record<string, string> = {};
  for (const [header, value] of Object.entries(settings.headers ?? {})) {
    if (!HEADER_NAME.test(header) || typeof value !== 'string' || !HEADER_VALUE.test(value)) {
      throw new SenderError('bad_proxy', `a header of ${name}.headers is illegal, or its value is no string`);
    }
    headers[header.toLowerCase()] = value;
  }
  const secrets = Object.values(headers).filter((value) => value !== '');
  if (url.username !== '' || url.password !== '') {
    const password = decoded(url.password);
    const credentials = Buffer.from(`${decoded(url.username)}:${password}`).toString('base64');
    headers['proxy-authorization'] = `Basic ${credentials}`;
    secrets.push(credentials, ...(password === '' ? [] : [password, url.password]));
    url.username = '';
    url.password = '';
  }
  return { url, headers, tls: settings.tls, secrets };
}

function fromEnvironment(target: URL): ProxySettings | undefined {
  const variable = (name: string) => process.env[name] || process.env[name.toLowerCase()] || undefined;
  const text = variable(target.protocol === 'https:' ? 'HTTPS_PROXY' : 'HTTP_PROXY');
  const host = hostOf(target);
  if (text === undefined || host === 'localhost' || isLoopback(host)) return undefined;
  // A bare `proxy:3128` is meant as http.
  return { url: text.includes('://') ? text : `http://${text}`, noProxy: variable('NO_PROXY') ?? '' };
}

function isDirect(target: URL, noProxy: string): boolean {
  const host = hostOf(target);
  const port = target.port || (target.protocol === 'https:' ? '443' : '80');
  return noProxy.split(/[,\s]+/).some((entry) => entry !== '' && matches(entry.toLowerCase(), host, port));
}

function matches(entry: string, host: string, port: string): boolean {
  if (entry === '*') return true;
  if (entry.includes('/')) return isInBlock(entry, host);
  // `name:port`, `1.2.3.4:port`, `[::1]:port`; a bare IPv6 address has colons of its own.
  const parts = /^(\[[^\]]+\]|[^:]+)(?::(\d+))?$/.exec(entry);
  const name = (parts === null ? entry : parts[1]!).replace(/^\[|\]$/g, '');
  if (parts?.[2] !== undefined && parts[2] !== port) return false;
  if (isIP(name) !== 0 || isIP(host) !== 0) return name === host;
  // `.example.org` and `*.example.org` mean what is below, `example.org` also itself.
  const suffix = name.replace(/^\*?\./, '');
  return (suffix === name && host === name) || host.endsWith(`.${suffix}`);
}

function isInBlock(block: string, host: string): boolean {
  const [address = '', bits = ''] = block.split('/');
  const family = isIP(address);
  if (family === 0 || isIP(host) !== family || !/^\d+$/.test(bits) || Number(bits) > (family === 4 ? 32 : 128)) {
    return false;
  }
  const type = family === 4 ? 'ipv4' : 'ipv6';
  const list = new BlockList();
  list.addSubnet(address, Number(bits), type);
  return list.check(host, type);
}

function isLoopback(host: string): boolean {
  return host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));
}

function hostOf(url: URL): string {
  return url.hostname.toLowerCase().replace(/^\[|\]$/g, '');
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
