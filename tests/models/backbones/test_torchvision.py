"""torchvision's classifiers as backbones: vectors and maps against the whole network, names of weights."""

import copy
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import torch
import torchvision
from torch import nn

from ding_cls.errors import ConfigError, ModelError
from ding_cls.models import (
    BACKBONES,
    GlobalAveragePooling,
    ImageClassifier,
    LinearClsHead,
    build_backbone,
    build_model,
    classifier_layer,
    load_pretrained,
)
from ding_cls.models.backbones.torchvision import TorchvisionBackbone, torchvision_names

pytestmark = pytest.mark.slow

IMAGES = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
VECTORS = {
    "alexnet": 4096,
    "convnext_tiny": 768,
    "densenet121": 1024,
    "efficientnet_b0": 1280,
    "googlenet": 1024,
    "mnasnet0_5": 1280,
    "mobilenet_v2": 1280,
    "mobilenet_v3_small": 1024,
    "regnet_x_400mf": 400,
    "resnet18": 512,
    "shufflenet_v2_x0_5": 1024,
    "squeezenet1_1": 512,
    "swin_t": 768,
}
# Channels of the deepest map of each resolution.
MAPS = {
    "densenet121": (64, 256, 512, 1024, 1024),
    "efficientnet_b0": (16, 24, 40, 112, 1280),
    "mobilenet_v2": (16, 24, 32, 96, 1280),
    "mobilenet_v3_small": (16, 16, 24, 48, 576),
    "regnet_x_400mf": (32, 32, 64, 160, 400),
    "resnet18": (64, 64, 128, 256, 512),
    "shufflenet_v2_x0_5": (24, 24, 48, 96, 1024),
    "swin_t": (96, 192, 384, 768),
}
# Of networks large for what they show, or alike; the others are one of each kind.
LARGE = (
    "alexnet",
    "convnext_tiny",
    "densenet121",
    "efficientnet_b0",
    "googlenet",
    "regnet_x_400mf",
    "swin_t",
)


def quick_and_slow(names: Iterable[str]) -> list[Any]:
    return [pytest.param(each, marks=pytest.mark.slow if each in LARGE else ()) for each in names]


def test_the_sweeps_have_their_sizes() -> None:
    assert (len(VECTORS), len(MAPS)) == (13, 8)
    assert VECTORS.keys() | MAPS.keys() <= torchvision_names()


@pytest.mark.parametrize("name", quick_and_slow(VECTORS))
def test_the_vectors_are_what_the_last_layer_sees(name: str) -> None:
    torch.manual_seed(0)
    backbone = TorchvisionBackbone(name).eval()
    whole = (
        build_model(name, num_classes=1000).eval()
        if name == "googlenet"
        else torchvision.models.get_model(name)
    )
    whole.eval().load_state_dict(backbone.network.state_dict(), strict=False)
    seen = []
    classifier_layer(whole)[1].register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    with torch.no_grad():
        whole(IMAGES)
        (found,) = backbone(IMAGES)
    expected = seen[0] if seen[0].dim() == 2 else torch.relu(seen[0]).mean((2, 3))
    torch.testing.assert_close(found, expected)
    assert found.shape == (2, VECTORS[name]) == (2, backbone.num_features)
    assert {name.rpartition(".")[2] for name in backbone.dropped} == {"weight", "bias"}


def test_logits_that_a_convolution_computes_are_no_map() -> None:
    backbone = TorchvisionBackbone("squeezenet1_1", out_indices=(0, -1))
    assert [each.shape[1] for each in backbone(IMAGES)] == [64, 512]
    assert backbone.num_features == 512
    assert backbone.dropped == {"classifier.1.weight", "classifier.1.bias"}


@pytest.mark.parametrize("name", quick_and_slow(MAPS))
def test_the_maps_have_falling_resolutions(name: str) -> None:
    torch.manual_seed(0)
    count = len(MAPS[name])
    backbone = TorchvisionBackbone(name, out_indices=range(count)).eval()
    with torch.no_grad():
        maps = backbone(IMAGES)
    sides = [each.shape[2] for each in maps]
    assert tuple(each.shape[1] for each in maps) == MAPS[name]
    assert sides == sorted(sides, reverse=True)
    assert len(set(sides)) == count
    assert backbone.num_features == MAPS[name][-1]
    deepest = TorchvisionBackbone(name, out_indices=-1).eval()
    deepest.load_state_dict(
        {key: each for key, each in backbone.state_dict().items() if key in deepest.state_dict()}
    )
    with torch.no_grad():
        assert torch.equal(deepest(IMAGES)[0], maps[-1])


def test_the_deepest_map_and_its_mean_are_the_vector() -> None:
    torch.manual_seed(0)
    vectors, maps = (
        TorchvisionBackbone("mobilenet_v2").eval(),
        TorchvisionBackbone("mobilenet_v2", (-1,)).eval(),
    )
    assert set(maps.state_dict()) == set(vectors.state_dict())
    maps.load_state_dict(vectors.state_dict())
    torch.testing.assert_close(GlobalAveragePooling()(maps(IMAGES))[0], vectors(IMAGES)[0])


def test_maps_train_and_are_copied() -> None:
    torch.manual_seed(0)
    backbone = TorchvisionBackbone("mobilenet_v3_small", out_indices=-1)
    twin, name = copy.deepcopy(backbone), "network.features.0.1.running_mean"
    before = backbone.state_dict()[name].clone()
    backbone(IMAGES)[0].mean().backward()
    assert not torch.equal(backbone.state_dict()[name], before)
    assert torch.equal(twin.state_dict()[name], before)
    kept = TorchvisionBackbone("mobilenet_v3_small", out_indices=-1, norm_eval=True).train()
    assert not any(each.training for each in kept.modules() if isinstance(each, nn.BatchNorm2d))


def test_a_number_of_classes_keeps_the_last_layer() -> None:
    network = ImageClassifier(
        {"type": "TorchvisionBackbone", "model_name": "alexnet", "num_classes": 5}, None
    )
    assert network.extract_feat(IMAGES)[0].shape == (2, 5)
    assert not network.backbone.dropped
    with pytest.raises(ConfigError, match=r"gives logits .* or maps"):
        TorchvisionBackbone("alexnet", num_classes=5, out_indices=-1)


@pytest.mark.parametrize("kind", ["mobilenet_v2", "torchvision/mobilenet_v2"])
def test_a_backbone_has_its_own_name(kind: str) -> None:
    backbone = build_backbone({"type": kind, "out_indices": (1, 3)})
    assert isinstance(backbone, TorchvisionBackbone)
    assert [each.shape[1] for each in backbone.eval()(IMAGES)] == [24, 96]
    assert kind in BACKBONES


@pytest.mark.parametrize("out_indices", [None, -1])
def test_a_file_of_the_whole_network_finds_its_place(tmp_path: Path, out_indices: int | None) -> None:
    torch.manual_seed(0)
    whole = build_model("mobilenet_v2", num_classes=7)
    torch.save(whole.state_dict(), tmp_path / "w.pth")
    backbone = {"type": "mobilenet_v2", "out_indices": out_indices}
    neck = None if out_indices is None else {"type": "GlobalAveragePooling"}
    model = ImageClassifier(backbone, neck, LinearClsHead(3, 1280))
    report = load_pretrained(model, tmp_path / "w.pth")
    assert report.left_out == ("backbone.network.classifier.1",)
    assert report.reinitialised == ("head.fc.weight", "head.fc.bias")
    weight = model.state_dict()["backbone.network.features.18.0.weight"]
    assert torch.equal(weight, whole.features[18][0].weight)
    load_pretrained(model, tmp_path / "w.pth")
    torch.save(model.state_dict(), tmp_path / "own.pth")
    assert load_pretrained(copy.deepcopy(model), tmp_path / "own.pth").reinitialised == ()


def test_what_does_not_exist_is_named() -> None:
    with pytest.raises(ModelError, match="torchvision has no classifier 'mobilenet'"):
        TorchvisionBackbone("mobilenet")
    with pytest.raises(ModelError, match=r"cannot be built with \{'widht': 3\}"):
        TorchvisionBackbone("mobilenet_v2", widht=3)
    with pytest.raises(ModelError, match="its maps have 5 resolutions, counted from 0: 112 px, 56 px"):
        TorchvisionBackbone("mobilenet_v2", out_indices=(5,))
    with pytest.raises(ModelError, match="vit_b_16 has no maps of several resolutions"):
        TorchvisionBackbone("vit_b_16", out_indices=-1)


@pytest.mark.parametrize("name", sorted(torchvision_names()))
def test_no_network_passes_over_an_argument(name: str) -> None:
    with pytest.raises(ModelError, match="'widht'"):
        TorchvisionBackbone(name, widht=3)
