# Sourced by start.sh, stop.sh and tool.sh. Never run by itself.
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
KAFKA_VERSION=${KAFKA_VERSION:-4.3.1}
CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/spanmill-kafka

die() { printf 'kafka: %s\n' "$*" >&2; exit 1; }
is_alive() { [ -s "$1" ] && kill -0 "$(cat "$1")" 2>/dev/null; }
# A pid may have been given to somebody else since: only a broker is ever signalled.
is_broker() { is_alive "$1" && tr '\0' ' ' <"/proc/$(cat "$1")/cmdline" | grep -q 'kafka\.Kafka'; }
is_open() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# Prints the classpath. Maven is asked only for a version or pom that was not resolved before, or when a jar is gone.
classpath() {
  local list jar ok=1
  list="$CACHE/classpath-$KAFKA_VERSION-$(sha256sum "$HERE/pom.xml" | cut -c1-12).txt"
  mkdir -p "$CACHE"
  exec 9>"$CACHE/lock"; flock 9
  if [ -s "$list" ]; then
    while IFS= read -r -d ':' jar; do [ -f "$jar" ] || { ok=0; break; }; done <"$list"
  else ok=0; fi
  if [ "$ok" = 0 ]; then
    local try
    for try in 1 2; do
      if mvn -B -q -ntp -f "$HERE/pom.xml" -Dkafka.version="$KAFKA_VERSION" dependency:build-classpath \
        -DincludeScope=runtime -Dmdep.outputFile="$list.$$" >"$CACHE/mvn.log" 2>&1; then
        mv "$list.$$" "$list"; ok=1; break
      fi
    done
    [ "$ok" = 1 ] || { tail -n 20 "$CACHE/mvn.log" >&2; return 1; }
  fi
  flock -u 9; exec 9>&-
  tr -d '\n' <"$list"
}
