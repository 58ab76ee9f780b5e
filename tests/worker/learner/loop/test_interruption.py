"""Signals set a flag; the second one has its usual effect; handlers come back."""

import multiprocessing
import os
import signal
import threading

import pytest

from ding_cls.worker.learner.loop.interruption import StopSignals


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_sets_the_flag_and_the_handlers_come_back(number: signal.Signals) -> None:
    before = {each: signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGINT)}
    stop = StopSignals()
    with stop:
        assert stop.received is None
        assert all(signal.getsignal(each) != before[each] for each in before)
        os.kill(os.getpid(), number)
        assert stop.received == number.name
        # From here on a second signal has its usual effect.
        assert {each: signal.getsignal(each) for each in before} == before
    assert {each: signal.getsignal(each) for each in before} == before
    assert stop.received == number.name


def test_a_users_own_handler_comes_back_after_an_error() -> None:
    calls = []
    previous = signal.signal(signal.SIGTERM, lambda *args: calls.append(args))
    try:
        with pytest.raises(ZeroDivisionError), StopSignals() as stop:
            raise ZeroDivisionError
        os.kill(os.getpid(), signal.SIGTERM)
        assert len(calls) == 1
        assert stop.received is None
    finally:
        signal.signal(signal.SIGTERM, previous)


def test_a_second_interrupt_is_a_keyboard_interrupt() -> None:
    with StopSignals() as stop:
        os.kill(os.getpid(), signal.SIGTERM)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    assert stop.received == "SIGTERM"


def test_a_second_sigterm_ends_the_process() -> None:
    ours, theirs = multiprocessing.Pipe(duplex=False)

    def job() -> None:
        with StopSignals():
            for each in ("first", "second"):
                os.kill(os.getpid(), signal.SIGTERM)
                theirs.send(each)

    process = multiprocessing.get_context("fork").Process(target=job)
    process.start()
    theirs.close()
    process.join(60)
    assert process.exitcode == -signal.SIGTERM
    assert ours.recv() == "first"
    with pytest.raises(EOFError):
        ours.recv()


def test_the_first_reason_stays() -> None:
    stop = StopSignals()
    stop.request("one")
    stop.request("two")
    assert stop.received == "one"


def test_another_thread_leaves_the_handlers_alone() -> None:
    before, found = signal.getsignal(signal.SIGTERM), []

    def run() -> None:
        with StopSignals() as stop:
            found.append(signal.getsignal(signal.SIGTERM))
            stop.request("asked")
            found.append(stop.received)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert found == [before, "asked"]


def test_a_signal_that_is_ignored_stays_ignored() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with StopSignals() as signals:
            os.kill(os.getpid(), signal.SIGINT)
            assert signals.received is None
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
