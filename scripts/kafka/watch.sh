#!/usr/bin/env bash
# Started by start.sh: watch.sh DIR PID...
# When one of the processes is gone, however it ended, stops the nodes in DIR and removes it. Ends when DIR is gone.
set -uo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
DIR=$1; shift
while [ -d "$DIR" ]; do
  if ! are_alive "$@"; then
    "$HERE/stop.sh" --dir "$DIR" --kill --wipe
    # A node that was just being started.
    sleep 2
    "$HERE/stop.sh" --dir "$DIR" --kill --wipe
    rm -rf -- "$DIR"
  fi
  sleep 1
done
