"""A network's weights, and a file of them."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from ding_cls.models import build_model


@pytest.fixture(scope="module")
def state() -> dict[str, Tensor]:
    torch.manual_seed(1)
    return dict(build_model("resnet18", num_classes=7).state_dict())


@pytest.fixture
def file(state: dict[str, Tensor], tmp_path: Path) -> str:
    torch.save({"state_dict": state, "meta": {"epoch": 3}}, tmp_path / "w.pth")
    return str(tmp_path / "w.pth")
