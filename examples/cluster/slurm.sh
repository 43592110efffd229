#!/usr/bin/env bash
#SBATCH --job-name=gqa-convert
#SBATCH --array=0-7
#SBATCH --cpus-per-task=2
#SBATCH --mem=4G
#SBATCH --time=04:00:00
#SBATCH --requeue
# Converts a sharded checkpoint with an array of workers, each taking every n-th shard, then makes it whole. A task that
# is requeued skips the shards that are done. `gqa` must be on the path of the nodes, both folders on a shared disk:
#
#   export SOURCE=/models/source OUT=/models/source-gqa8 OPTIONS="--kv-heads 8 --method mean"
#   id=$(sbatch --parsable slurm.sh)
#   sbatch --dependency=afterok:$id --array=0 slurm.sh finish
set -euo pipefail

read -ra options <<<"${OPTIONS:?}"
if [ "${1:-}" = finish ]; then
  exec gqa convert "${SOURCE:?}" "${options[@]}" --out "${OUT:?}" --finish
fi
exec gqa convert "${SOURCE:?}" "${options[@]}" --out "${OUT:?}" --shards "$SLURM_ARRAY_TASK_ID/$SLURM_ARRAY_TASK_COUNT"
