// What a status means for a batch: the one place that decides. Source: Prometheus Remote-Write 1.0, "Retries & Backoff".

export type Verdict = 'accepted' | 'redirect' | 'retry' | 'refused';

/** Prometheus' answer, with a 500, to a histogram while its feature flag `native-histograms` is off: it stays off until a restart. */
export const TAKES_NO_HISTOGRAMS = 'native histograms are disabled';
/**
 * What Prometheus says with a 500 though it will never take it. The second: to what is older than its out-of-order window, before 2.50,
 * and to histograms in 2.0 before 3.11.
 */
const NEVER = [TAKES_NO_HISTOGRAMS, 'too old sample'];

/**
 * @param retryOn429 whether a receiver that is asked too often is asked again.
 * @param text of the answer
 */
export function verdict(status: number, retryOn429: boolean, text = ''): Verdict {
  if (status >= 200 && status < 300) return 'accepted';
  // Only these keep the method and the body (RFC 9110, 15.4); the others would turn the POST into a GET.
  if (status === 307 || status === 308) return 'redirect';
  if (status === 500 && NEVER.some((words) => text.includes(words))) return 'refused';
  // The receiver's own trouble, or ours for being too fast: the same bytes may be taken later.
  if ((status === 429 && retryOn429) || (status >= 500 && status < 600)) return 'retry';
  // The rest is about the request itself, or not HTTP as we know it: the same bytes would fail again.
  return 'refused';
}
