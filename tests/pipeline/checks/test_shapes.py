"""A network is asked about the images that the datasets give, before anything is trained."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ding_cls.config import compile_config
from ding_cls.data import ArrayDataset
from ding_cls.errors import ConfigError
from ding_cls.pipeline import train
from ding_cls.pipeline.build import build_network
from ding_cls.pipeline.checks.shapes import check_image_shapes, image_shape
from ding_cls.policy import ImageClassificationPolicy
from tests.conftest import TinyNet

FLAT = {"type": "Resize", "size": [8, 12]}
FLOATS = {"type": "ToDtype", "dtype": "float32", "scale": True}


def compiled(**collect: Any) -> Any:
    policy = {"collect": {"image_size": 8, "resize_size": 8, **collect}}
    return compile_config({"policy": policy}, 3, save_cfg=False, policy=ImageClassificationPolicy)


def arrays(*steps: Any, side: int = 8) -> ArrayDataset:
    images = np.zeros((4, side, side, 3), np.uint8)
    return ArrayDataset(images=images, labels=np.arange(4), pipeline=[*steps])


class Fixed(torch.nn.Module):
    """Takes 8 x 8 px and three channels alone."""

    def __init__(self) -> None:
        super().__init__()
        layers = torch.nn.Conv2d(3, 2, 1), torch.nn.Flatten(), torch.nn.Linear(128, 4)
        self.layers = torch.nn.Sequential(*layers)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.layers(images)
        return found


SECTION = {"type": "NpzDataset", "data_prefix": "d.npz"}


@pytest.mark.parametrize(
    ("steps", "expected"), [((), (3, 8, 8)), ((FLAT,), (3, 8, 12)), ((FLAT, FLOATS), (3, 8, 12))]
)
def test_the_shape_is_that_of_the_first_image(steps: tuple[Any, ...], expected: tuple[int, ...]) -> None:
    assert image_shape(compiled(train=SECTION, val=SECTION), arrays(*steps), "train") == expected
    # Of folders the config says it.
    assert image_shape(compiled(), None, "train") == (3, 8, 8)


@pytest.mark.parametrize(
    ("train", "val", "expected"),
    [
        (arrays(), arrays(), ""),
        (
            arrays(FLAT),
            arrays(),
            r"Fixed cannot take the 8 x 12 px of .*\.train \(mat1 .*resize them",
        ),
        (arrays(), arrays(FLAT), r"Fixed cannot take the 8 x 12 px of policy\.collect\.val \(mat1"),
        (arrays(side=16), arrays(), r"Fixed cannot take the 16 x 16 px of policy\.collect\.train"),
    ],
)
def test_both_sets_are_asked(train: Any, val: Any, expected: str) -> None:
    cfg = compiled(train=SECTION, val=SECTION)
    if not expected:
        check_image_shapes(Fixed(), cfg, train, val)
        return
    with pytest.raises(ConfigError, match=expected) as told:
        check_image_shapes(Fixed(), cfg, train, val)
    assert "\n" not in str(told.value)


def test_a_network_for_another_shape_than_the_default_is_not_refused() -> None:
    cfg = compiled(train=SECTION, val=SECTION, image_size=24, resize_size=24)
    check_image_shapes(Fixed(), cfg, arrays(), arrays())


@pytest.mark.parametrize("count", [2, 4])
def test_another_number_of_channels_is_named(count: int, picture_folder: Path) -> None:
    cfg = compiled(learn_data_path=str(picture_folder / "train"))
    cfg.policy.model.in_channels = count
    train = arrays()
    expected = rf"ResNet is for images of {count} channels, and those of .* have 3; build it for 3"
    with pytest.raises(ConfigError, match=expected):
        build_network(cfg, 4, check=lambda network: check_image_shapes(network, cfg, train, train))


def test_a_stand_in_for_the_evaluation_set_is_not_asked() -> None:
    train = arrays(FLAT)
    check_image_shapes(TinyNet(), compiled(train=SECTION), train, train)


class Strided(torch.nn.Module):
    """Makes one value of 8 x 8 px, before batch normalization."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = torch.nn.Conv2d(3, 2, 8, stride=8)
        self.norm, self.fc = torch.nn.BatchNorm2d(2), torch.nn.Linear(2, 4)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.fc(self.norm(self.conv(images)).mean((2, 3)))
        return found


@pytest.mark.parametrize(("side", "is_refused"), [(8, True), (16, False)])
def test_single_images_are_looked_at_in_the_size_that_training_has(
    workdir: Path, side: int, is_refused: bool
) -> None:
    sections = {}
    for split, px in (("train", side), ("val", 16)):
        np.savez(f"{split}.npz", images=np.zeros((4, px, px, 3), np.uint8), labels=np.arange(4))
        sections[split] = {"type": "NpzDataset", "data_prefix": f"{split}.npz", "pipeline": [FLOATS]}
    learn = {"batch_size": 1, "train_epoch": 1, "learner": {"dataloader": {"num_workers": 0}}}
    cfg = {"exp_name": "run", "policy": {"cuda": False, "learn": learn, "collect": sections}}
    if not is_refused:
        train(cfg, model=Strided())
        return
    with pytest.raises(ConfigError, match="BatchNorm needs more than one value: 4 training images in"):
        train(cfg, model=Strided())
