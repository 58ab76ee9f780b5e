#!/bin/sh
# Train ResNet-50 on a folder of images, or on generated ones where no folder is given.
#
#   sh entry/train.sh [EPOCHS] [DATA] [key=value ...]
#
# EPOCHS: 90 with DATA, 1 without. DATA: holds train/ and val/ with one folder per class; '' means generated images.
# Earlier runs stay as they are: each run takes a folder of its own.
set -eu
ROOT=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
. "$ROOT/entry/_setup.sh"
as_typed sh "$0" "$@"

# Options and key=value may stand where EPOCHS or DATA is left out.
is_option() { case $1 in --* | *=*) true ;; *) false ;; esac; }
epochs=
data=
if [ $# -gt 0 ] && ! is_option "$1"; then epochs=$1 && shift; fi
if [ $# -gt 0 ] && ! is_option "$1"; then data=$1 && shift; fi
case $epochs in
*[!0-9]*) die "EPOCHS must be a whole number, not '$epochs'; usage: sh entry/train.sh [EPOCHS] [DATA] [key=value ...]" ;;
esac

use_environment
if [ -z "$data" ]; then
    say "Loading synthetic data."
    exec "$PYTHON" -m ding_cls train --model resnet50 --synthetic --epochs "${epochs:-1}" "$@"
fi
exec "$PYTHON" -m ding_cls train --model resnet50 --data "$data" --epochs "${epochs:-90}" "$@"
