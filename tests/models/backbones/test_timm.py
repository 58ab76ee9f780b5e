"""timm's networks, whole and as backbones; without timm the error says how to get it."""

import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from ding_cls.errors import ConfigError, ModelError
from ding_cls.models import (
    ImageClassifier,
    LinearClsHead,
    build_backbone,
    build_model,
    load_initial_weights,
    load_pretrained,
    new_network,
)
from ding_cls.models.backbones.timm import TIMMBackbone
from ding_cls.policy.freezing import Freezing

timm = pytest.importorskip("timm")
IMAGES = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))


def test_a_whole_network_by_name() -> None:
    network = build_model("timm/resnet10t", num_classes=5, dropout=0.3, in_channels=1)
    assert type(network) is type(timm.create_model("resnet10t"))
    assert network.drop_rate == 0.3
    assert network(IMAGES[:, :1]).shape == (2, 5)
    assert new_network({"name": "timm/resnet10t"}, num_classes=4)(IMAGES).shape == (2, 4)


@pytest.mark.slow
def test_the_maps_are_timms() -> None:
    torch.manual_seed(0)
    backbone = build_backbone({"type": "TIMMBackbone", "model_name": "resnet10t"}).eval()
    (found,) = backbone(IMAGES)
    assert torch.equal(found, backbone.network.forward_features(IMAGES))
    assert found.shape == (2, 512, 2, 2)
    assert backbone.num_features == 512
    several = TIMMBackbone("resnet10t", features_only=True, out_indices=(1, 4)).eval()
    assert [tuple(each.shape[1:]) for each in several(IMAGES)] == [(64, 16, 16), (512, 2, 2)]
    vectors = build_backbone({"type": "timm/resnet10t", "gives_vectors": True}).eval()
    vectors.load_state_dict(backbone.state_dict())
    torch.testing.assert_close(vectors(IMAGES)[0], found.mean((2, 3)))


def test_a_transformer_gives_vectors() -> None:
    arguments: dict[str, Any] = {"img_size": 64, "depth": 1}
    backbone = TIMMBackbone("vit_tiny_patch16_224", **arguments).eval()
    (found,) = backbone(IMAGES)
    assert found.shape == (2, 192) == (2, backbone.num_features)


@pytest.mark.slow
def test_channels_come_second() -> None:
    backbone = TIMMBackbone("swin_tiny_patch4_window7_224", img_size=64, depths=(1, 1, 1, 1)).eval()
    assert backbone(IMAGES)[0].shape == (2, 768, 2, 2)
    several = TIMMBackbone(
        "swin_tiny_patch4_window7_224", features_only=True, img_size=64, depths=(1, 1, 1, 1)
    )
    assert [each.shape[1] for each in several.eval()(IMAGES)] == [96, 192, 384, 768]


def test_norms_stay_in_evaluation_where_asked() -> None:
    backbone = TIMMBackbone("resnet10t", norm_eval=True).train()
    assert backbone.training
    assert not any(each.training for each in backbone.modules() if isinstance(each, nn.BatchNorm2d))


def test_a_file_of_the_whole_network_finds_its_place(tmp_path: Path) -> None:
    torch.manual_seed(0)
    whole = build_model("timm/resnet10t", num_classes=7)
    torch.save(whole.state_dict(), tmp_path / "w.pth")
    model = ImageClassifier({"type": "TIMMBackbone", "model_name": "resnet10t"}, None, LinearClsHead(3, 512))
    report = load_pretrained(model, tmp_path / "w.pth")
    assert report.reinitialised == ("head.fc.weight", "head.fc.bias")
    assert torch.equal(model.backbone.network.layer4[0].conv1.weight, whole.layer4[0].conv1.weight)
    from safetensors.torch import save_file

    save_file(
        {key: each.contiguous() for key, each in whole.state_dict().items()}, tmp_path / "w.safetensors"
    )
    again = build_model("timm/resnet10t", num_classes=3)
    assert load_pretrained(again, tmp_path / "w.safetensors").reinitialised == ("fc.weight", "fc.bias")
    Path(tmp_path, "bad.safetensors").write_bytes(b"x" * 40)
    with pytest.raises(ModelError, match=r"bad\.safetensors cannot be read"):
        load_pretrained(again, tmp_path / "bad.safetensors")


@pytest.mark.parametrize("is_part", [False, True])
def test_timms_own_weights_are_copied(monkeypatch: pytest.MonkeyPatch, is_part: bool) -> None:
    real = timm.create_model

    def create(name: str, pretrained: bool = False, **arguments: Any) -> nn.Module:
        torch.manual_seed(7)
        network: nn.Module = real(name, pretrained=False, **arguments)
        if pretrained:
            nn.init.constant_(network.conv1[0].weight, 0.25)
        return network

    monkeypatch.setattr(timm, "create_model", create)
    description: dict[str, Any] = {"name": "timm/resnet10t", "pretrained": True}
    if is_part:
        backbone = {"type": "TIMMBackbone", "model_name": "resnet10t", "pretrained": True}
        head = {"type": "LinearClsHead", "in_channels": 512}
        description = {"type": "ImageClassifier", "backbone": backbone, "head": head}
    network = new_network(description, num_classes=3)
    first = network.backbone.network.conv1[0] if is_part else network.conv1[0]
    assert not (first.weight == 0.25).all()
    (report,) = load_initial_weights(network, description)
    assert (first.weight == 0.25).all()
    assert str(report).startswith("loaded ")
    assert "of timm's weights resnet10t" in str(report)


def test_weights_that_cannot_be_had_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise OSError("no network here")

    network = build_model("timm/resnet10t", num_classes=3)
    monkeypatch.setattr(timm, "create_model", fail)
    with pytest.raises(ModelError, match=r"timm's weights of resnet10t cannot be had \(no network here\)"):
        load_initial_weights(network, {"name": "timm/resnet10t", "pretrained": True})


def test_what_does_not_exist_is_named() -> None:
    with pytest.raises(
        ModelError, match="timm has no model 'resnet10'; did you mean resnet101 or resnet10t or "
    ):
        build_model("timm/resnet10", num_classes=3)
    with pytest.raises(ModelError, match=r"cannot be built with .*widht"):
        TIMMBackbone("resnet10t", widht=3)
    with pytest.raises(ConfigError, match="features_only or gives_vectors, not both"):
        TIMMBackbone("resnet10t", features_only=True, gives_vectors=True)


def test_without_timm_the_error_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)
    message = r"timm/resnet10t needs timm, which is not installed: pip install 'ding_cls\[timm\]'"
    with pytest.raises(ModelError, match=message):
        build_model("timm/resnet10t", num_classes=3)
    with pytest.raises(ModelError, match=message):
        build_backbone({"type": "TIMMBackbone", "model_name": "resnet10t"})
    with pytest.raises(ModelError, match=r"backbone 'ConvMixer' is timm/convmixer_768_32, .*pip install"):
        build_backbone({"type": "ConvMixer"})


@pytest.mark.parametrize(
    "name",
    ["deit_tiny_distilled_patch16_224", "efficientformer_l1", "levit_128s", "legacy_seresnext26_32x4d"],
)
def test_networks_with_a_head_of_their_own_are_named_as_a_whole(name: str) -> None:
    network = build_model(f"timm/{name}", num_classes=5).eval()
    with torch.no_grad():
        assert network(torch.zeros(1, 3, 224, 224)).shape == (1, 5)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["efficientnet_b7", "efficientnetv2_xl", "legacy_xception", "tf_efficientnet_b2"]
)
def test_large_networks_are_known_by_name(name: str) -> None:
    with torch.device("meta"):
        network = build_model(f"timm/{name}", num_classes=3)
    assert network.get_classifier().out_features == 3


def test_a_network_with_two_last_layers_has_both_as_its_head(tmp_path: Path) -> None:
    name, size = "timm/deit_tiny_distilled_patch16_224", {"img_size": 32, "depth": 1}
    torch.manual_seed(0)
    network = build_model(name, num_classes=3, **size)
    freezing = Freezing()
    freezing.attach(network)
    trained = {key for key, each in network.named_parameters() if each.requires_grad}
    assert trained == {"head.weight", "head.bias", "head_dist.weight", "head_dist.bias"}
    file = tmp_path / "weights.pth"
    torch.save(build_model(name, num_classes=5, **size).state_dict(), file)
    assert set(load_pretrained(network, file).reinitialised) == trained
