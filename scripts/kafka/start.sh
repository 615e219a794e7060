#!/usr/bin/env bash
# Starts a real Apache Kafka (KRaft; each node is broker and controller) from Maven jars, on loopback only.
#   start.sh [--dir DIR] [--port N] [--nodes N] [--node I] [--version V] [--heap 384m] [--timeout S]
#            [--listener NAME:PROTOCOL:PORT]... [--prop key=value]... [--scram 'name=..,password=..']...
#            [--owner PID]...
# Node i listens on PORT + 10 (i - 1), its controller on the port after. --node starts only that node of the cluster again.
# Further listeners are for one node: TLS and SASL (--prop gives their stores and JAAS lines).
# With --owner the nodes and DIR are there for these processes only: when one of them is gone, so are they.
# Nodes that run are left alone. Prints the brokers, nothing else, on stdout. With KAFKA_BROKERS set, prints that and starts nothing.
# Needs Linux, Java 17, Maven (the first time), bash, coreutils, util-linux.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
[ -n "${KAFKA_BROKERS:-}" ] && { echo "$KAFKA_BROKERS"; exit 0; }
DIR=${KAFKA_DIR:-${TMPDIR:-/tmp}/spanmill-kafka-$(id -u)}; PORT=19092; COUNT=1; NODE=; HEAP=384m; TIMEOUT=120
PROPS=(); LISTENERS=(); SCRAM=(); OWNERS=()
while [ $# -gt 0 ]; do case $1 in
  --dir) DIR=$2; shift 2;; --port) PORT=$2; shift 2;; --nodes) COUNT=$2; shift 2;; --node) NODE=$2; shift 2;;
  --version) KAFKA_VERSION=$2; shift 2;; --heap) HEAP=$2; shift 2;; --timeout) TIMEOUT=$2; shift 2;;
  --listener) LISTENERS+=("$2"); shift 2;; --prop) PROPS+=("$2"); shift 2;; --scram) SCRAM+=("$2"); shift 2;;
  --owner) OWNERS+=("$2"); shift 2;;
  -h|--help) sed -n '2,11p' "$0"; exit 0;; *) die "unknown argument $1";; esac; done
command -v java >/dev/null || die "java not found (17 or later)"
mkdir -p "$DIR"; DIR=$(cd "$DIR" && pwd)
CP=$(classpath) || die "Maven could not resolve Kafka $KAFKA_VERSION"

VOTERS=; BROKERS=
for i in $(seq 1 "$COUNT"); do
  port=$((PORT + 10 * (i - 1)))
  VOTERS+="${VOTERS:+,}$i@127.0.0.1:$((port + 1))"; BROKERS+="${BROKERS:+,}127.0.0.1:$port"
done
EXTRA=; MAP=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
for l in ${LISTENERS[@]+"${LISTENERS[@]}"}; do
  IFS=: read -r name protocol port <<<"$l"
  EXTRA+=",$name://127.0.0.1:$port"; MAP+=",$name:$protocol"
done
REPLICAS=$((COUNT < 3 ? COUNT : 3)); MIN_ISR=$((REPLICAS > 1 ? REPLICAS - 1 : 1))

write_properties() { # node, port, directory
  cat <<CONF
process.roles=broker,controller
node.id=$1
controller.quorum.voters=$VOTERS
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://127.0.0.1:$2,CONTROLLER://127.0.0.1:$(($2 + 1))$EXTRA
advertised.listeners=PLAINTEXT://127.0.0.1:$2$EXTRA
listener.security.protocol.map=$MAP
inter.broker.listener.name=PLAINTEXT
log.dirs=$3/data
default.replication.factor=$REPLICAS
min.insync.replicas=$MIN_ISR
offsets.topic.num.partitions=3
offsets.topic.replication.factor=$REPLICAS
transaction.state.log.num.partitions=2
transaction.state.log.replication.factor=$REPLICAS
transaction.state.log.min.isr=$MIN_ISR
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
auto.create.topics.enable=false
num.network.threads=2
num.io.threads=3
log.cleaner.dedupe.buffer.size=8388608
log.cleaner.backoff.ms=500
log.retention.check.interval.ms=1000
message.max.bytes=20971520
broker.heartbeat.interval.ms=500
broker.session.timeout.ms=3000
replica.fetch.max.bytes=20971520
CONF
  case $KAFKA_VERSION in 4.*) printf '%s\n' share.coordinator.state.topic.num.partitions=1 \
    "share.coordinator.state.topic.replication.factor=$REPLICAS" "share.coordinator.state.topic.min.isr=$MIN_ISR";; esac
  # The last line of a key wins.
  for line in ${PROPS[@]+"${PROPS[@]}"}; do printf '%s\n' "$line"; done
}

is_wanted() { are_alive ${OWNERS[@]+"${OWNERS[@]}"}; }
if [ ${#OWNERS[@]} -gt 0 ] && ! is_alive "$DIR/watch.pid"; then
  is_wanted || die "its owner is gone"
  setsid "$HERE/watch.sh" "$DIR" "${OWNERS[@]}" >/dev/null 2>&1 </dev/null &
  echo $! >"$DIR/watch.pid"; disown
fi

started=()
for i in ${NODE:-$(seq 1 "$COUNT")}; do
  home="$DIR/node-$i"; port=$((PORT + 10 * (i - 1))); mkdir -p "$home"
  is_broker "$home/kafka.pid" && continue
  is_open "$port" && die "port $port is taken by something that this script did not start"
  write_properties "$i" "$port" "$home" >"$home/server.properties"
  if [ ! -s "$home/data/meta.properties" ]; then
    scram=(); for s in ${SCRAM[@]+"${SCRAM[@]}"}; do scram+=(--add-scram "$s"); done
    java -Xmx128m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Dorg.slf4j.simpleLogger.defaultLogLevel=warn -cp "$CP" \
      kafka.tools.StorageTool format -t c3Bhbm1pbGwta2Fma2EtMQ -c "$home/server.properties" --ignore-formatted \
      ${scram[@]+"${scram[@]}"} >"$home/format.log" 2>&1 || { tail -n 20 "$home/format.log" >&2; die "node $i could not be formatted"; }
  fi
  : >"$home/kafka.log"
  # A session of its own: ^C at the caller's terminal must not reach the broker.
  setsid java -Xms"$HEAP" -Xmx"$HEAP" -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -XX:+ExitOnOutOfMemoryError -Djava.awt.headless=true \
    -Djava.net.preferIPv4Stack=true -Dorg.slf4j.simpleLogger.showDateTime=true -Dlog4j2.disable.jmx=true \
    -cp "$CP" kafka.Kafka "$home/server.properties" >>"$home/kafka.log" 2>&1 </dev/null &
  echo $! >"$home/kafka.pid"; disown
  started+=("$i")
done

end=$((SECONDS + TIMEOUT))
for i in ${started[@]+"${started[@]}"}; do
  home="$DIR/node-$i"
  # This line comes after the broker is registered and serves.
  until grep -q 'Kafka Server started' "$home/kafka.log" && is_open $((PORT + 10 * (i - 1))); do
    is_alive "$home/kafka.pid" || { tail -n 30 "$home/kafka.log" >&2; rm -f "$home/kafka.pid"; die "node $i ended while it started"; }
    is_wanted || { "$HERE/stop.sh" --dir "$DIR" --kill --wipe; die "its owner is gone"; }
    [ $SECONDS -lt $end ] || { tail -n 30 "$home/kafka.log" >&2; die "node $i did not serve within ${TIMEOUT} s"; }
    sleep 0.1
  done
done
echo "$BROKERS"
