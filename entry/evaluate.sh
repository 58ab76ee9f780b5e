#!/bin/sh
# Evaluate a checkpoint; without one, the newest ckpt_best.pth.tar below the current folder.
#
#   sh entry/evaluate.sh [CKPT] [DATA] [--split val|test]
#
# DATA: the folder to evaluate on; '' or nothing means the one that the run was trained with.
set -eu
ROOT=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
. "$ROOT/entry/_setup.sh"

newest_best() {
    find . -name '.?*' -prune -o -path '*/ckpt/ckpt_best.pth.tar' -print | {
        newest=
        while IFS= read -r each; do
            # A program with a loop of its own says nothing of its model: only it can judge its checkpoints.
            [ -f "${each%/ckpt/*}/total_config.py" ] || continue
            # shellcheck disable=SC3013  # dash, bash and busybox all know -nt
            if [ -z "$newest" ] || [ "$each" -nt "$newest" ]; then newest=$each; fi
        done
        printf '%s' "$newest"
    }
}

ckpt=${1:-}
data=${2:-}
if [ $# -gt 2 ]; then shift 2; else shift $#; fi
if [ -z "$ckpt" ]; then
    ckpt=$(newest_best)
    [ -n "$ckpt" ] || die "no ckpt/ckpt_best.pth.tar lies below $PWD; train first (sh entry/train.sh), or name one: sh entry/evaluate.sh CKPT [DATA]"
    say "Evaluating the newest best checkpoint here: $ckpt"
fi

use_environment
if [ -n "$data" ]; then set -- --data "$data" "$@"; fi
exec "$PYTHON" -m ding_cls eval "$ckpt" "$@"
