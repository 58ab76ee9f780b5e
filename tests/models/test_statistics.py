"""What pictures a library's weights expect."""

from typing import Any

import pytest

from ding_cls.models.statistics import input_statistics

IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


@pytest.mark.parametrize(
    ("description", "sizes"),
    [
        ({"name": "resnet18"}, (224, 256)),
        ({"name": "inception_v3"}, (299, 342)),
        ({"name": "efficientnet_b7"}, (600, 600)),
        ({"type": "ImageClassifier", "backbone": {"type": "ResNet", "depth": 50}}, (224, 232)),
        ({"type": "ImageClassifier", "backbone": {"type": "EfficientNet", "arch": "b1"}}, (240, 255)),
        ({"type": "ImageClassifier", "backbone": {"type": "mobilenet_v2"}}, (224, 232)),
        ({"type": "X", "backbone": {"type": "TorchvisionBackbone", "model_name": "vit_l_32"}}, (224, 256)),
    ],
)
def test_torchvisions_are_those_of_its_weights(description: dict[str, Any], sizes: tuple[int, int]) -> None:
    found = input_statistics({**description, "pretrained": True})
    assert found is not None
    assert (found.image_size, found.resize_size) == sizes
    assert (found.mean, found.std) == IMAGENET
    assert found.source.startswith("torchvision's ")
    assert input_statistics(description) is None
    assert input_statistics({**description, "pretrained": "w.pth"}) is None


@pytest.mark.parametrize(
    ("description", "mean", "sizes"),
    [
        ({"name": "timm/legacy_xception", "pretrained": True}, 0.5, (299, 333)),
        ({"name": "timm/tf_efficientnet_b2.ap_in1k", "pretrained": True}, 0.5, (260, 292)),
        (
            {
                "type": "X",
                "backbone": {"type": "TIMMBackbone", "model_name": "mixer_b16_224", "pretrained": True},
            },
            0.5,
            (224, 256),
        ),
    ],
)
def test_timms_are_those_of_its_weights(
    description: dict[str, Any], mean: float, sizes: tuple[int, int]
) -> None:
    pytest.importorskip("timm")
    found = input_statistics(description)
    assert found is not None
    assert (found.mean[0], found.image_size, found.resize_size) == (mean, *sizes)


@pytest.mark.parametrize(
    "description",
    [
        {"type": "ImageClassifier", "backbone": {"type": "LeNet5"}},
        {"type": "Own"},
        {"name": "lenet5"},
        {"name": "timm/nothing_of_that_name"},
        {"name": 3},
    ],
)
def test_of_others_nothing_is_known(description: dict[str, Any]) -> None:
    assert input_statistics({**description, "pretrained": True}) is None
