"""What a signal does before training, in it, and after; nested, in forks, twice."""

import multiprocessing
import os
import signal
import time

import pytest

from ding_cls.common.command import part_of
from ding_cls.common.stops.signals import StopSignals, deferred_stops, early_stops, end_early_stops
from ding_cls.errors import RunStopped

ALL = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1)


def send(number: signal.Signals) -> None:
    os.kill(os.getpid(), number)


@pytest.fixture(autouse=True)
def _handlers_come_back() -> object:
    before = [signal.getsignal(each) for each in ALL]
    yield
    assert [signal.getsignal(each) for each in ALL] == before


@pytest.mark.parametrize("number", ALL)
def test_before_training_a_signal_raises_where_the_program_is(number: signal.Signals) -> None:
    reached = []

    def job() -> None:
        with early_stops():
            send(number)
            reached.append("behind")

    with pytest.raises(RunStopped, match=f"stopped by {number.name} before training began") as raised:
        job()
    assert reached == []
    assert raised.value.code == 75


@pytest.mark.parametrize("number", ALL)
def test_what_must_not_be_cut_in_two_is_finished_first(number: signal.Signals) -> None:
    reached = []

    def job() -> None:
        with early_stops():
            with deferred_stops():
                send(number)
                reached.append("held")
            reached.append("behind")

    with pytest.raises(RunStopped):
        job()
    assert reached == ["held"]


def test_a_signal_that_was_swallowed_stops_the_next_part() -> None:
    reached = []

    def job() -> None:
        with early_stops():
            try:
                send(signal.SIGTERM)
            except RunStopped:
                reached.append("swallowed, as a library may")
            with early_stops():
                reached.append("behind")

    with pytest.raises(RunStopped):
        job()
    assert len(reached) == 1


def test_the_loop_inside_sees_the_flag_and_nothing_is_raised_behind_it() -> None:
    with early_stops():
        with StopSignals() as stop:
            send(signal.SIGTERM)
            assert stop.received == "SIGTERM"
        assert stop.received == "SIGTERM"


def test_after_training_nothing_is_raised() -> None:
    with early_stops():
        with StopSignals():
            pass
        send(signal.SIGUSR1)


def test_between_folds_a_signal_raises_again() -> None:
    def job() -> None:
        with early_stops(), part_of("cv"):
            with early_stops(), StopSignals():
                pass
            send(signal.SIGHUP)

    with pytest.raises(RunStopped, match="folds that are finished stay in 'cv'"):
        job()


def test_a_loop_of_ones_own_has_the_usual_effects() -> None:
    with early_stops():
        end_early_stops()
        with pytest.raises(KeyboardInterrupt):
            send(signal.SIGINT)
        with StopSignals() as stop:
            send(signal.SIGINT)
            assert stop.received == "SIGINT"


def test_a_programs_own_handler_of_sigusr1_stays() -> None:
    calls = []
    before = signal.signal(signal.SIGUSR1, lambda *_: calls.append("own"))
    try:
        with StopSignals() as stop:
            send(signal.SIGUSR1)
            assert stop.received is None
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert calls == ["own"]


def test_a_lost_terminals_several_hangups_are_one() -> None:
    with StopSignals() as stop:
        for _ in range(3):
            send(signal.SIGHUP)
        assert stop.received == "SIGHUP"


def test_what_torchrun_passes_on_is_one_with_the_schedulers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "none")
    with StopSignals() as stop:
        send(signal.SIGTERM)
        send(signal.SIGTERM)
        assert stop.received == "SIGTERM"


def test_a_forked_process_outlives_all_but_its_parents_sigterm() -> None:
    context = multiprocessing.get_context("fork")
    with StopSignals() as stop:
        child = context.Process(target=time.sleep, args=(60,))
        child.start()
        for number in ALL[1:]:
            os.kill(child.pid or 0, number)
        child.join(0.3)
        assert child.is_alive()
        child.terminate()
        child.join(20)
        assert child.exitcode == -signal.SIGTERM
        assert stop.received is None
