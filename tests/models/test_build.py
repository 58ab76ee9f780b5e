"""Every torchvision classifier by its name, and what is said when a name or an argument is wrong."""

import logging
from pathlib import Path

import pytest
import torch
import torchvision
from torch import nn

from ding_cls.errors import ConfigError, ModelError
from ding_cls.models import (
    ImageClassifier,
    ResNet,
    build_model,
    classifier_layer,
    load_initial_weights,
    model_names,
    new_network,
)

# name: side in pixels of the smallest square that suits a test.
SMALL = {
    "alexnet": 64,
    "convnext_tiny": 32,
    "densenet121": 32,
    "efficientnet_b0": 32,
    "googlenet": 32,
    "inception_v3": 80,
    "mnasnet0_5": 32,
    "mobilenet_v2": 32,
    "mobilenet_v3_small": 32,
    "regnet_x_400mf": 32,
    "regnet_y_400mf": 32,
    "resnet18": 32,
    "shufflenet_v2_x0_5": 32,
    "squeezenet1_0": 32,
    "squeezenet1_1": 32,
    "swin_t": 32,
}


def test_sweep_covers_sixteen_networks() -> None:
    assert len(SMALL) == 16
    assert SMALL.keys() <= set(model_names())


@pytest.mark.slow
@pytest.mark.parametrize(("name", "size_px"), SMALL.items())
def test_any_network_returns_one_tensor_of_logits(name: str, size_px: int) -> None:
    torch.manual_seed(0)
    model = build_model(name, num_classes=5)
    assert classifier_layer(model)[1].weight.shape[0] == 5
    images = torch.randn(2, 3, size_px, size_px)
    for mode in (True, False):
        model.train(mode)
        # One pixel per channel is left of a small picture; BatchNorm needs two samples then, and has them.
        logits = model(images)
        assert isinstance(logits, torch.Tensor)
        assert logits.shape == (2, 5)
        assert torch.isfinite(logits).all()


def test_names_are_torchvisions_eighty_or_more() -> None:
    names = model_names()
    assert len(names) == len(set(names)) >= 80
    assert set(torchvision.models.list_models(module=torchvision.models)) == set(names) - {"lenet5"}
    assert list(names) == sorted(names)


@pytest.mark.parametrize(
    "name",
    ["maxvit_t", "resnet152", "swin_v2_t", "vgg11_bn", "vit_b_32", "wide_resnet50_2", "efficientnet_v2_s"],
)
def test_classifier_layer_is_the_one_with_the_classes(name: str) -> None:
    with torch.device("meta"):
        layer = classifier_layer(build_model(name, num_classes=7))[1]
    assert layer.weight.shape[0] == 7


def test_classifier_layer_has_its_name() -> None:
    assert classifier_layer(build_model("squeezenet1_1", num_classes=3))[0] == "classifier.1"
    assert classifier_layer(build_model("resnet18", num_classes=3))[0] == "fc"
    with pytest.raises(ModelError, match="ReLU has no Linear or Conv2d layer"):
        classifier_layer(nn.ReLU())


def test_our_resnets_stand_in_for_torchvisions() -> None:
    for name in ("resnet18", "resnet34", "resnet50", "resnet101", "resnet152"):
        with torch.device("meta"):
            assert isinstance(build_model(name, num_classes=2), ResNet)
    assert isinstance(build_model("resnext50_32x4d", num_classes=2), torchvision.models.ResNet)


def test_arguments_reach_the_constructor() -> None:
    assert build_model("mobilenet_v2", num_classes=2, dropout=0.37).classifier[0].p == 0.37
    model = build_model("resnet18", num_classes=2, zero_init_residual=True)
    assert model.layer1[0].bn2.weight.abs().sum() == 0
    assert build_model("googlenet", num_classes=2).transform_input is True
    assert build_model("googlenet", num_classes=2, transform_input=False).transform_input is False


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("resnt50", "did you mean resnet50 or"),
        ("ResNet-18", "did you mean resnet18 or"),
        ("mobilenetv2", "did you mean mobilenet_v2 or"),
        ("resnext50", "did you mean resnext50_32x4d or"),
        ("xyz", "known are 80 names, such as resnet18"),
    ],
)
def test_unknown_name_suggests_the_nearest(name: str, expected: str) -> None:
    with pytest.raises(ModelError) as caught:
        build_model(name, num_classes=5)
    message = str(caught.value)
    assert message.startswith(f"unknown model {name!r}; ")
    assert expected.replace("80", str(len(model_names()))) in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("xception", "did you mean timm/xception41 or timm/xception65 or inception_v3?"),
        (
            "resnext50",
            "resnext50_32x4d or resnet50 or resnet152 or timm/resnext50d_32x4d or timm/res2next50?",
        ),
        ("vit_base_patch16_224", "did you mean timm/vit_base_patch16_224?"),
        ("resnet50.a1_in1k", "did you mean timm/resnet50.a1_in1k?"),
        ("xyz", "ding-cls models lists them, ding-cls models 'timm/*' those of timm"),
    ],
)
def test_an_unknown_name_suggests_timms_too(name: str, expected: str) -> None:
    pytest.importorskip("timm")
    with pytest.raises(ModelError) as caught:
        build_model(name, num_classes=5)
    assert str(caught.value).endswith(expected)


@pytest.mark.parametrize("name", ["xception", "resnext50", "xyz"])
def test_without_timm_an_unknown_name_gives_its_pip_command(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("build", "backbones.timm"):
        monkeypatch.setattr(f"ding_cls.models.{module}.has_timm", lambda: False)
    with pytest.raises(ModelError) as caught:
        build_model(name, num_classes=5)
    hint = "; timm has more, as timm/NAME, and is not installed: pip install 'ding_cls[timm]'"
    assert str(caught.value).endswith(hint)
    assert "timm/x" not in str(caught.value)


@pytest.mark.parametrize("num_classes", [0, -1, 2.0, True, None])
def test_number_of_classes_must_be_positive(num_classes: object) -> None:
    with pytest.raises(ModelError, match=r"num_classes=.* of model 'resnet18' must be a whole number from 1"):
        build_model("resnet18", num_classes=num_classes)


@pytest.mark.parametrize(
    ("name", "arguments", "expected"),
    [
        ("resnet18", {"widht": 3}, r"'resnet18' cannot be built with \{'widht': 3\}: .*widht"),
        ("mobilenet_v2", {"widht": 3}, r"'mobilenet_v2' cannot be built with \{'widht': 3\}: .*widht"),
        ("mobilenet_v3_small", {"widht": 3}, "'mobilenet_v3_small' cannot be built with .* 'widht'"),
        ("convnext_tiny", {"use_grn": True}, "'convnext_tiny' cannot be built with .* 'use_grn'"),
        ("mobilenet_v2", {"dropout": 3.0}, "dropout probability has to be between 0 and 1"),
        ("googlenet", {"aux_logits": True}, "aux_logits must stay off"),
        ("mobilenet_v2", {"weights": "DEFAULT"}, "pretrained=True or pretrained=PATH, not as weights"),
    ],
)
def test_unusable_argument_is_named(name: str, arguments: dict[str, object], expected: str) -> None:
    with pytest.raises(ModelError, match=expected):
        build_model(name, num_classes=5, **arguments)


def test_loading_is_logged_in_one_line(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "weights.pth"
    torch.save(build_model("resnet18", num_classes=7).state_dict(), path)
    with caplog.at_level(logging.INFO, logger="ding_cls.models"):
        model = build_model("resnet18", num_classes=5, pretrained=path)
    assert model.fc.weight.shape == (5, 512)
    assert caplog.messages == [
        f"resnet18: loaded 120 of 122 tensors from {path}; newly initialised: fc.weight, fc.bias"
    ]


PARTS = {
    "type": "ImageClassifier",
    "backbone": {"type": "ResNet", "depth": 18},
    "neck": {"type": "GlobalAveragePooling"},
    "head": {"type": "LinearClsHead", "in_channels": 512},
}
# What the config's schema puts beside every type.
DEFAULTS = {"name": "resnet18", "num_classes": None, "pretrained": False}


def test_a_dict_describes_a_network_by_name_or_by_type() -> None:
    named = new_network({"name": "squeezenet1_1", "dropout": 0.25, "num_classes": 9}, num_classes=3)
    assert (named.classifier[0].p, named.classifier[1].out_channels) == (0.25, 3)
    assert isinstance(new_network({"type": None}, num_classes=3), ResNet)
    description = {**DEFAULTS, **PARTS}
    network = new_network(description, num_classes=3)
    assert isinstance(network, ImageClassifier)
    assert network.head.fc.out_features == 3
    assert description == {**DEFAULTS, **PARTS}


def test_a_network_has_a_name_or_a_type() -> None:
    with pytest.raises(ConfigError, match="name 'resnet50' and the type 'ImageClassifier'; keep one"):
        new_network({**PARTS, "name": "resnet50"}, num_classes=3)


def test_the_weights_asked_for_are_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.save(build_model("resnet18", num_classes=1000).state_dict(), tmp_path / "resnet18.pth")
    monkeypatch.setattr(
        "ding_cls.models.weights.initial.fetch_weights", lambda name: tmp_path / f"{name}.pth"
    )
    parts = new_network(PARTS, num_classes=3)
    for network, description in ((parts, PARTS), (build_model("resnet18", num_classes=3), DEFAULTS)):
        assert load_initial_weights(network, description) == []
        for source in (True, str(tmp_path / "resnet18.pth")):
            (report,) = load_initial_weights(network, {**description, "pretrained": source})
            assert str(report).startswith(f"loaded 120 of 122 tensors from {tmp_path / 'resnet18.pth'}")
    own = ImageClassifier(nn.Conv2d(3, 4, 3))
    with pytest.raises(ModelError, match="no pretrained weights for a Conv2d; give a file as pretrained"):
        load_initial_weights(own, {**PARTS, "pretrained": True})


def test_a_networks_name_given_as_a_type_is_answered_with_how_to_write_it() -> None:
    with pytest.raises(ConfigError, match=r"'resnet50' is the name of a network.*: write model=dict\(name="):
        new_network({"type": "resnet50"}, num_classes=3)
