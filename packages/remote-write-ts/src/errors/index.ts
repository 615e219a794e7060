export { SenderError, type SenderErrorCode } from './sender-error.ts';
