#!/bin/sh
# What a trained network says of an image: its path, then 'score name'. Without arguments the demo's run (entry/demo.sh)
# sees one of the handwritten digits that it was not trained on.
#
#   sh entry/inference.sh [CKPT] [IMAGE] [--topk N] [--out FILE] ...
#
# CKPT: a run's folder or a checkpoint. IMAGE: a file, a folder, or a pattern in quotes.
set -eu
ROOT=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
. "$ROOT/entry/_setup.sh"

if [ $# -eq 1 ]; then
    die "which image? sh entry/inference.sh '$1' IMAGE; IMAGE is a file, a folder, or a pattern in quotes"
fi
if [ $# -ge 2 ]; then
    use_environment
    ckpt=$1
    shift
    exec "$PYTHON" -m ding_cls predict "$ckpt" --topk 1 "$@"
fi
run=$(newest_demo)
[ -n "$run" ] || die "there is no run of the demo here; train it (bash entry/demo.sh), or name a run and an image: sh entry/inference.sh CKPT IMAGE"
say "The demo's run $run, and one of its test images:"
use_environment
exec "$PYTHON" -m ding_cls predict "$run" --topk 1 "$(demo_image)"
