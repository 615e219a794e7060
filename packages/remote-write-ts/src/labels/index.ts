export { compareUtf8 } from './compare.ts';
export { encodeExemplarLabels, encodeLabels, type LabelPair, MAX_EXEMPLAR_CHARACTERS } from './encode.ts';
export { LabelError, type LabelErrorCode } from './errors.ts';
