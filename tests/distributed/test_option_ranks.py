"""Options of optimization on several processes: the same update as on one, and a resume to the last bit."""

from pathlib import Path

import pytest
import torch

from tests.distributed.test_training_ranks import (
    UPDATES,
    Normless,
    Run,
    assert_stops_and_resumes,
    folder,
    run_all,
)

__all__ = ["folder"]  # a fixture

CLIPPED = ("policy.learn.grad_clip={'max_norm': 0.05}", "policy.learn.accumulation_steps=2")
AVERAGED = (
    "policy.learn.ema={'decay': 0.5, 'warm_up': 0}",
    "policy.learn.precise_bn={'num_samples': 12}",
    "policy.learn.learner.hook.save_ckpt_after_epoch=1",
)
UPHILL = ("policy.learn.sam={'rho': 0.5}",)


@pytest.mark.dist
@pytest.mark.slow
@pytest.mark.parametrize("option", [CLIPPED, UPHILL, AVERAGED[:1]], ids=["clip", "sam", "ema"])
def test_an_update_is_that_of_one_process(folder: Path, option: tuple[str, ...]) -> None:
    ((alone,), (plain,)) = run_all(
        folder, 1, Run("alone", option, kind=Normless), Run("plain", kind=Normless)
    )
    (ranks,) = run_all(folder, 2, Run("two", option, kind=Normless))
    for key, expected in alone["weights"].items():
        found = torch.from_numpy(ranks[0]["weights"][key])
        assert (found - torch.from_numpy(expected)).abs().max().item() <= 1e-5, key
        assert torch.equal(torch.from_numpy(ranks[1]["weights"][key]), found)
    differences = [
        (torch.from_numpy(plain["weights"][key]) - torch.from_numpy(value)).abs().max().item()
        for key, value in alone["weights"].items()
    ]
    assert max(differences) > 1e-4


@pytest.mark.dist
@pytest.mark.slow
@pytest.mark.parametrize("option", [CLIPPED, UPHILL, AVERAGED], ids=["clip", "sam", "ema"])
def test_a_stop_at_two_ranks_is_bit_equal(folder: Path, option: tuple[str, ...]) -> None:
    assert_stops_and_resumes(folder, 2, option, (1, 0), (4, 1))


class Forked(Normless):
    """A network with a layer that its loss never sees."""

    def __init__(self) -> None:
        super().__init__()
        self.side = torch.nn.Linear(2, 2)


@pytest.mark.dist
@pytest.mark.slow
def test_parameters_that_take_no_part_are_allowed_where_that_is_asked_for(folder: Path) -> None:
    option = ("policy.learn.find_unused_parameters=True", "policy.learn.weight_decay=0.0")
    (ranks,) = run_all(folder, 2, Run("run", option, kind=Forked))
    assert [each["code"] for each in ranks] == [0, 0]
    assert [len(each["ids"]) for each in ranks] == [UPDATES, UPDATES]
