#!/usr/bin/env bash
# Evaluate a checkpoint with N processes on this machine, under torchrun; the numbers are those of one process.
#
#   bash entry/dist_test.sh [CONFIG] CKPT N [--data DIR] [--split val|test] [--out FILE] [key=value ...]
#
# CONFIG: data and metric are its own, not those of the run. All behind N goes to 'ding-cls eval'.
# On several machines: see NNODES, NODE_RANK, MASTER_ADDR and PORT in _torchrun.sh.
# 'sh entry/...' works too.
[ -n "${BASH_VERSION:-}" ] || exec bash "$0" "$@"
set -eu
ROOT=$(CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
. "$ROOT/entry/_setup.sh"
. "$ROOT/entry/_torchrun.sh"

[ $# -ge 2 ] || die "usage: bash entry/dist_test.sh [CONFIG] CKPT N [--data DIR] [--split val|test]"
files=("$1")
shift
case $1 in
*[!0-9]*)
    # A second file; of a wrong number of processes run_on_all tells.
    if [ $# -ge 2 ] && [[ $2 != -* ]]; then
        files+=("$1")
        shift
    fi
    ;;
esac
num_processes=$1
shift
use_environment
run_on_all "$num_processes" "$ROOT/entry/evaluate.py" "${files[@]}" "$@"
