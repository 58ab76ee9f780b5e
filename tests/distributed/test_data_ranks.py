"""Options of the data on several processes: the same update as on one."""

from pathlib import Path

import pytest
import torch

from ding_cls.data import DATASETS, CustomDataset
from tests.distributed.test_training_ranks import Normless, Run, folder, run_all

__all__ = ["folder"]  # a fixture


@DATASETS.register_module()
class RankWeighted(CustomDataset):
    """Class folders whose samples count more and more, so that two ranks' shares never weigh the same."""

    @property
    def sample_weights(self) -> list[float]:
        return [1.0 + index**2 for index in range(len(self))]


class Registering(Normless):
    """A network whose pickle makes every process import this module, and so register the data set."""


WEIGHTED = ("policy.collect.train={'type': 'RankWeighted'}",)
IN_PIECES = (*WEIGHTED, "policy.learn.accumulation_steps=2")
REPEATED = ("policy.collect.sampler={'type': 'RepeatAug', 'num_repeats': 3}",)
BALANCED = ("policy.collect.sampler={'type': 'ClassBalanced'}",)


@pytest.mark.dist
@pytest.mark.slow
@pytest.mark.parametrize(
    "option", [WEIGHTED, IN_PIECES, REPEATED, BALANCED], ids=["weights", "pieces", "repeats", "balanced"]
)
def test_an_update_is_that_of_one_process(folder: Path, option: tuple[str, ...]) -> None:
    ((alone,), (plain,)) = run_all(
        folder, 1, Run("alone", option, kind=Registering), Run("plain", kind=Registering)
    )
    (ranks,) = run_all(folder, 2, Run("two", option, kind=Registering))
    for key, expected in alone["weights"].items():
        found = torch.from_numpy(ranks[0]["weights"][key])
        assert (found - torch.from_numpy(expected)).abs().max().item() <= 1e-5, key
        assert torch.equal(torch.from_numpy(ranks[1]["weights"][key]), found)
    differences = [
        (torch.from_numpy(plain["weights"][key]) - torch.from_numpy(value)).abs().max().item()
        for key, value in alone["weights"].items()
    ]
    assert max(differences) > 1e-4
