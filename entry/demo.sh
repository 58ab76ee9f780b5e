#!/usr/bin/env bash
# The first command: set up, then train the main job, then write a report of it to open in a browser. Without --data it
# trains on the handwritten digits that the package carries. Arguments go to the main job; its run folder, with the
# report in it, appears in the checkout.
#
#   bash entry/demo.sh [--data DIR] [--seed N] [key=value ...]
# 'sh entry/...' works too.
[ -n "${BASH_VERSION:-}" ] || exec bash "$0" "$@"
set -eu
ROOT=$(CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
CALLER=$PWD
. "$ROOT/entry/_setup.sh"
as_typed sh "$0" "$@"

# The job runs in the checkout: a relative folder of data still means the caller's.
arguments=()
previous=
for argument in "$@"; do
    if [[ $previous == --data && -e $CALLER/$argument ]]; then argument=$CALLER/$argument; fi
    if [[ $argument == --data=* && -e $CALLER/${argument#--data=} ]]; then argument=--data=$CALLER/${argument#--data=}; fi
    arguments+=("$argument")
    previous=$argument
done

setup_environment
cd "$ROOT"
export DING_CLS_REPORT=1
exec "$PYTHON" -m dizoo.image_classification.entry.imagenet_res18_main ${arguments[@]+"${arguments[@]}"}
