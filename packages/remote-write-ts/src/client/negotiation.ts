// Which protocol an endpoint speaks, learnt from its answers: 2.0 is tried first, and remembered is what was understood. A
// receiver that knows only 1.0 reads a 2.0 request as an empty one and says 204, so an answer without Written headers is
// no success. Source: Prometheus Remote-Write 2.0, "Required Written Response Headers" and "Backward Compatibility".

import type { SendOutcome } from '../sender/index.ts';
import type { Protocol } from '../wire/index.ts';

/** `prefer_2.0`: 2.0, and 1.0 only for a receiver that says 415: other answers say nothing about the protocol. */
export type ProtocolChoice = Protocol | 'auto' | 'prefer_2.0';

export interface Negotiation {
  /** What is known; undefined before the first answer that says something. */
  readonly agreed: Protocol | undefined;
  /** For the next request. */
  choose(): Protocol;
  /** Does a request in this protocol only try whether an endpoint that speaks 1.0 has come to speak 2.0? */
  isProbe(protocol: Protocol): boolean;
  /**
   * Learns from the answer to a request.
   * @returns `resend`: the receiver didn't understand 2.0, and the same data must go to it as 1.0.
   */
  learn(protocol: Protocol, outcome: SendOutcome): 'final' | 'resend';
}

/** So many 400s in a row that don't count what was written, from a receiver of 2.0: perhaps it is none any more. */
const DOUBTFUL_REFUSALS = 3;

/** @param reprobeMs after which 2.0 is tried again on an endpoint that didn't speak it. */
export function createNegotiation(choice: ProtocolChoice, reprobeMs: number, now: () => number): Negotiation {
  if (choice === '1.0' || choice === '2.0')
    return { agreed: choice, choose: () => choice, isProbe: () => false, learn: () => 'final' };
  let agreed: Protocol | undefined;
  let triedMs = 0;
  let doubts = 0;

  function agree(protocol: Protocol): void {
    if (agreed !== protocol) triedMs = now();
    agreed = protocol;
    doubts = 0;
  }

  return {
    get agreed() {
      return agreed;
    },
    choose() {
      if (agreed !== '1.0') return '2.0';
      if (now() - triedMs < reprobeMs) return '1.0';
      triedMs = now(); // one request tries, not all that are about to go
      return '2.0';
    },
    isProbe: (protocol) => protocol === '2.0' && agreed === '1.0',
    learn(protocol, outcome) {
      if (outcome.kind === 'aborted') return 'final';
      if (protocol === '1.0') {
        // What a 400 to 2.0 left open.
        if (outcome.kind === 'accepted' && agreed === undefined) agree('1.0');
        return 'final';
      }
      // Whatever else it says: a receiver that counts what it wrote does so of what it didn't read, too.
      const isUnread = outcome.kind === 'refused' && outcome.status === 415;
      if (outcome.written !== undefined && !isUnread) {
        agree('2.0');
        return 'final';
      }
      if (isUnread || (outcome.kind === 'accepted' && choice === 'auto')) {
        agree('1.0');
        return 'resend';
      }
      // It was only to be seen whether 2.0 is spoken now; 1.0 is, and what it says to that counts.
      if (agreed === '1.0') return 'resend';
      if (choice === 'prefer_2.0' || outcome.status !== 400) return 'final';
      // Older receivers say 400 to what they can't decode; a receiver of 2.0 says it of bad data.
      if (agreed === undefined) return 'resend';
      doubts++;
      if (doubts < DOUBTFUL_REFUSALS) return 'final';
      agreed = undefined;
      doubts = 0;
      return 'resend';
    },
  };
}
