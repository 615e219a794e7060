// Cases that cannot pass yet, and what they wait for. One that starts to pass fails the suite until its line is taken out.

const NATIVE = 'native histograms are not built yet';
const SANITIZER = 'the span-name sanitizer is not built yet';
const CARDINALITY = 'the limit of values per label is not built yet';

export const EXPECTED_FAILURES: ReadonlyMap<string, string> = new Map([
  ['rand-01', NATIVE],
  ['rand-02', `${NATIVE}; ${SANITIZER}`],
  ['rand-04', NATIVE],
  ['rand-05', NATIVE],
  ['rand-07', NATIVE],
  ['rand-08', NATIVE],
  ['rand-09', `${NATIVE}; ${SANITIZER}`],
  ['rand-11', NATIVE],
  ['rand-12', SANITIZER],
  ['rand-14', NATIVE],
  ['rand-20', NATIVE],
  ['sg-native', NATIVE],
  ['sm-drain-dry-run', SANITIZER],
  ['sm-drain-enabled', SANITIZER],
  ['sm-label-cardinality-limit', CARDINALITY],
  ['sm-native', NATIVE],
  ['sm-native-both', NATIVE],
  ['sm-native-factor', NATIVE],
  ['sm-native-max-buckets', NATIVE],
]);
