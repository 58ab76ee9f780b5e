#!/usr/bin/env bash
# Train with N processes on this machine, one per GPU (or on the CPU's cores), under torchrun.
#
#   bash entry/dist_train.sh CONFIG N [key=value ...]
#
# On several machines: see NNODES, NODE_RANK, MASTER_ADDR and PORT in _torchrun.sh.
# 'sh entry/...' works too.
[ -n "${BASH_VERSION:-}" ] || exec bash "$0" "$@"
set -eu
ROOT=$(CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
. "$ROOT/entry/_setup.sh"
as_typed sh "$0" "$@"
. "$ROOT/entry/_torchrun.sh"

[ $# -ge 2 ] || die "usage: bash entry/dist_train.sh CONFIG N [key=value ...]"
config=$1
num_processes=$2
shift 2
use_environment
run_on_all "$num_processes" "$ROOT/entry/train.py" "$config" policy.multi_gpu=True "$@"
