export { ByteTable } from './byte-table.ts';
export { doubleText } from './double-text.ts';
export { isValidUtf8, utf8, utf8Text } from './utf8.ts';
