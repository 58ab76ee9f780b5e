#!/usr/bin/env bash
# The second command: set up, then the linters and the tests.
#
#   bash entry/test.sh         what a newcomer runs: under five minutes on two cores
#   bash entry/test.sh --ci    with the slow tests: at most 40 minutes
#   bash entry/test.sh --all   with the long campaigns
#
# Further arguments go to pytest (bash entry/test.sh --ci -k resume). A test that cannot run on this machine skips
# itself and is listed with its reason.
# 'sh entry/...' works too.
[ -n "${BASH_VERSION:-}" ] || exec bash "$0" "$@"
set -eu
ROOT=$(CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
. "$ROOT/entry/_setup.sh"

tests=(-m "not slow and not campaign and not gpu and not slurm")
case "${1:-}" in
--ci) tests=(-m "not campaign and not gpu") && shift ;;
--all) tests=() && shift ;;
esac

failed=()
step() {
    local name=$1 begin=$SECONDS
    shift
    printf '== %s\n' "$name"
    "$@" || failed+=("$name")
    printf '   %d s\n' $((SECONDS - begin))
}

setup_environment dev
cd "$ROOT"
written=()
for each in *.md ding_cls dizoo entry tests docs examples benchmarks; do
    if [[ -e $each ]]; then written+=("$each"); fi
done

# mypy and import-linter keep one core each: they run beside the others, and what they say is printed in its turn.
beside() {
    local code=0
    "$@" 2>&1 || code=$?
    printf '\n%d\n' "$code"
}
exec 3< <(beside "$PYTHON" -m mypy) 4< <(beside "$ENVIRONMENT/bin/lint-imports")
answer() {
    local said
    said=$(cat <&"$1")
    printf '%s\n' "${said%$'\n'*}"
    return "${said##*$'\n'}"
}

step "ruff check" "$PYTHON" -m ruff check .
step "ruff format" "$PYTHON" -m ruff format --check .
step "codespell" "$PYTHON" -m codespell_lib "${written[@]}"
# A process for each core, four at most: the tests are many and small. What passes leaves no folder, and what Python
# compiles it keeps: of hundreds of files the processes do not each make the same again.
unset PYTHONDONTWRITEBYTECODE
pytest=(--durations 25 -o tmp_path_retention_policy=failed --numprocesses auto --maxprocesses 4 --dist worksteal)
step "pytest" "$PYTHON" -m pytest -rs "${pytest[@]}" ${tests[@]+"${tests[@]}"} "$@"
step "mypy" answer 3
step "lint-imports" answer 4

if ((${#failed[@]})); then
    printf 'FAILED: %s\n' "${failed[*]}"
    exit 1
fi
printf 'all passed in %d s\n' "$SECONDS"
