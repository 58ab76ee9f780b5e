"""Room for a checkpoint, asked before anything is trained."""

from pathlib import Path
from typing import Any

import pytest
import torch

from ding_cls.checkpoint import write_checkpoint
from ding_cls.errors import DiskError
from ding_cls.policy import LearnMode
from ding_cls.worker import BaseLearner
from ding_cls.worker.learner.loop import disk_room as room
from ding_cls.worker.learner.loop.disk_room import checkpoint_bytes
from tests.worker.learner.parts import Counting, Loader, learner

pytestmark = pytest.mark.usefixtures("workdir")

OPTIMIZERS: dict[str, Any] = {
    "plain": lambda params: torch.optim.SGD(params, lr=0.1),
    "momentum": lambda params: torch.optim.SGD(params, lr=0.1, momentum=0.9),
    "AdamW": lambda params: torch.optim.AdamW(params),
    "RMSprop": lambda params: torch.optim.RMSprop(params),
}


def mode_of(network: torch.nn.Module, optimizer: torch.optim.Optimizer) -> LearnMode:
    mode = Counting().mode
    object.__setattr__(
        mode, "state_dict", lambda: {"model": network.state_dict(), "optimizer": optimizer.state_dict()}
    )
    object.__setattr__(mode, "get_attribute", {"optimizer": optimizer}.__getitem__)
    return mode


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("width", [3, 300])
def test_no_estimate_is_above_the_file_and_most_of_it_is_foreseen(name: str, width: int) -> None:
    network = torch.nn.Sequential(torch.nn.Linear(width, width), torch.nn.BatchNorm1d(width))
    network[1].requires_grad_(False)
    optimizer = OPTIMIZERS[name](network.parameters())
    mode = mode_of(network, optimizer)
    before = checkpoint_bytes(mode)
    network(torch.ones(4, width)).square().sum().backward()
    optimizer.step()
    write_checkpoint("file", mode.state_dict())
    size = Path("file").stat().st_size
    assert before <= checkpoint_bytes(mode) <= size
    assert width == 3 or name == "RMSprop" or before > 0.95 * size
    assert checkpoint_bytes(mode, has_optimizer=False) <= before


def test_a_run_whose_first_checkpoint_cannot_fit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "free_bytes", lambda folder: 1)
    network = torch.nn.Linear(300, 300)
    mode = mode_of(network, torch.optim.AdamW(network.parameters()))
    engine = BaseLearner({}, mode, exp_name="run")
    with pytest.raises(DiskError) as refused:
        engine.start(Loader(2), max_epochs=1)
    folder = Path("run/ckpt").absolute()
    assert str(refused.value) == (
        f"a checkpoint needs 1.08 MB, has 0.00 MB at '{folder}'; free space, or name another folder: "
        "policy.learn.learner.checkpoint.out_dir"
    )
    assert engine.train_iter == 0


def test_what_saves_nothing_needs_no_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "free_bytes", lambda folder: -1)
    engine, policy = learner()
    engine.start(Loader(2), max_epochs=1)
    assert policy.count == 2
