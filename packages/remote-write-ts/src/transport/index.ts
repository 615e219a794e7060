export { checkKeys, keysOf } from './known-keys.ts';
export { type Proxy, type ProxyOptions, type ProxySettings, proxyFor } from './proxy.ts';
export { tell } from './tell.ts';
export { loadTls, type TlsOptions } from './tls.ts';
export {
  createPoolTransport,
  type PoolTransportOptions,
  type Transport,
  type TransportRequest,
  type TransportResponse,
} from './transport.ts';
