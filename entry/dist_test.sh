#!/usr/bin/env bash
# Evaluate a checkpoint with N processes on this machine, under torchrun; the numbers are those of one process.
#
#   bash entry/dist_test.sh CKPT N [--data DIR] [--split val|test]
#
# On several machines: see NNODES, NODE_RANK, MASTER_ADDR and PORT in _torchrun.sh.
# 'sh entry/...' works too.
[ -n "${BASH_VERSION:-}" ] || exec bash "$0" "$@"
set -eu
ROOT=$(CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
. "$ROOT/entry/_setup.sh"
. "$ROOT/entry/_torchrun.sh"

[ $# -ge 2 ] || die "usage: bash entry/dist_test.sh CKPT N [--data DIR] [--split val|test]"
ckpt=$1
num_processes=$2
shift 2
use_environment
run_on_all "$num_processes" "$ROOT/entry/evaluate.py" "$ckpt" "$@"
