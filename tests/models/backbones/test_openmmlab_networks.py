"""Backbones in mmclassification's forms, and the networks that their names stood for before."""

import re
from pathlib import Path
from typing import Any

import pytest
import torch

from ding_cls.errors import CheckpointError, ModelError
from ding_cls.models import build_backbone, load_exactly, load_pretrained, num_channels


@pytest.mark.slow
@pytest.mark.parametrize(
    ("backbone", "former"),
    [
        ({"type": "TNT", "arch": "s"}, {"type": "TIMMBackbone", "model_name": "tnt_s_patch16_224"}),
        ({"type": "SEResNet", "depth": 18}, {"type": "TIMMBackbone", "model_name": "legacy_seresnet18"}),
        (
            {"type": "RegNet", "arch": "regnetx_400mf"},
            {"type": "TorchvisionBackbone", "model_name": "regnet_x_400mf", "out_indices": -1},
        ),
    ],
)
def test_weights_of_the_network_that_a_name_was_before_are_told(
    backbone: dict[str, Any], former: dict[str, Any], tmp_path: Path
) -> None:
    pytest.importorskip("timm")
    weights = build_backbone(former).state_dict()
    torch.save(weights, tmp_path / "before.pth")
    found = build_backbone(backbone)
    described = ", ".join(f"{key}={value!r}" for key, value in former.items())
    told = re.escape(
        f"another network before; load_from takes weights from then into backbone=dict({described}"
    )
    with pytest.raises(CheckpointError, match=told):
        load_exactly(found, weights)
    with pytest.raises(ModelError, match=told):
        load_pretrained(found, tmp_path / "before.pth")


@pytest.mark.slow
def test_a_network_for_deployment_takes_images_as_before() -> None:
    pytest.importorskip("timm")
    backbone = build_backbone({"type": "RepVGG", "arch": "D2se", "deploy": True})
    assert num_channels(backbone) == 3
