// Cases that cannot pass yet, and what they wait for. One that starts to pass fails the suite until its line is taken out.

export const EXPECTED_FAILURES: ReadonlyMap<string, string> = new Map();
