"""Weights go into a network as a whole or not at all, whoever saved them."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torchvision
from torch import Tensor, nn
from torch.nn.parallel import DataParallel

from ding_cls.errors import ModelError
from ding_cls.models import (
    ImageClassifier,
    LinearClsHead,
    LoadReport,
    build_model,
    load_pretrained,
    model_wrap,
    resnet18,
)
from tests.harness import in_older_layout

Rename = Callable[[str], str]


def snapshot(model: nn.Module) -> dict[str, Tensor]:
    return {key: value.clone() for key, value in model.state_dict().items()}


def same(left: dict[str, Tensor], right: dict[str, Tensor]) -> bool:
    return left.keys() == right.keys() and all(torch.equal(left[key], right[key]) for key in left)


@pytest.fixture
def saved(tmp_path: Path) -> tuple[Path, dict[str, Tensor]]:
    torch.manual_seed(1)
    state = resnet18(num_classes=7).state_dict()
    torch.save(state, tmp_path / "resnet18.pth")
    return tmp_path / "resnet18.pth", state


def test_all_tensors_are_loaded(saved: tuple[Path, dict[str, Tensor]]) -> None:
    path, state = saved
    model = resnet18(num_classes=7)
    report = load_pretrained(model, path)
    assert same(snapshot(model), state)
    assert report == LoadReport(source=str(path), loaded=122, total=122)
    assert str(report) == f"loaded 122 of 122 tensors from {path}"


def test_another_number_of_classes_keeps_the_new_head(saved: tuple[Path, dict[str, Tensor]]) -> None:
    path, state = saved
    model = resnet18(num_classes=5)
    head = model.fc.weight.detach().clone(), model.fc.bias.detach().clone()
    report = load_pretrained(model, str(path))
    assert torch.equal(model.fc.weight, head[0])
    assert torch.equal(model.fc.bias, head[1])
    body = {key: value for key, value in snapshot(model).items() if not key.startswith("fc.")}
    assert same(body, {key: value for key, value in state.items() if not key.startswith("fc.")})
    assert report.reinitialised == ("fc.weight", "fc.bias")
    assert str(report) == f"loaded 120 of 122 tensors from {path}; newly initialised: fc.weight, fc.bias"


@pytest.mark.slow
@pytest.mark.parametrize(
    "rename",
    [
        lambda name: f"module.{name}",
        lambda name: f"model.{name}",
        lambda name: f"backbone.{name}",
        lambda name: f"_orig_mod.module.{name}",
        lambda name: f"module.model.backbone.{name}",
        lambda name: f"head.{name}" if name.startswith("fc.") else f"backbone.{name}",
        lambda name: f"module.head.{name}" if name.startswith("fc.") else f"module.backbone.{name}",
    ],
)
def test_prefixes_of_wrappers_are_taken_off(saved: tuple[Path, dict[str, Tensor]], rename: Rename) -> None:
    path, state = saved
    torch.save({"model": {rename(key): value for key, value in state.items()}}, path)
    model = resnet18(num_classes=7)
    assert load_pretrained(model, path).loaded == 122
    assert same(snapshot(model), state)


def test_a_prefix_that_belongs_to_the_network_stays(tmp_path: Path) -> None:
    network = nn.Sequential()
    network.add_module("backbone", nn.Conv2d(3, 4, 1))
    network.add_module("head", nn.Linear(4, 2))
    state = snapshot(network)
    torch.save(state, tmp_path / "w.pth")
    nn.init.zeros_(network.head.weight)
    load_pretrained(network, tmp_path / "w.pth")
    assert same(snapshot(network), state)


@pytest.mark.parametrize("wrap", [model_wrap, DataParallel])
def test_wrapped_model_takes_the_same_file(saved: tuple[Path, dict[str, Tensor]], wrap) -> None:
    path, state = saved
    model = resnet18(num_classes=7)
    load_pretrained(wrap(model), path)
    assert same(snapshot(model), state)


def test_half_precision_is_converted(saved: tuple[Path, dict[str, Tensor]]) -> None:
    path, state = saved
    half = {key: value.half() if value.is_floating_point() else value for key, value in state.items()}
    torch.save(half, path)
    model = resnet18(num_classes=7)
    load_pretrained(model, path)
    loaded = snapshot(model)
    assert all(loaded[key].dtype == value.dtype for key, value in state.items())
    assert all(torch.equal(loaded[key], value.to(loaded[key].dtype)) for key, value in half.items())


def change(name: str, value: Tensor | None) -> Callable[[dict[str, Tensor]], None]:
    def apply(state: dict[str, Tensor]) -> None:
        if value is None:
            del state[name]
        else:
            state[name] = value

    return apply


@pytest.mark.parametrize(
    ("edit", "expected"),
    [
        (
            change("conv1.0.weight", torch.ones(24, 1, 3, 3)),
            "conv1.0.weight (file: (24, 1, 3, 3), model: (24, 3, 3, 3))",
        ),
        (change("conv1.1.bias", None), "conv1.1.bias (file: missing, model: (24,))"),
        (change("extra.weight", torch.ones(2)), "extra.weight (file: (2,), model: missing)"),
        (change("fc.bias", None), "fc.bias (file: missing, model: (7,))"),
        (change("fc.weight", torch.ones(7, 256)), "fc.weight (file: (7, 256), model: (7, 1024))"),
        (
            change("conv1.1.weight", torch.ones(24, dtype=torch.int8)),
            "conv1.1.weight is torch.int8 (the model's is torch.float32) in the file",
        ),
    ],
)
def test_any_other_difference_is_refused_and_nothing_is_loaded(tmp_path: Path, edit, expected: str) -> None:
    state = dict(build_model("shufflenet_v2_x0_5", num_classes=7).state_dict())
    edit(state)
    path = tmp_path / "w.pth"
    torch.save(state, path)
    model = build_model("shufflenet_v2_x0_5", num_classes=7)
    before = snapshot(model)
    with pytest.raises(ModelError) as caught:
        load_pretrained(model, path)
    assert str(caught.value) == f"weights file {path} does not fit ShuffleNetV2: {expected}"
    assert same(snapshot(model), before)


def test_another_architecture_lists_five_and_counts_the_rest(saved: tuple[Path, dict[str, Tensor]]) -> None:
    path, _ = saved
    with pytest.raises(ModelError) as caught:
        build_model("resnet50", num_classes=7, pretrained=path)
    message = str(caught.value)
    assert message.count("file:") == 5
    assert "layer1.0.conv1.weight (file: (64, 64, 3, 3), model: (64, 64, 1, 1))" in message
    assert re.search(r"; and \d+ more$", message)
    assert "\n" not in message


@pytest.mark.slow
@pytest.mark.parametrize("name", ["googlenet", "inception_v3"])
def test_auxiliary_classifiers_in_a_file_are_left_out(tmp_path: Path, name: str) -> None:
    full = torchvision.models.get_model(name, num_classes=7, aux_logits=True, init_weights=False)
    state = full.state_dict()
    torch.save(state, tmp_path / "w.pth")
    model = build_model(name, num_classes=7)
    report = load_pretrained(model, tmp_path / "w.pth")
    assert report.left_out == (("aux1", "aux2") if name == "googlenet" else ("AuxLogits",))
    assert report.loaded == report.total == len(model.state_dict()) < len(state)
    assert str(report).endswith(f"; left out: {', '.join(report.left_out)}")
    assert same(snapshot(model), {key: state[key] for key in model.state_dict()})


def old_densenet_name(name: str) -> str:
    return re.sub(r"(denselayer\d+\.(?:norm|conv))([12]\.)", r"\1.\2", name)


def old_vit_name(name: str) -> str:
    return name.replace(".mlp.0.", ".mlp.linear_1.").replace(".mlp.3.", ".mlp.linear_2.")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "old_name"),
    [
        (lambda: build_model("densenet121", num_classes=3), old_densenet_name),
        (
            lambda: torchvision.models.VisionTransformer(32, 16, 2, 2, 8, 16, num_classes=3),
            old_vit_name,
        ),
    ],
)
@pytest.mark.parametrize("prefix", ["", "module."])
def test_names_of_old_torchvision_files_are_understood(
    tmp_path: Path, model: Callable[[], nn.Module], old_name: Rename, prefix: str
) -> None:
    state = model().state_dict()
    old = {
        prefix + old_name(key): value
        for key, value in state.items()
        if not key.endswith("num_batches_tracked")
    }
    assert sum(key.removeprefix(prefix) not in state for key in old) >= 8
    torch.save(old, tmp_path / "w.pth")
    fresh = model()
    report = load_pretrained(fresh, tmp_path / "w.pth")
    assert report.loaded == report.total == len(old)
    assert same(snapshot(fresh), state)


def test_a_network_that_checks_its_version_is_loaded(tmp_path: Path) -> None:
    state = build_model("mnasnet0_5", num_classes=3).state_dict()
    torch.save(dict(state), tmp_path / "w.pth")
    model = build_model("mnasnet0_5", num_classes=3, pretrained=tmp_path / "w.pth")
    assert same(snapshot(model), state)


# Networks of parts


def of_parts(num_classes: int = 7, **backbone: object) -> ImageClassifier:
    torch.manual_seed(2)
    return ImageClassifier(
        {"type": "ResNet", "depth": 18, **backbone},
        {"type": "GlobalAveragePooling"},
        {"type": "LinearClsHead", "num_classes": num_classes, "in_channels": 512},
    )


def named_in_parts(name: str) -> str:
    return f"head.{name}" if name.startswith("fc.") else f"backbone.{name}"


@pytest.mark.slow
@pytest.mark.parametrize("prefix", ["", "module.", "_orig_mod.module."])
def test_a_whole_network_finds_its_place_in_parts(saved: tuple[Path, dict[str, Tensor]], prefix: str) -> None:
    path, state = saved
    torch.save({"state_dict": {prefix + name: value for name, value in state.items()}}, path)
    model = of_parts()
    report = load_pretrained(model, path)
    assert str(report) == f"loaded 122 of 122 tensors from {path}"
    assert same(snapshot(model), {named_in_parts(name): value for name, value in state.items()})


def test_parts_find_their_place_in_parts(saved: tuple[Path, dict[str, Tensor]]) -> None:
    path, state = saved
    torch.save({named_in_parts(name): value for name, value in state.items()}, path)
    model = of_parts()
    assert load_pretrained(model, path).loaded == 122
    assert same(snapshot(model), {named_in_parts(name): value for name, value in state.items()})


def test_another_number_of_classes_keeps_the_new_head_of_parts(saved: tuple[Path, dict[str, Tensor]]) -> None:
    path, state = saved
    model = of_parts(5)
    head = snapshot(model.head)
    report = load_pretrained(model, path)
    assert report.reinitialised == ("head.fc.weight", "head.fc.bias")
    assert report.left_out == ()
    assert same(snapshot(model.head), head)
    assert torch.equal(model.backbone.layer4[1].conv2.weight, state["layer4.1.conv2.weight"])


def test_a_neck_and_a_head_of_ones_own_stay_new(saved: tuple[Path, dict[str, Tensor]]) -> None:
    class Head(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.out = nn.Linear(16, 2)

        def forward(self, vectors: Tensor) -> Tensor:
            return self.out(vectors)

        def loss(self, logits: Tensor, targets: Tensor) -> dict[str, Tensor]:
            return {"loss": logits.mean()}

    path, _ = saved
    model = ImageClassifier({"type": "ResNet", "depth": 18}, nn.Linear(512, 16), Head())
    before = {name: value for name, value in snapshot(model).items() if not name.startswith("backbone.")}
    report = load_pretrained(model, path)
    assert report.loaded == 120
    assert (
        report.reinitialised
        == tuple(before)
        == ("neck.weight", "neck.bias", "head.out.weight", "head.out.bias")
    )
    assert report.left_out == ("head.fc",)
    assert same({name: snapshot(model)[name] for name in before}, before)


def test_stages_that_are_not_there_are_left_out(saved: tuple[Path, dict[str, Tensor]]) -> None:
    path, state = saved
    backbone = {"type": "ResNet", "depth": 18, "num_stages": 3, "out_indices": (2,)}
    model = ImageClassifier(backbone, {"type": "GlobalAveragePooling"}, LinearClsHead(7, 256))
    report = load_pretrained(model, path)
    assert report.left_out == ("backbone.layer4",)
    assert report.reinitialised == ("head.fc.weight", "head.fc.bias")
    assert torch.equal(model.backbone.layer3[1].conv2.weight, state["layer3.1.conv2.weight"])


def test_a_backbone_that_is_not_the_files_is_refused(tmp_path: Path) -> None:
    state = resnet18(num_classes=7).state_dict()
    del state["layer4.1.bn2.bias"]
    state["layer1.0.conv1.bias"] = torch.zeros(64)
    torch.save(state, tmp_path / "w.pth")
    model = of_parts()
    before = snapshot(model)
    with pytest.raises(ModelError) as caught:
        load_pretrained(model, tmp_path / "w.pth")
    assert "backbone.layer4.1.bn2.bias (file: missing, model: (512,))" in str(caught.value)
    assert "backbone.layer1.0.conv1.bias (file: (64,), model: missing)" in str(caught.value)
    assert same(snapshot(model), before)


@pytest.mark.slow
@pytest.mark.parametrize("is_older", [False, True])
@pytest.mark.parametrize("evaluated", [True, False])
def test_of_a_checkpoint_it_takes_what_was_evaluated(tmp_path: Path, evaluated: bool, is_older: bool) -> None:
    raw, average = [resnet18(num_classes=3).state_dict() for _ in range(2)]
    state: dict[str, Any] = {"model": raw, "averaged": {"kept": average, "num_averaged": 5}, "last_iter": 5}
    if evaluated:
        state |= {"model": average, "training_model": raw, "averaged": {"num_averaged": 5}}
    torch.save(in_older_layout(state) if is_older else state, tmp_path / "ckpt.pth.tar")
    model = resnet18(num_classes=3)
    report = load_pretrained(model, tmp_path / "ckpt.pth.tar")
    assert same(snapshot(model), average if evaluated else raw)
    assert ("(its averaged weights, which its run evaluated)" in str(report)) is evaluated
    assert report.is_averaged is evaluated


def test_a_body_without_its_last_layer_is_loaded_and_told(tmp_path: Path) -> None:
    body = {k: v + 1 for k, v in build_model("resnet18", num_classes=3).state_dict().items()}
    torch.save({k: v for k, v in body.items() if not k.startswith("fc.")}, tmp_path / "body.pth")
    network = build_model("resnet18", num_classes=2)
    before = network.fc.weight.clone()
    report = load_pretrained(network, tmp_path / "body.pth")
    assert report.reinitialised == ("fc.weight", "fc.bias")
    assert "newly initialised: fc.weight, fc.bias" in str(report)
    assert torch.equal(network.fc.weight, before)
    assert torch.equal(network.conv1.weight, body["conv1.weight"])
