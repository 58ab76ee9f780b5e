"""Global batches that ranks cannot share equally: the update is that of one process, to rounding."""

import os
from typing import Any

import pytest
import torch
from torch import nn

from ding_cls.data import SyntheticDataset, build_train_loader
from ding_cls.data.labels import weights_of
from ding_cls.distributed import get_rank, get_world_size
from ding_cls.policy import ImageClassificationPolicy
from ding_cls.worker import BaseLearner, LearnerHook
from tests.distributed.ranks import run_ranks

EPOCHS = 2


class Normless(nn.Module):
    """Nothing couples its samples, nothing is random: a batch may be shared out at will."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 6, 3, padding=1)
        self.head = nn.Linear(6, 3)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.head(torch.relu(self.stem(images)).mean((2, 3)))


class Weighted(SyntheticDataset):
    """Samples that count more and more."""

    @property
    def sample_weights(self) -> list[float]:
        return [1.0 + index for index in range(len(self))]


class Record(LearnerHook):
    """Keeps what each update returned."""

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self.outputs: list[dict[str, Any]] = []

    def __call__(self, engine: BaseLearner) -> None:
        self.outputs.append(dict(engine.outputs))


def trained(
    folder: str, length: int, global_batch: int, weighted: bool, learn: dict[str, Any]
) -> dict[str, Any]:
    """Train as this rank of as many as there are; return what it came to."""
    os.chdir(folder)
    torch.manual_seed(0)
    kind = Weighted if weighted else SyntheticDataset
    dataset = kind(length, 3, 6)
    assert (weights_of(dataset) is not None) == weighted
    rank, world_size = get_rank(), get_world_size()
    batch_size = global_batch // world_size
    loader = build_train_loader(dataset, batch_size, seed=1, rank=rank, world_size=world_size)
    settings = {"learning_rate": 0.1, "lr_schedule": "constant", "warmup_epoch": 0, "momentum": 0.5, **learn}
    policy = ImageClassificationPolicy({"cuda": False, "learn": settings}, model=Normless())
    policy.learn_mode.set_attribute("prepare_batch", dataset.preprocessing.prepare)
    learner = BaseLearner(
        {"hook": {"save_ckpt_after_run": False}}, policy.learn_mode, exp_name=f"run_{world_size}"
    )
    record = Record("record", 10, position="after_iter")
    learner.register_hook(record)
    learner.start(loader, max_epochs=EPOCHS)
    logged = record.outputs
    return {
        "weights": {name: each.tolist() for name, each in policy._model.state_dict().items()},
        "losses": [float(each["total_loss"]) for each in logged],
        "acc1": [float(each["acc1"]) for each in logged],
        "num_samples": learner.num_samples,
        "rows": [(row["train_loss"], row["train_acc1"]) for row in learner.history.rows],
    }


@pytest.mark.dist
@pytest.mark.parametrize("world_size", [2, pytest.param(3, marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    ("length", "global_batch", "weighted", "learn"),
    [
        pytest.param(31, 12, False, {}, id="plain"),
        pytest.param(31, 12, True, {}, id="weights"),
        pytest.param(31, 12, False, {"accumulation_steps": 3}, id="pieces"),
        pytest.param(31, 12, True, {"accumulation_steps": 3}, id="weights in pieces"),
        pytest.param(31, 12, False, {"sam": {"rho": 0.05}}, id="sam"),
        pytest.param(5, 12, False, {"accumulation_steps": 2}, id="a set smaller than a batch"),
        # One image each at most: of a batch of less than all, some rank has none of its own.
        pytest.param(31, 0, False, {}, id="ranks without an image"),
        pytest.param(31, 0, True, {"accumulation_steps": 2}, id="ranks without an image, weights"),
    ],
)
def test_an_update_is_that_of_one_process(
    tmp_path: Any, world_size: int, length: int, global_batch: int, weighted: bool, learn: dict[str, Any]
) -> None:
    size = global_batch or world_size
    arguments = (str(tmp_path), length, size, weighted, learn)
    ((alone,), ranks) = (run_ranks(trained, number, *arguments) for number in (1, world_size))
    assert len(alone["losses"]) == EPOCHS * -(-length // size)
    assert alone["num_samples"] == EPOCHS * length
    for rank in ranks:
        assert rank["num_samples"] == EPOCHS * length
        for name, expected in alone["weights"].items():
            assert torch.allclose(
                torch.tensor(rank["weights"][name]), torch.tensor(expected), rtol=0, atol=2e-6
            )
        assert rank["weights"] == ranks[0]["weights"]
        assert rank["rows"] == ranks[0]["rows"]
        assert rank["rows"] == [pytest.approx(row, abs=2e-5) for row in alone["rows"]]
    # What is logged is the mean over the ranks.
    for name, tolerance in (("losses", 2e-6), ("acc1", 1e-4)):
        means = [sum(each) / world_size for each in zip(*(rank[name] for rank in ranks), strict=True)]
        assert means == pytest.approx(alone[name], abs=tolerance)
