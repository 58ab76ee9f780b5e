"""``train_model``: the data are the config's; seeds as mmclassification sets them."""

import random

import numpy as np
import pytest
import torch

from ding_cls.data import SyntheticDataset
from ding_cls.errors import ConfigError
from ding_cls.pipeline import set_random_seed, train_model

DATASET = SyntheticDataset(4, 2, 8)


@pytest.mark.parametrize(
    ("dataset", "described", "found"),
    [
        ([DATASET], {"type": "ImageNet"}, "SyntheticDataset, and cfg.data.train describes a ImageNet"),
        ([DATASET, DATASET], {"type": "SyntheticDataset"}, "SyntheticDataset, SyntheticDataset, and"),
        ([], {"type": "SyntheticDataset"}, "no dataset, and"),
        (DATASET, [{"type": "SyntheticDataset"}], "SyntheticDataset, and cfg.data.train describes a Concat"),
    ],
)
def test_another_dataset_than_the_configs_is_refused(dataset: object, described: object, found: str) -> None:
    with pytest.raises(ConfigError, match=f"train_model got {found}"):
        train_model(torch.nn.Linear(1, 1), dataset, {"data": {"train": described}})


def test_a_seed_repeats_what_is_drawn() -> None:
    drawn = []
    for _ in range(2):
        set_random_seed(3)
        drawn.append((random.random(), np.random.rand(), torch.rand(1).item()))
    assert drawn[0] == drawn[1]


def test_deterministic_kernels_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.cudnn, "deterministic", False)
    monkeypatch.setattr(torch.backends.cudnn, "benchmark", True)
    set_random_seed(0, deterministic=True)
    assert torch.backends.cudnn.deterministic
    assert not torch.backends.cudnn.benchmark
