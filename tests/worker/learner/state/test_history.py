"""One row an epoch: means over samples, exactly, also across a resume."""

import math
import time

import pytest
import torch

from ding_cls.worker.learner.state.history import History


def values(loss: float, acc1: float, lr: float = 0.5) -> dict[str, object]:
    return {"total_loss": torch.tensor(loss), "acc1": torch.tensor(acc1), "cur_lr": lr, "other": "ignored"}


def test_a_row_holds_means_over_samples_not_over_batches() -> None:
    history = History()
    assert not history.is_open
    history.add(values(1.0, 100.0), 30)
    history.add(values(4.0, 50.0, 0.25), 10)
    assert history.is_open
    row = history.close(epoch=3, train_iter=8, evaluation={"loss": 0.5, "acc1": 75.0})
    assert row.pop("seconds") == 0.0
    assert row == {
        "epoch": 3,
        "train_iter": 8,
        "lr": 0.25,
        "train_loss": (30 * 1.0 + 10 * 4.0) / 40,
        "train_acc1": 87.5,
        "val_loss": 0.5,
        "val_acc1": 75.0,
    }
    assert not history.is_open
    assert len(history.rows) == 1


def test_plain_numbers_and_missing_ones_are_taken() -> None:
    history = History()
    history.add({"total_loss": 2.0}, 4)
    row = history.close(epoch=0, train_iter=1, evaluation={})
    assert (row["train_loss"], row["lr"]) == (2.0, 0.0)
    assert "train_acc1" not in row
    history.add({}, 4)
    assert list(history.close(epoch=1, train_iter=2, evaluation={})) == [
        "epoch",
        "train_iter",
        "lr",
        "seconds",
    ]


def test_the_next_epoch_begins_at_nothing() -> None:
    history = History()
    for epoch, loss in enumerate((5.0, 1.0)):
        history.add(values(loss, 0.0), 3)
        assert history.close(epoch=epoch, train_iter=epoch + 1, evaluation={})["train_loss"] == loss


@pytest.mark.parametrize("stop", range(5))
def test_state_in_mid_epoch_gives_the_same_row(stop: int) -> None:
    losses = [0.1, 1.7, 3.3, 0.013]
    whole, history = History(), History()
    for number, loss in enumerate(losses):
        if number == stop:
            state = history.state_dict()
            history = History()
            history.load_state_dict(state)
            assert history.is_open == (number > 0)
        for each in (whole, history):
            each.add(values(loss, 25.0), 7)
    expected = whole.close(epoch=0, train_iter=4, evaluation={})
    found = history.close(epoch=0, train_iter=4, evaluation={})
    assert {k: v for k, v in found.items() if k != "seconds"} == {
        k: v for k, v in expected.items() if k != "seconds"
    }


def test_rows_that_were_handed_out_are_not_the_states() -> None:
    history = History()
    history.add(values(1.0, 1.0), 1)
    history.close(epoch=0, train_iter=1, evaluation={})
    state = history.state_dict()
    history.rows[0]["epoch"] = 99
    assert state["rows"][0]["epoch"] == 0


def test_seconds_count_only_while_the_clock_runs_and_survive_a_state() -> None:
    history = History()
    history.add(values(1.0, 1.0), 1)
    history.resume_clock()
    time.sleep(0.02)
    state = history.state_dict()
    assert 0.02 <= state["seconds"] < 5
    time.sleep(0.02)
    other = History()
    other.load_state_dict(state)
    assert other.close(epoch=0, train_iter=1, evaluation={})["seconds"] == state["seconds"]
    assert history.close(epoch=0, train_iter=1, evaluation={})["seconds"] >= state["seconds"] + 0.02


def test_alone_pooling_changes_nothing() -> None:
    history = History()
    history.add(values(1.0, 1.0), 3)
    before = history.state_dict()
    history.pool()
    after = history.state_dict()
    assert (after["sums"], after["count"]) == (before["sums"], before["count"])


def test_a_note_stands_in_its_epochs_row_alone() -> None:
    history = History()
    history.add({"total_loss": 1.0}, 4)
    history.note("val_total_loss", 0.25)
    again = History()
    again.load_state_dict(history.state_dict())
    for each in (history, again):
        assert each.close(epoch=0, train_iter=1, evaluation={"acc1": 5.0})["val_total_loss"] == 0.25
        each.add({"total_loss": 1.0}, 4)
        assert "val_total_loss" not in each.close(epoch=1, train_iter=2, evaluation={})


def test_a_state_from_before_there_were_notes_is_taken() -> None:
    state = History().state_dict()
    del state["notes"]
    history = History()
    history.load_state_dict(state)
    assert history.state_dict()["notes"] == {}


@pytest.mark.parametrize("on_device", [False, True])
def test_a_skipped_update_counts_in_no_mean(on_device: bool) -> None:
    history = History()
    for loss, is_skipped in ((1.0, False), (float("nan"), True), (4.0, False)):
        flag = torch.tensor(float(is_skipped)) if on_device else is_skipped
        history.add(values(loss, 50.0), 10, is_skipped=flag)
    assert history.close(epoch=0, train_iter=3, evaluation={})["train_loss"] == 2.5
    history.add(values(float("nan"), 50.0), 10, is_skipped=torch.tensor(1.0) if on_device else True)
    state = history.state_dict()
    assert state["count"] == 0
    other = History()
    other.load_state_dict(state)
    assert other.is_open
    row = other.close(epoch=1, train_iter=4, evaluation={})
    assert math.isnan(row["train_loss"])
    assert other.reopen(4)
    assert other.is_open
