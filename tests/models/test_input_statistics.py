"""What images a library declares its networks to take."""

from typing import Any

import pytest
import torch
import torchvision
from torchvision.models import get_model_weights, list_models

from ding_cls.models import build_model
from ding_cls.models.input_statistics import input_statistics, size_argument

TORCHVISIONS = list_models(module=torchvision.models)
TIMMS = (
    "resnet50.a1_in1k",
    "resnet18",
    "seresnet50",
    "resnext50_32x4d",
    "legacy_xception",
    "xception41",
    "efficientnet_b0",
    "tf_efficientnet_b2.ap_in1k",
    "mobilenetv3_small_100",
    "convnext_atto",
    "regnety_008",
    "densenet121",
    "vgg11",
    "repvgg_a0",
    "hrnet_w18_small",
    "mixer_b16_224",
    "vit_tiny_patch16_224",
    "vit_tiny_patch16_384",
    "deit_tiny_patch16_224",
    "swin_tiny_patch4_window7_224",
    "levit_128s",
    "inception_v4",
    "nasnetalarge",
    "maxvit_tiny_tf_224",
    "beit_base_patch16_224",
)


def test_every_one_of_torchvisions_is_what_its_default_weights_declare() -> None:
    assert len(TORCHVISIONS) >= 80
    for name in TORCHVISIONS:
        weights = get_model_weights(name)["DEFAULT"]
        declared: Any = weights.transforms()
        for pretrained in (False, True, "some/where/weights.pth"):
            found = input_statistics({"name": name, "pretrained": pretrained})
            assert found is not None
            assert [found.image_size] == declared.crop_size, name
            assert [found.resize_size] == declared.resize_size, name
            assert found.interpolation == declared.interpolation.value, name
            assert ([*found.mean], [*found.std]) == (list(declared.mean), list(declared.std)), name
            assert found.source == f"torchvision's {name} ({weights.name})"


@pytest.mark.slow
@pytest.mark.parametrize("name", TIMMS)
def test_timms_are_those_of_its_weights(name: str) -> None:
    timm = pytest.importorskip("timm")
    with torch.device("meta"):
        network = timm.create_model(name)
    declared = timm.data.resolve_model_data_config(network)
    steps = timm.data.create_transform(**declared, is_training=False).transforms
    for pretrained in (False, True, "w.pth"):
        found = input_statistics({"name": f"timm/{name}", "pretrained": pretrained})
        assert found is not None
        assert (found.mean, found.std) == (declared["mean"], declared["std"])
        assert (3, found.image_size, found.image_size) == declared["input_size"]
        assert found.interpolation == declared["interpolation"]
        assert found.crop_pct == declared["crop_pct"]
        sides = steps[0].size
        assert found.resize_size == (sides if isinstance(sides, int) else sides[0])


@pytest.mark.parametrize("size", [32, 96, 160, 224, 288])
def test_another_size_is_resized_in_the_same_ratio(size: int) -> None:
    resnet, inception = (input_statistics({"name": name}) for name in ("resnet50", "inception_v3"))
    assert resnet is not None
    assert inception is not None
    assert resnet.resize_for(size) == round(size * 232 / 224)
    assert inception.resize_for(size) == round(size * 342 / 299)
    timm = pytest.importorskip("timm")
    found = input_statistics({"name": "timm/resnet50.a1_in1k"})
    assert found is not None
    transform = timm.data.create_transform(size, crop_pct=found.crop_pct)
    assert transform.transforms[0].size == found.resize_for(size)


@pytest.mark.parametrize(
    ("description", "sizes"),
    [
        ({}, (224, 256)),
        ({"type": "ImageClassifier", "backbone": {"type": "ResNet", "depth": 50}}, (224, 232)),
        ({"type": "ImageClassifier", "backbone": {"type": "EfficientNet", "arch": "b1"}}, (240, 255)),
        ({"type": "ImageClassifier", "backbone": {"type": "mobilenet_v2"}}, (224, 232)),
        ({"type": "X", "backbone": {"type": "TorchvisionBackbone", "model_name": "vit_l_32"}}, (224, 256)),
        # As a backbone it is built for 224 px unless its arguments say otherwise.
        ({"type": "X", "backbone": {"type": "vit_h_14"}}, (224, 224)),
        ({"name": "vit_b_16", "image_size": 384}, (384, 439)),
        ({"type": "X", "backbone": {"type": "VisionTransformer", "img_size": 448}}, (448, 512)),
        ({"name": "maxvit_t", "input_size": (448, 448)}, (448, 448)),
    ],
)
def test_parts_and_their_arguments(description: dict[str, Any], sizes: tuple[int, int]) -> None:
    found = input_statistics(description)
    assert found is not None
    assert (found.image_size, found.resize_size) == sizes


def test_timms_networks_as_parts_and_by_their_arguments() -> None:
    pytest.importorskip("timm")
    backbone = {"type": "TIMMBackbone", "model_name": "mixer_b16_224"}
    mixer = input_statistics({"type": "X", "backbone": backbone})
    small = input_statistics({"name": "timm/vit_tiny_patch16_224", "img_size": 96})
    assert mixer is not None
    assert small is not None
    assert (mixer.mean[0], mixer.image_size, mixer.resize_size) == (0.5, 224, 256)
    assert (small.image_size, small.resize_size) == (96, 106)


@pytest.mark.parametrize(
    ("file", "resize_size"),
    [
        ("/a/resnet50-0676ba61.pth", 256),
        ("https://download.pytorch.org/models/resnet50-11ad3fa6.pth", 232),
        ("mine.pth", 232),
    ],
)
def test_a_file_with_a_published_name_is_those_weights(file: str, resize_size: int) -> None:
    for description in ({"name": "resnet50", "pretrained": file}, {"type": "X", "backbone": _resnet50(file)}):
        found = input_statistics(description)
        assert found is not None
        assert found.resize_size == resize_size


def _resnet50(file: str) -> dict[str, Any]:
    return {"type": "TorchvisionBackbone", "model_name": "resnet50", "pretrained": file}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["vit_b_16", "vit_b_32", "vit_l_16", "vit_l_32", "vit_h_14", "maxvit_t"])
def test_networks_of_one_size_are_built_for_what_they_declare(name: str) -> None:
    found = input_statistics({"name": name})
    assert found is not None
    size = found.image_size
    with torch.device("meta"):
        network = build_model(name, num_classes=2, **size_argument({"name": name}, size))
        assert network.eval()(torch.zeros(1, 3, size, size)).shape == (1, 2)


def test_a_size_argument_is_for_the_declared_size_alone() -> None:
    assert size_argument({"name": "vit_h_14"}, 518) == {"image_size": 518}
    assert size_argument({"name": "vit_h_14"}, 224) == {}
    assert size_argument({"name": "vit_h_14", "image_size": 224}, 224) == {}
    assert size_argument({"name": "vit_b_16"}, 112) == {}
    assert size_argument({"name": "inception_v3"}, 299) == {}


@pytest.mark.parametrize(
    "description",
    [
        {"type": "ImageClassifier", "backbone": {"type": "LeNet5"}},
        {"type": "ImageClassifier", "backbone": {"type": "EfficientNet", "arch": "b99"}},
        {"type": "Own"},
        {"name": "lenet5"},
        {"name": "ResNet (given)"},
        {"name": "timm/nothing_of_that_name"},
        {"name": "timm/resnet50.no_such_tag"},
        # Its images are no squares.
        {"name": "timm/vit_base_patch16_sapiens2"},
        {"name": 3},
    ],
)
def test_of_others_nothing_is_known(description: dict[str, Any]) -> None:
    assert input_statistics({**description, "pretrained": True}) is None


def test_without_timm_nothing_is_known_of_its_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ding_cls.models.input_statistics.has_timm", lambda: False)
    assert input_statistics({"name": "timm/resnet18"}) is None
