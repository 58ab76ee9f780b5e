"""Parts of networks by name, and the number of classes that reaches the head."""

from typing import Any

import pytest
from torch import nn

from ding_cls import models
from ding_cls.errors import ConfigError
from ding_cls.models import (
    BACKBONES,
    CLASSIFIERS,
    HEADS,
    LOSSES,
    MODELS,
    NECKS,
    ClsHead,
    GlobalAveragePooling,
    ImageClassifier,
    LinearClsHead,
    ResNetBackbone,
    build_backbone,
    build_classifier,
    build_head,
    build_loss,
    build_neck,
)

RESNET = {"type": "ResNet", "depth": 18}
LINEAR = {"type": "LinearClsHead", "in_channels": 512}


def test_each_registry_has_its_parts() -> None:
    assert {*CLASSIFIERS, *BACKBONES, *NECKS, *HEADS, *LOSSES} <= set(MODELS.names())
    assert set(CLASSIFIERS) >= {"ImageClassifier"}
    assert set(BACKBONES) >= {"ResNet"}
    assert set(NECKS) >= {"GlobalAveragePooling"}
    assert set(HEADS) >= {"ClsHead", "LinearClsHead"}
    assert set(LOSSES) >= {"CrossEntropyLoss", "LabelSmoothLoss"}
    kinds = [each.name for each in (CLASSIFIERS, BACKBONES, NECKS, HEADS, LOSSES)]
    assert kinds == ["classifier", "backbone", "neck", "head", "loss"]


def test_everything_the_room_exports_is_there() -> None:
    assert len(models.__all__) == len(set(models.__all__))
    assert all(hasattr(models, name) for name in models.__all__)


@pytest.mark.parametrize(
    ("build", "cfg", "kind"),
    [
        (build_backbone, RESNET, ResNetBackbone),
        (build_neck, {"type": "GlobalAveragePooling"}, GlobalAveragePooling),
        (build_head, {**LINEAR, "num_classes": 3}, LinearClsHead),
        (build_loss, {"type": "CrossEntropyLoss"}, models.CrossEntropyLoss),
        (
            build_classifier,
            {"type": "ImageClassifier", "backbone": RESNET, "head": {**LINEAR, "num_classes": 3}},
            ImageClassifier,
        ),
    ],
)
def test_a_dict_is_built_and_a_module_comes_back(build: Any, cfg: dict[str, Any], kind: type) -> None:
    part = build(cfg)
    assert type(part) is kind
    assert build(part) is part


@pytest.mark.parametrize("given", [{}, {"num_classes": None}])
def test_a_head_that_is_silent_gets_the_number_of_classes(given: dict[str, Any]) -> None:
    cfg = {"type": "ImageClassifier", "backbone": RESNET, "head": {**LINEAR, **given}}
    network = build_classifier(cfg, num_classes=7)
    assert network.head.fc.weight.shape == (7, 512)
    assert cfg["head"] == {**LINEAR, **given}


def test_a_head_that_speaks_keeps_its_number() -> None:
    cfg = {"type": "ImageClassifier", "backbone": RESNET, "head": {**LINEAR, "num_classes": 5}}
    assert build_classifier(cfg, num_classes=7).head.fc.weight.shape == (5, 512)


def test_a_head_that_takes_no_number_gets_none() -> None:
    cfg = {"type": "ImageClassifier", "backbone": RESNET, "head": {"type": "ClsHead"}}
    assert type(build_classifier(cfg, num_classes=7).head) is ClsHead


def test_a_whole_network_gets_the_number_too() -> None:
    class Whole(nn.Module):
        def __init__(self, num_classes: int) -> None:
            super().__init__()
            self.fc = nn.Linear(2, num_classes)

    assert build_classifier({"type": Whole}, num_classes=7).fc.weight.shape == (7, 2)


@pytest.mark.parametrize(
    ("cfg", "message"),
    [
        ({"type": "ImageClasifier"}, "there is no classifier named 'ImageClasifier'; did you mean ImageCl"),
        (
            {"type": "ImageClassifier", "backbone": {"type": "ResNt", "depth": 18}},
            "there is no backbone named 'ResNt'; did you mean ResNet",
        ),
        (
            {"type": "ImageClassifier", "backbone": RESNET, "head": {"type": "LinearClsHad"}},
            "there is no head named 'LinearClsHad'; did you mean LinearClsHead",
        ),
        (
            {"type": "ImageClassifier", "backbone": {**RESNET, "dept": 1}},
            "backbone 'ResNet' has no argument 'dept'; did you mean 'depth'",
        ),
        (
            {"type": "ImageClassifier", "backbone": RESNET, "head": {**LINEAR, "loss": {"type": "CELoss"}}},
            "there is no loss named 'CELoss'; did you mean",
        ),
    ],
)
def test_a_wrong_part_is_named(cfg: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        build_classifier(cfg, num_classes=4)


def test_the_own_error_of_a_part_comes_through() -> None:
    class Broken(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match="mine") as caught:
        build_classifier({"type": "ImageClassifier", "backbone": {"type": Broken}})
    assert str(caught.value) == "mine"
    assert caught.value.__notes__[0].startswith("while building the backbone 'Broken'")
