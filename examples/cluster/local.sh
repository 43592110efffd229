#!/usr/bin/env bash
# The same on one machine: n workers as processes, each started again up to 3 times if it fails, then the finish.
#
#   ./local.sh 4 /models/source /models/source-gqa8 --kv-heads 8 --method mean
set -euo pipefail

n=$1 source=$2 out=$3
shift 3

worker() {
  for _ in 1 2 3; do
    if gqa convert "$source" "${@:2}" --out "$out" --shards "$1/$n"; then return 0; fi
    echo "worker $1/$n failed; again" >&2
  done
  return 1
}

pids=()
for ((i = 0; i < n; i++)); do
  worker "$i" "$@" &
  pids+=($!)
done
for pid in "${pids[@]}"; do wait "$pid"; done
gqa convert "$source" "$@" --out "$out" --finish
