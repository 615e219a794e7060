// The one error of this folder: whatever bytes come in, nothing else leaves.

export class ExpositionError extends Error {
  /** From 1. */
  readonly line: number;
  /** What is wrong, without the place. Never holds a label's value. */
  readonly reason: string;
  constructor(line: number, reason: string) {
    super(`line ${line}: ${reason}`);
    this.name = 'ExpositionError';
    this.line = line;
    this.reason = reason;
  }
}
