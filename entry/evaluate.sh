#!/bin/sh
# Evaluate a checkpoint; without one, the newest ckpt_best.pth.tar below the current folder.
#
#   sh entry/evaluate.sh [CKPT] [DATA] [--split val|test] [--metric NAME] [--out FILE] [key=value ...]
#
# DATA: the folder to evaluate on; '' or nothing means the one that the run was trained with.
# All that follows goes to 'ding-cls eval'.
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

# An option, or key=value that is no file's name, begins what 'ding-cls eval' is told besides.
is_further() {
    case $1 in
    -*) return 0 ;;
    *=*) [ ! -e "$1" ] ;;
    *) return 1 ;;
    esac
}

ckpt=
data=
if [ $# -gt 0 ] && ! is_further "$1"; then
    ckpt=$1
    shift
    if [ $# -gt 0 ] && ! is_further "$1"; then
        data=$1
        shift
    fi
fi
if [ -z "$ckpt" ]; then
    ckpt=$(newest_best)
    [ -n "$ckpt" ] || die "no ckpt/ckpt_best.pth.tar lies below $PWD; train first (sh entry/train.sh), or name one: sh entry/evaluate.sh CKPT [DATA]"
    say "Evaluating the newest best checkpoint here: $ckpt"
fi

use_environment
if [ -n "$data" ]; then set -- --data "$data" "$@"; fi
exec "$PYTHON" -m ding_cls eval "$ckpt" "$@"
