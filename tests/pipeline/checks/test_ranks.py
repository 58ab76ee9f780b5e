"""Ranks that were started differently refuse together, in one line."""

from typing import Any

import pytest
import torch

from ding_cls.config import checked_config
from ding_cls.data.datasets.digest import SampleList
from ding_cls.distributed import get_rank
from ding_cls.errors import ConfigError
from ding_cls.pipeline.checks import ranks
from ding_cls.pipeline.checks.ranks import check_same_data, check_same_start
from tests.distributed.ranks import run_ranks


def refusals(*checks: Any) -> list[str]:
    found = []
    for check in checks:
        try:
            check()
            found.append("")
        except ConfigError as error:
            found.append(str(error))
    return found


def started() -> list[str]:
    """What every rank says of a seed, a rate, a path, a flag, a version of one rank's own, and of nothing."""
    rank = get_rank()

    def cfg(**learn: Any) -> Any:
        return checked_config({"seed": 5, "policy": {"learn": {"learning_rate": 0.1, **learn}}})

    def other_version() -> None:
        torch.__version__ = f"9.{rank}"
        check_same_start(cfg())

    def paths() -> None:
        place = {"learn_data_path": f"/disk{rank}/train"}
        check_same_start(checked_config({"exp_name": f"run{rank}", "policy": {"collect": place}}))

    many = {
        "learning_rate": 0.1 + rank,
        "batch_size": 8 + rank,
        "train_epoch": 2 + rank,
        "weight_decay": rank / 9,
    }
    return refusals(
        lambda: check_same_start(cfg(), resume=True),
        paths,
        lambda: check_same_start(checked_config({"seed": 5 + (rank == 1)})),
        lambda: check_same_start(cfg(), resume=rank == 0),
        lambda: check_same_start(cfg(**many)),
        other_version,
    )


@pytest.mark.parametrize("world_size", [2, 3])
def test_what_differs_is_named_with_rank_key_and_both_values(world_size: int) -> None:
    found = run_ranks(started, world_size)
    assert found == [found[0]] * world_size
    alike, places, seed, flag, many, version = found[0]
    assert alike == places == ""
    ending = "; start all alike"
    assert seed == f"the ranks were started differently: seed is 6 on rank 1 and 5 on rank 0{ending}"
    assert "resume is False on rank 1 and True on rank 0" in flag
    assert many.startswith(
        "the ranks were started differently: policy.learn.batch_size is 9 on rank 1 and 8 on"
    )
    assert f"and {4 * (world_size - 1) - 3} more" in many
    assert "the version of torch is '9.1' on rank 1 and '9.0' on rank 0" in version


def read() -> list[str]:
    """What every rank says of data with one sample moved, one missing, other classes, a missing split."""
    rank = get_rank()
    own = SampleList(b"a.png\0000\nb.png\0001\n", 2)
    moved = SampleList(b"a.png\0000\nb.png\0000\n", 2)
    names = ("x", "y")

    def check(train: SampleList, val: SampleList | None = own, classes: tuple[str, ...] = names) -> None:
        lists = {"train": train, **({} if val is None else {"val": val})}
        check_same_data(lists, dict.fromkeys(lists, classes))

    return refusals(
        lambda: check(own),
        lambda: check(moved if rank == 1 else own),
        lambda: check(own, SampleList(b"a.png\0000\n", 1) if rank == 1 else own),
        lambda: check(own, classes=("y", "x") if rank == 1 else names),
        lambda: check(own, None if rank == 1 else own),
    )


def test_which_rank_reads_other_data_is_told_with_the_counts() -> None:
    found = run_ranks(read, 2)
    assert found == [found[0]] * 2
    alike, moved, fewer, classes, none = found[0]
    assert alike == ""
    assert moved == (
        "rank 1 has other training data than rank 0: 2 and 2 samples, 0 added, 0 removed, 1 moved to another "
        "label (first 'b.png'); give all ranks the same files"
    )
    assert "rank 1 has other evaluation data than rank 0: 1 and 2 samples, 0 added, 1 removed" in fewer
    assert "2 and 2 classes, first 'y' and 'x'" in classes
    assert "rank 1 has other evaluation data than rank 0: none" in none


def test_one_process_compares_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranks, "gather_objects", lambda own: pytest.fail("gathered"))
    check_same_start({"seed": 1})
    check_same_data({"train": SampleList(b"", 0)}, {"train": ()})
