"""The neck that mmclassification has for HRNet, and lists of necks."""

from typing import Any

import pytest
import torch

from ding_cls.errors import ConfigError, ModelError
from ding_cls.models import ImageClassifier, build_neck

FUSE = {"type": "HRFuseScales", "in_channels": (18, 36, 72, 144)}


def test_necks_of_a_list_are_in_a_row() -> None:
    neck = build_neck([FUSE, {"type": "GlobalAveragePooling"}])
    fused = torch.rand(2, 2048, 3, 3)
    (vectors,) = neck((fused,))
    assert torch.allclose(vectors, fused.mean((2, 3)))
    assert len(build_neck([])) == 0


def test_a_classifier_takes_a_list_of_necks() -> None:
    network = ImageClassifier(
        torch.nn.Conv2d(3, 4, 1),
        [{"type": "GlobalAveragePooling"}, {"type": "GlobalAveragePooling", "dim": 1}],
        {"type": "LinearClsHead", "num_classes": 3, "in_channels": 4},
    )
    assert network(torch.rand(2, 3, 8, 8)).shape == (2, 3)


@pytest.mark.parametrize("shape", [(2, 144, 3, 3), (2, 2048)])
def test_it_is_for_hrnet_alone(shape: tuple[int, ...]) -> None:
    with pytest.raises(ModelError, match="it is for the backbone HRNet alone"):
        build_neck(FUSE)((torch.rand(shape),))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"in_channels": (18, 36, 72, 100)}, "HRNet's maps have C, 2C, 4C and 8C channels"),
        ({"norm_cfg": {"type": "GN"}}, "the backbone HRNet has BatchNorm"),
    ],
)
def test_what_hrnet_has_otherwise_is_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        build_neck({**FUSE, **arguments})
