#!/bin/sh
# A trained network as an ONNX file, which is written only if it says the same: 'Are the results equal? Yes'. Without
# arguments it is the demo's run (entry/demo.sh), and one of the handwritten digits that it was not trained on.
#
#   sh entry/export_onnx.sh [CKPT] [--image FILE] [--out FILE] [--samples N] ...
#
# CKPT: a run's folder or a checkpoint.
set -eu
ROOT=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
. "$ROOT/entry/_setup.sh"

use_exporter() {
    use_environment
    "$PYTHON" -c 'import onnx, onnxruntime, onnxscript' 2>/dev/null || install_package export
}

if [ $# -ge 1 ] && [ "${1#-}" = "$1" ]; then
    use_exporter
    exec "$PYTHON" -m ding_cls export "$@"
fi
run=$(newest_demo)
[ -n "$run" ] || die "there is no run of the demo here; train it (bash entry/demo.sh), or name a run: sh entry/export_onnx.sh CKPT"
use_exporter
if [ $# -ge 1 ]; then
    say "The demo's run $run:"
else
    say "The demo's run $run, and one of its test images:"
    set -- --image "$(demo_image)"
fi
exec "$PYTHON" -m ding_cls export "$run" "$@"
