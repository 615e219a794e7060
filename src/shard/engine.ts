/** Names what computes the values: entries of one engine version refold to the same digests. Raised when a rule changes. */
export const ENGINE = 'spanmill-1';
