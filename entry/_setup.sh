# shellcheck shell=sh
# Sourced by the launchers beside it, with ROOT set to the checkout; POSIX sh. It sets PYTHON and installs what is
# missing. Nothing is ever deleted.
#
#   setup_environment [EXTRA]   install the package (with pyproject's EXTRA) unless that was done before
#   use_environment             take the environment as it is where it will do, else set it up
#   need_environment            take it as it is, or stop: for machines that must not install anything

# The doors of a checkout run the checkout's own code, whatever else is installed.
PYTHONPATH="$ROOT${PYTHONPATH:+:$PYTHONPATH}"
export PYTHONPATH

# as_typed WORD ...: what was typed, for the line that a stopped run prints to be pasted.
as_typed() {
    DING_CLS_COMMAND=
    for word in "$@"; do
        DING_CLS_COMMAND="$DING_CLS_COMMAND'$(printf '%s' "$word" | sed "s/'/'\\\\''/g")' "
    done
    export DING_CLS_COMMAND
}

say() { printf '%s\n' "$*"; }
die() {
    printf '%s\n' "$*" >&2
    exit 2
}

# shellcheck disable=SC2120
setup_environment() {
    find_environment
    [ -n "$PYTHON" ] || make_environment
    stamp=$( (cat "$ROOT/pyproject.toml" && printf '%s' "$ROOT") | cksum)
    # What the tests need contains what the demo needs.
    for done_before in "$ENVIRONMENT/.ding_cls_${1:-run}" "$ENVIRONMENT/.ding_cls_dev"; do
        if [ -f "$done_before" ] && [ "$(cat "$done_before")" = "$stamp" ]; then return 0; fi
    done
    install_package "${1:-}"
    printf '%s\n' "$stamp" >"$ENVIRONMENT/.ding_cls_${1:-run}"
}

use_environment() {
    find_environment
    if [ -z "$PYTHON" ] || ! has_dependencies; then setup_environment; fi
}

need_environment() {
    find_environment
    if [ -z "$PYTHON" ] || ! has_dependencies; then
        die "ding_cls is not installed in ${ENVIRONMENT}; set it up once where there is a network: bash '$ROOT/entry/demo.sh'"
    fi
}

# The newest run of entry/demo.sh, here or in the checkout.
newest_demo() {
    newest=
    for each in "$PWD"/digits_res18*/ckpt/ckpt_best.pth.tar "$ROOT"/digits_res18*/ckpt/ckpt_best.pth.tar; do
        # shellcheck disable=SC3013  # dash, bash and busybox all know -nt
        if [ -f "$each" ] && { [ -z "$newest" ] || [ "$each" -nt "$newest" ]; }; then newest=$each; fi
    done
    printf '%s' "${newest%/ckpt/*}"
}

# One of the handwritten digits that the demo's runs were not trained on.
demo_image() {
    "$PYTHON" -c 'import ding_cls.data; print(min((ding_cls.data.write_digits() / "test" / "3").iterdir()))'
}

# The active virtual or conda environment, else the checkout's .venv; PYTHON stays empty where that is not made yet.
find_environment() {
    ENVIRONMENT=${VIRTUAL_ENV:-${CONDA_PREFIX:-}}
    if [ -z "$ENVIRONMENT" ]; then
        ENVIRONMENT=$ROOT/.venv
        PYTHON=
        if [ -x "$ENVIRONMENT/bin/python" ] && "$ENVIRONMENT/bin/python" -c 'import pip' 2>/dev/null; then
            PYTHON=$ENVIRONMENT/bin/python
        fi
        return 0
    fi
    PYTHON=$ENVIRONMENT/bin/python
    [ -x "$PYTHON" ] || die "the active environment $ENVIRONMENT has no bin/python; leave it (deactivate), then run this again"
    found=$(python_version "$PYTHON") ||
        die "ding_cls needs Python 3.11 or newer; the active environment $ENVIRONMENT has ${found:-none that starts}; leave it (deactivate), then run this again"
}

make_environment() {
    choose_python
    "$BASE_PYTHON" -c 'import venv, ensurepip' 2>/dev/null ||
        die "$BASE_PYTHON cannot make a virtual environment (no venv or ensurepip); on Debian and Ubuntu: apt install python3-venv; then run this again"
    say "Making a virtual environment in $ENVIRONMENT"
    "$BASE_PYTHON" -m venv "$ENVIRONMENT" || die "$BASE_PYTHON -m venv $ENVIRONMENT failed; its own lines are above"
    PYTHON=$ENVIRONMENT/bin/python
}

# BASE_PYTHON: what the caller set, else the first on PATH that is new enough.
choose_python() {
    seen=
    if [ -n "${BASE_PYTHON:-}" ]; then
        set -- "$BASE_PYTHON"
    else
        set -- python3 python3.13 python3.12 python3.11 python3.14 python
    fi
    for candidate in "$@"; do
        path=$(command -v "$candidate" 2>/dev/null) || continue
        if found=$(python_version "$path"); then
            BASE_PYTHON=$path
            return 0
        fi
        seen="$seen${seen:+, }$path is ${found:-broken}"
    done
    say "ding_cls needs Python 3.11 or newer; found ${seen:-no python on PATH}." >&2
    die "Get one (Debian, Ubuntu: apt install python3 python3-venv; macOS: brew install python@3.12; anywhere: conda create -n ding python=3.12, then conda activate ding), or name it: BASE_PYTHON=/path/to/python3.12; then run this again."
}

python_version() { "$1" -c 'import sys; print("%d.%d.%d" % sys.version_info[:3]); sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

has_dependencies() {
    "$PYTHON" - <<'END'
import importlib.util, sys
names = ("torch", "torchvision", "numpy", "PIL", "tensorboardX", "easydict", "yaml", "rich")
sys.exit(any(importlib.util.find_spec(name) is None for name in names))
END
}

install_package() {
    "$PYTHON" -c 'import pip' 2>/dev/null || die "the environment $ENVIRONMENT has no pip; run: '$PYTHON' -m ensurepip"
    log=$ENVIRONMENT/ding_cls_install.log
    say "Installing ding_cls and what it needs into $ENVIRONMENT; the first time this takes some minutes (PyTorch is large) ..."
    # Not through a pipe: pip draws its progress on a terminal alone.
    if ! (cd "$ROOT" && PIP_DISABLE_PIP_VERSION_CHECK=1 "$PYTHON" -m pip install --log "$log" -e ".${1:+[$1]}"); then
        die "the installation failed; pip's last lines are above, all it did in $log; nothing was removed, run this again when it is mended"
    fi
}
