/** The version of remote-write that a request speaks. */
export type Protocol = '1.0' | '2.0';
