"""What is beside the network in a file of weights is left out and named; the network's own stays."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ding_cls.errors import ModelError
from ding_cls.models import load_pretrained
from ding_cls.models.weights.foreign_entries import foreign_entries, named_entries

State = dict[str, Any]


class Small(nn.Module):
    """Two layers, the last one under the usual name."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.fc = nn.Linear(4, 2)


def state() -> dict[str, Tensor]:
    torch.manual_seed(3)
    return dict(Small().state_dict())


def under(prefix: str, tensors: State) -> State:
    return {f"{prefix}{name}": each for name, each in tensors.items()}


ONE = torch.ones(1)
FILES: dict[str, tuple[Callable[[], Any], str]] = {
    "swa_utils": (lambda: {"n_averaged": torch.tensor(3), **under("module.", state())}, "n_averaged"),
    "thop": (
        lambda: {**state(), "total_ops": ONE, "conv.total_ops": ONE, "conv.total_params": ONE},
        "total_ops (2 entries), total_params",
    ),
    "lightning": (
        lambda: {"state_dict": {**under("model.", state()), "criterion.weight": ONE, "loss.pos_weight": ONE}},
        "criterion.weight, loss.pos_weight",
    ),
    "ddp of model and loss": (
        lambda: {**under("module.model.", state()), "module.criterion.weight": ONE},
        "criterion.weight",
    ),
    "average": (lambda: {**state(), **under("ema.", state())}, "ema.* (4 entries)"),
    "lucidrains": (
        lambda: {**under("model.", state()), **under("ema_model.", state()), "initted": ONE, "step": ONE},
        "ema_model.* (4 entries), initted, step",
    ),
    "mmcv": (
        lambda: {**state(), **{f"ema_{key.replace('.', '_')}": each for key, each in state().items()}},
        "ema_* (4 entries)",
    ),
    "metrics": (
        lambda: {**state(), "val_acc.tp": ONE, "train_accuracy.fp": ONE},
        "val_acc.tp, train_accuracy.fp",
    ),
    "pretraining": (
        lambda: {**state(), "mask_token": ONE, "decoder_pos_embed": ONE, "decoder_blocks.0.norm.bias": ONE},
        "mask_token, decoder_pos_embed, decoder_blocks.*",
    ),
    "values": (lambda: {**state(), "epoch": 3}, "epoch"),
}


@pytest.mark.parametrize("kind", FILES)
def test_they_are_left_out_and_named(tmp_path: Path, kind: str) -> None:
    content, named = FILES[kind]
    torch.save(content(), tmp_path / "w.pth")
    model = Small()
    report = load_pretrained(model, tmp_path / "w.pth")
    assert all(torch.equal(model.state_dict()[key], each) for key, each in state().items())
    assert str(report).endswith(
        f"loaded 4 of 4 tensors from {tmp_path}/w.pth; not the network's, left out: {named}"
    )


@pytest.mark.parametrize(
    "name", ["extra.weight", "dist_token", "conv.loss", "head_dist.weight", "conv2.weight"]
)
def test_what_may_be_the_networks_is_refused(tmp_path: Path, name: str) -> None:
    torch.save({**state(), name: torch.ones(2)}, tmp_path / "w.pth")
    with pytest.raises(ModelError, match=rf"{name} \(file: \(2,\), model: missing\)"):
        load_pretrained(Small(), tmp_path / "w.pth")


def test_a_part_of_the_network_with_such_a_name_is_its_own() -> None:
    found = {"ema.weight": ONE, "ema.bias": ONE, "step": ONE, "criterion.weight": ONE}
    assert foreign_entries(found, ["ema.weight", "step"]) == ["criterion.weight"]


def test_an_average_alone_is_not_beside_anything(tmp_path: Path) -> None:
    torch.save(under("ema.", state()), tmp_path / "w.pth")
    with pytest.raises(ModelError, match=r"conv\.weight \(file: missing.*ema\.conv\.weight \(file: \(4"):
        load_pretrained(Small(), tmp_path / "w.pth")
    assert load_pretrained(Small(), tmp_path / "w.pth", prefix="ema").foreign == ()


def test_many_names_are_counted() -> None:
    assert named_entries([f"metrics.m{each}" for each in range(7)])[-1] == "2 more"
