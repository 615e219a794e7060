#!/usr/bin/env bash
# Stops what start.sh started, by the pids that it wrote.
#   stop.sh [--dir DIR] [--node I] [--kill] [--wipe]
# --kill is a crash: no controlled shutdown. --wipe removes the nodes' data too.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
DIR=${KAFKA_DIR:-${TMPDIR:-/tmp}/spanmill-kafka-$(id -u)}; NODE=; SIGNAL=TERM; WIPE=0
while [ $# -gt 0 ]; do case $1 in
  --dir) DIR=$2; shift 2;; --node) NODE=$2; shift 2;; --kill) SIGNAL=KILL; shift;; --wipe) WIPE=1; shift;;
  *) die "unknown argument $1";; esac; done
for home in "$DIR"/node-${NODE:-*}; do
  if is_broker "$home/kafka.pid"; then kill -"$SIGNAL" "$(cat "$home/kafka.pid")" || true; fi
done
for home in "$DIR"/node-${NODE:-*}; do
  [ -d "$home" ] || continue
  for _ in $(seq 1 150); do is_alive "$home/kafka.pid" || break; sleep 0.1; done
  # The last nodes of a quorum can wait for ever for their controlled shutdown.
  if is_broker "$home/kafka.pid"; then kill -KILL "$(cat "$home/kafka.pid")" 2>/dev/null || true; sleep 0.2; fi
  rm -f "$home/kafka.pid"
  if [ "$WIPE" = 1 ]; then rm -rf "$home"; fi
done
