"""Hooks that set numbers of parts: their values at each update, and what they refuse."""

from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from ding_cls.errors import ConfigError
from ding_cls.models import ArcFaceClsHead
from ding_cls.policy.losses import BatchLoss
from ding_cls.worker.learner import SetAdaptiveMarginsHook, WarmupParamHook
from tests.harness import run_tiny, tiny_parts
from tests.worker.learner.parts import Loader, Note, learner

pytestmark = pytest.mark.usefixtures("workdir")


class Weighted(nn.Module):
    """A loss with a number, in a head as the two libraries name it."""

    def __init__(self, alpha: Any = 0.4) -> None:
        super().__init__()
        self.alpha = alpha


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.drop = nn.Dropout(0.5)
        self.head = nn.Module()
        self.head.compute_loss = Weighted()
        self.margin = ArcFaceClsHead(3, 2, margins=[0.1, 0.2, 0.4])


def ramped(hook: dict[str, Any], read: Any, *, loss: Any = None, networks: Any = None) -> list[Any]:
    """Return what ``read`` finds in the network at each of six updates, two epochs of three."""
    seen: list[Any] = []
    model = Net()
    engine, policy = learner(custom_hooks=[{"type": "WarmupParamHook", **hook}])
    policy.attributes |= {"model": model, "loss": BatchLoss(loss)}
    if networks is not None:
        policy.attributes["networks"] = [model, *networks]
    forward = policy.forward

    def noting(data: Any, **kwargs: Any) -> Any:
        seen.append(deepcopy(read(model)))
        return forward(data, **kwargs)

    object.__setattr__(engine.policy, "forward", noting)
    engine.start(Loader(3), max_epochs=2)
    return seen


def alpha(model: Any) -> float:
    return model.head.compute_loss.alpha


@pytest.mark.parametrize("name", ["head.compute_loss", "head.loss_module"])
@pytest.mark.parametrize(
    ("length", "expected"),
    [
        ({"warmup_epochs": 1}, [0, 1 / 3, 2 / 3, 1, 1, 1]),
        ({"warmup_epochs": 2}, [0, 1 / 6, 2 / 6, 3 / 6, 4 / 6, 5 / 6]),
        ({"warmup_iters": 4}, [0, 1 / 4, 2 / 4, 3 / 4, 1, 1]),
    ],
)
def test_a_number_grows_to_its_value(name: str, length: dict[str, int], expected: list[float]) -> None:
    found = ramped({"param_name": "alpha", "module_name": name, **length}, alpha)
    assert found == pytest.approx([0.4 * share for share in expected], abs=1e-12)
    assert 0.4 in found or 1 not in expected


def test_the_average_has_the_same_number() -> None:
    other = Net()
    hook = {"param_name": "p", "module_name": "drop", "warmup_iters": 100}
    found = ramped(hook, lambda model: (model.drop.p, other.drop.p), networks=[other])
    assert all(ours == theirs for ours, theirs in found)
    assert found[5] == (0.5 * 0.05, 0.5 * 0.05)


def test_a_setting_that_is_a_tensor_grows_in_place() -> None:
    hook = {"param_name": "margins", "module_name": "margin", "warmup_iters": 2}
    first, second, third, *_ = ramped(hook, lambda model: model.margin.margins)
    assert first.tolist() == [0, 0, 0]
    torch.testing.assert_close(second, torch.tensor([0.05, 0.1, 0.2]))
    torch.testing.assert_close(third, torch.tensor([0.1, 0.2, 0.4]), rtol=0, atol=0)


def test_the_policys_loss_is_found() -> None:
    loss = Weighted(2.0)
    hook = {"param_name": "alpha", "module_name": "loss", "warmup_iters": 2}
    assert ramped(hook, lambda model: loss.alpha, loss=loss) == [0, 1.0, 2.0, 2.0, 2.0, 2.0]


@pytest.mark.parametrize(
    ("hook", "message"),
    [
        ({"module_name": "neck"}, "module_name='neck'; Net has no such part.*There are: drop, head"),
        ({"module_name": "drop", "param_name": "q"}, r"Dropout\.q is None; it must be a number"),
        ({"module_name": "drop", "param_name": "inplace"}, r"Dropout\.inplace is False"),
        ({"module_name": "margin", "param_name": "weight"}, r"ArcFaceClsHead\.weight is trained or saved"),
    ],
)
def test_what_cannot_be_set_is_named(hook: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        ramped({"param_name": "p", "warmup_iters": 2, **hook}, alpha)


@pytest.mark.parametrize(
    "lengths", [{}, {"warmup_epochs": 1, "warmup_iters": 1}, {"warmup_epochs": 0}, {"warmup_iters": True}]
)
def test_one_length_is_given(lengths: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="give one of them, more than 0"):
        WarmupParamHook("p", "drop", **lengths)


def test_epochs_need_a_length() -> None:
    engine, policy = learner(
        custom_hooks=[
            {"type": "WarmupParamHook", "param_name": "p", "module_name": "drop", "warmup_epochs": 1}
        ]
    )
    policy.attributes["model"] = Net()
    with pytest.raises(ConfigError, match="this loop does not tell their length; set warmup_iters"):
        engine.call_hook("before_run")


def test_margins_follow_the_sizes_of_the_classes() -> None:
    counts = np.array([100, 7, 1, 35])
    powers = counts**-0.3
    shares = (powers - powers.min()) / (powers.max() - powers.min())
    found = SetAdaptiveMarginsHook(0.1, 0.6, -0.3).margins(torch.tensor(counts))
    assert found == pytest.approx(0.1 + 0.5 * shares)
    assert (found[0], found[2]) == (0.1, pytest.approx(0.6))


def test_empty_classes_and_classes_alike_have_margins() -> None:
    hook = SetAdaptiveMarginsHook()
    assert hook.margins(torch.tensor([0, 1, 9])) == pytest.approx([0.5, 0.5, 0.05])
    assert hook.margins(torch.tensor([4, 4])) == [0.5, 0.5]


def test_the_hook_sets_them_in_the_network_and_its_average() -> None:
    engine, policy = learner(custom_hooks=[{"type": "SetAdaptiveMarginsHook"}])
    networks = [Net(), Net()]
    counts = torch.tensor([1, 16, 81])
    policy.attributes |= {"model": networks[0], "networks": networks, "class_counts": lambda: counts}
    notes: list[Any] = []
    engine.register_hook(Note(notes, "last", 99, position="before_run"))
    engine.start(Loader(1), max_epochs=1)
    # 1, 1/2 and 1/3 to the power of -1/4 of the sizes.
    for network in networks:
        torch.testing.assert_close(network.margin.margins, torch.tensor([0.5, 0.1625, 0.05]))
    assert notes == [("last", 0)]


def test_without_a_head_or_counts_the_hook_says_so() -> None:
    engine, policy = learner(custom_hooks=[{"type": "SetAdaptiveMarginsHook"}])
    policy.attributes["model"] = nn.Linear(2, 2)
    with pytest.raises(ConfigError, match="sets margins of an ArcFaceClsHead, and Linear has none"):
        engine.call_hook("before_run")
    policy.attributes["model"] = Net()
    with pytest.raises(ConfigError, match="set the policy's attribute 'class_counts'"):
        engine.call_hook("before_run")


@pytest.mark.parametrize("arguments", [{"margin_min": 0.6}, {"margin_max": 3.2}, {"power": 0.25}])
def test_margins_out_of_range_are_refused(arguments: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match="it takes 0 <= margin_min <= margin_max < pi, and a power below 0"):
        SetAdaptiveMarginsHook(**arguments)


def test_a_run_counts_its_own_classes(picture_folder: Path) -> None:
    result = run_tiny(
        picture_folder,
        "run",
        "policy.learn.learner.dataloader.num_workers=0",
        "policy.learn.ema={'decay': 0.5}",
        tiny_parts("ArcFaceClsHead", in_channels=8, scale=8.0),
        "policy.learn.learner.custom_hooks=[{'type': 'SetAdaptiveMarginsHook', 'margin_max': 0.3}]",
    )
    counts = [len(list(folder.iterdir())) for folder in sorted(Path(picture_folder, "train").iterdir())]
    expected = SetAdaptiveMarginsHook(margin_max=0.3).margins(torch.tensor(counts))
    torch.testing.assert_close(result.model.head.margins, torch.tensor(expected))
