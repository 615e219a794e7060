# Sourced by start.sh, stop.sh and tool.sh. Never run by itself.
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
KAFKA_VERSION=${KAFKA_VERSION:-4.3.1}
CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/spanmill-kafka
MAVEN_SECONDS=${KAFKA_MAVEN_SECONDS:-480}

die() { printf 'kafka: %s\n' "$*" >&2; exit 1; }
is_alive() { [ -s "$1" ] && kill -0 "$(cat "$1")" 2>/dev/null; }
# A pid may have been given to somebody else since: only a broker is ever signalled.
is_broker() { is_alive "$1" && tr '\0' ' ' <"/proc/$(cat "$1")/cmdline" | grep -q 'kafka\.Kafka'; }
is_open() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# True while all of these processes live.
are_alive() { local pid; for pid; do kill -0 "$pid" 2>/dev/null || return 1; done; }

# Prints the classpath. Maven is asked only for a version or pom that was not resolved before, or when a jar is gone. What it has
# downloaded stays in its own repository, so another run goes on where this one ended.
classpath() {
  local list jar ok=1
  list="$CACHE/classpath-$KAFKA_VERSION-$(sha256sum "$HERE/pom.xml" | cut -c1-12).txt"
  mkdir -p "$CACHE"
  exec 9>"$CACHE/lock"
  flock -w "$MAVEN_SECONDS" 9 || { echo "kafka: another process has been downloading jars for $MAVEN_SECONDS s" >&2; return 1; }
  if [ -s "$list" ]; then
    while IFS= read -r -d ':' jar; do [ -f "$jar" ] || { ok=0; break; }; done <"$list"
  else ok=0; fi
  if [ "$ok" = 0 ]; then resolve "$list" || return 1; fi
  flock -u 9; exec 9>&-
  tr -d '\n' <"$list"
}

# Writes the classpath to a file.
resolve() {
  command -v mvn >/dev/null || { echo 'kafka: mvn not found, and the jars were not downloaded before' >&2; return 1; }
  echo "kafka: Maven downloads the jars of Kafka $KAFKA_VERSION (about 70 MB), in at most $MAVEN_SECONDS s" >&2
  local end=$((SECONDS + MAVEN_SECONDS)) left status=1 update=
  for _ in 1 2 3; do
    left=$((end - SECONDS))
    [ "$left" -gt 0 ] || break
    status=0
    # A connection that stalls is given up and made again: a mirror may be slow, but not silent.
    timeout "$left" mvn -B -q -ntp $update -f "$HERE/pom.xml" -Dkafka.version="$KAFKA_VERSION" \
      -Daether.connector.connectTimeout=10000 -Daether.connector.requestTimeout=30000 \
      dependency:build-classpath -DincludeScope=runtime -Dmdep.outputFile="$1.$$" >"$CACHE/mvn.log" 2>&1 9>&- || status=$?
    if [ "$status" = 0 ]; then mv "$1.$$" "$1"; return 0; fi
    # Maven remembers what it could not find; this makes it look again.
    update=-U
  done
  if [ "$status" = 124 ]; then
    echo "kafka: Maven did not end within $MAVEN_SECONDS s: its mirror is slow. Another run goes on where it ended; KAFKA_MAVEN_SECONDS allows more" >&2
  else tail -n 20 "$CACHE/mvn.log" >&2; fi
  return 1
}
