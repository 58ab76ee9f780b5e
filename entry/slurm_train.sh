#!/usr/bin/env bash
# Train under SLURM, one task per GPU.
#
#   sbatch entry/slurm_train.sh CONFIG [key=value ...]
#
# Options given to sbatch win over the lines below, so two machines with eight GPUs each, for a day, are
#   sbatch --nodes=2 --ntasks-per-node=8 --gres=gpu:8 --time=24:00:00 --partition=NAME entry/slurm_train.sh CONFIG
# and a cluster without GPUs takes
#   sbatch --gres=none entry/slurm_train.sh CONFIG
#
# The name in squeue, and the file for all output (%j is the job's number):
#SBATCH --job-name=ding_cls
#SBATCH --output=slurm-%j.out
# Machines; on each as many tasks as GPUs, since every task drives one; the cores of a task feed its GPU:
#SBATCH --nodes=1
#SBATCH --ntasks-per-node=1
#SBATCH --gres=gpu:1
#SBATCH --cpus-per-task=4
# Two minutes before the time is up the tasks get SIGTERM: the run saves at the next step and can be resumed.
#SBATCH --signal=TERM@120
set -eu

if [ -z "${SLURM_JOB_ID:-}" ]; then
    echo "this script is for SLURM; submit it: sbatch entry/slurm_train.sh CONFIG [key=value ...]" >&2
    exit 2
fi
# sbatch runs a copy of this file from its own folder; the job's record knows where it was.
ROOT=$(scontrol show job "$SLURM_JOB_ID" | sed -n 's/^ *Command=//p')
ROOT=${ROOT%%/entry/slurm_train.sh*}
if [ ! -f "$ROOT/entry/train.py" ]; then ROOT=$SLURM_SUBMIT_DIR; fi
if [ ! -f "$ROOT/entry/train.py" ]; then
    echo "no checkout in $ROOT; submit from the checkout's root: sbatch entry/slurm_train.sh CONFIG" >&2
    exit 2
fi
. "$ROOT/entry/_setup.sh"
as_typed sbatch "$ROOT/entry/slurm_train.sh" "$@"

[ $# -ge 1 ] || die "usage: sbatch entry/slurm_train.sh CONFIG [key=value ...]"
config=$1
shift
need_environment
# srun does not take over the cores per task from sbatch by itself; one task that dies ends the others.
exec srun --kill-on-bad-exit=1 ${SLURM_CPUS_PER_TASK:+--cpus-per-task="$SLURM_CPUS_PER_TASK"} \
    "$PYTHON" "$ROOT/entry/train.py" "$config" policy.multi_gpu=True "$@"
