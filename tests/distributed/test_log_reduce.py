"""What several ranks log: means over them, reduced for several updates together."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from ding_cls.distributed import comm, get_rank, get_world_size
from ding_cls.policy.modes import LearnMode
from ding_cls.worker import BaseLearner, LearnerHook
from ding_cls.worker.learner.hooks import builtin as builtin_hooks
from ding_cls.worker.learner.hooks.builtin import LogShowHook

from .ranks import run_ranks

LINE, UPDATES = 4, 10


def loss_of(number: int, rank: int) -> float:
    return 1.0 / (1 + number) + 10.0 * rank


class Loader:
    def __len__(self) -> int:
        return UPDATES

    def __iter__(self) -> Iterator[torch.Tensor]:
        return iter(torch.zeros(UPDATES, 2))

    def set_position(self, epoch: int, first_batch: int) -> None: ...


class Watching(LearnerHook):
    """Reads the loss after every update."""

    def __init__(self) -> None:
        super().__init__("watching", 12, position="after_iter")
        self.seen: list[float] = []

    def __call__(self, engine: BaseLearner) -> None:
        loss = engine.log_buffer["scalar"]["total_loss"]
        assert torch.is_tensor(loss)
        assert loss.dtype == torch.float64
        self.seen.append(loss.item())


def logged(folder: str, watchers: tuple[int, ...]) -> tuple[int, list[float], Any]:
    """Train as this rank, some with a hook that reads; return how many reductions there were, what the hook
    saw, and the monitor's state."""
    os.chdir(folder)
    reductions = 0

    def counted(numbers: Any) -> torch.Tensor:
        nonlocal reductions
        reductions += 1
        return comm.mean_over_ranks(numbers)

    builtin_hooks.mean_over_ranks = counted
    numbers = iter(range(UPDATES))

    def forward(data: Any) -> dict[str, Any]:
        number = next(numbers)
        return {
            "cur_lr": 0.5,
            "total_loss": torch.tensor(loss_of(number, get_rank())),
            "own": float(get_rank()),
        }

    def nothing(*args: Any) -> Any:
        raise AttributeError

    mode = LearnMode(
        forward, lambda: None, str, list, nothing, lambda *_: None, lambda: {"model": {}}, lambda _: None
    )
    learner = BaseLearner({"hook": {"save_ckpt_after_run": False}}, mode, exp_name="run")
    learner.register_hook(LogShowHook("log_show", 15, ext_args={"freq": LINE}))
    watching = Watching()
    if get_rank() in watchers:
        learner.register_hook(watching)
    learner.start(Loader(), max_epochs=1)  # type: ignore[arg-type]
    builtin_hooks.pool(learner)
    state = learner.monitor.state_dict()["values"]
    learner.close()
    assert get_world_size() == 2
    return reductions, watching.seen, state


@pytest.mark.parametrize("watchers", [(), (0, 1), (0,), (1,)])
def test_lines_and_states_hold_the_means_over_the_ranks(watchers: tuple[int, ...], tmp_path: Path) -> None:
    found = run_ranks(logged, 2, str(tmp_path), watchers)
    means = [(loss_of(number, 0) + loss_of(number, 1)) / 2 for number in range(UPDATES)]
    assert found[0][2]["total_loss"] == pytest.approx(means, rel=1e-6)
    assert found[0][2]["own"] == [0.5] * UPDATES
    # At two lines and for the rest at the end; else after every update.
    assert [each[0] for each in found] == [UPDATES if watchers else 3] * 2
    for rank, (_, seen, _) in enumerate(found):
        assert seen == (pytest.approx(means, rel=1e-6) if rank in watchers else [])
    lines = (tmp_path / "run" / "log" / "metrics.jsonl").read_text().splitlines()
    rows = [row for row in map(json.loads, lines) if row["kind"] == "train"]
    assert [row["total_loss_avg"] for row in rows] == pytest.approx(
        [sum(means[:4]) / 4, sum(means[:8]) / 8], rel=1e-6
    )
