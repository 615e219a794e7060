export { type AuthOptions, type Authorizer, createAuthorizer } from './authorizer.ts';
export type { OAuth2Options } from './oauth2.ts';
export type { Secret } from './secret.ts';
export { type SigV4Keys, type SigV4Options, type SigV4Request, signV4 } from './sigv4.ts';
