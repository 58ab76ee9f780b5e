# shellcheck shell=sh
# Sourced by dist_train.sh and dist_test.sh after _setup.sh: run_on_all N SCRIPT ARGUMENT ... starts N processes here.
#
# One machine by default. On several, type the same command on each, with NNODES (how many machines), NODE_RANK (which
# of them this is, from 0), MASTER_ADDR (the first one's address) and PORT (free there; 29500 by default).

run_on_all() {
    num_processes=$1
    shift
    case $num_processes in
    '' | 0 | *[!0-9]*) die "the number of processes must be a whole number from 1 up, not '$num_processes'" ;;
    esac
    # torchrun would give each process a single thread.
    cores=$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 1)
    threads=$((cores / num_processes))
    export OMP_NUM_THREADS="${OMP_NUM_THREADS:-$((threads > 0 ? threads : 1))}"

    # SIGUSR1 is SLURM's warning; by itself torchrun would end by it and leave the processes alone.
    export PET_SIGNALS_TO_HANDLE="${PET_SIGNALS_TO_HANDLE:-SIGTERM,SIGINT,SIGHUP,SIGQUIT,SIGUSR1}"

    if [ "${NNODES:-1}" = 1 ]; then
        launch "$PYTHON" -m torch.distributed.run --standalone --nproc_per_node "$num_processes" "$@"
    fi
    if [ -z "${MASTER_ADDR:-}" ] || [ -z "${NODE_RANK:-}" ]; then
        die "NNODES=$NNODES needs NODE_RANK (${NODE_RANK:-not set}: which machine this is, from 0) and MASTER_ADDR (${MASTER_ADDR:-not set}: the address of machine 0)"
    fi
    launch "$PYTHON" -m torch.distributed.run --nnodes "$NNODES" --node_rank "$NODE_RANK" \
        --master_addr "$MASTER_ADDR" --master_port "${PORT:-29500}" --nproc_per_node "$num_processes" "$@"
}

# Run torchrun, pass signals on to it, and exit with its code: 75 where a signal stopped and saved the run, which torchrun
# reports as 1 like any failure. The processes leave a mark then.
launch() {
    export DING_CLS_STOP_MARK="${TMPDIR:-/tmp}/ding_cls_stopped.$$"
    if [ -e "$DING_CLS_STOP_MARK" ]; then rm -f "$DING_CLS_STOP_MARK"; fi
    # Without job control bash has a job in the background ignore Ctrl-C.
    set -m
    "$@" &
    launched=$!
    set +m
    for each in TERM INT HUP USR1; do
        # shellcheck disable=SC2064  # now, not when the signal comes
        trap "kill -$each $launched 2>/dev/null || true" "$each"
    done
    code=0
    wait "$launched" || code=$?
    # A signal ends the wait, not torchrun.
    while kill -0 "$launched" 2>/dev/null; do
        code=0
        wait "$launched" || code=$?
    done
    if [ -e "$DING_CLS_STOP_MARK" ]; then
        rm -f "$DING_CLS_STOP_MARK"
        if [ "$code" != 0 ]; then code=75; fi
    fi
    exit "$code"
}
