#!/usr/bin/env bash
# Usage: tools/slurm_test.sh PARTITION JOB CONFIG CHECKPOINT [arguments of tools/test.py]
# GPUS (8), GPUS_PER_NODE (8), CPUS_PER_TASK (5) and SRUN_ARGS of the environment go to srun.
set -euo pipefail
if [ "$#" -lt 4 ]; then
    echo "usage: tools/slurm_test.sh PARTITION JOB CONFIG CHECKPOINT [arguments of tools/test.py]" >&2
    exit 2
fi

PARTITION=$1
JOB=$2
CONFIG=$3
CHECKPOINT=$4
PER_NODE=${GPUS_PER_NODE:-8}
# One port for all tasks, another one for each job.
export MASTER_PORT="${MASTER_PORT:-$((12000 + RANDOM % 20000))}"
# shellcheck disable=SC2086  SRUN_ARGS are several words
exec srun --partition="$PARTITION" --job-name="$JOB" --gres=gpu:"$PER_NODE" --ntasks="${GPUS:-8}" \
    --ntasks-per-node="$PER_NODE" --cpus-per-task="${CPUS_PER_TASK:-5}" --kill-on-bad-exit=1 ${SRUN_ARGS:-} \
    python -u "$(dirname "$0")/test.py" "$CONFIG" "$CHECKPOINT" --launcher slurm "${@:5}"
