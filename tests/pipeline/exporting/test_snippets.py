"""The code on a card runs as it stands, and gives the run's own answers."""

import contextlib
import io
import re
import shlex
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from torch import nn

from ding_cls.cli import main
from ding_cls.data import PipelinePreprocessing, Preprocessing
from ding_cls.export.description import described
from ding_cls.export.weights import weights_metadata
from ding_cls.images import imagenet_classes
from ding_cls.inference import Predictor
from ding_cls.inference.loading import library_preprocessing
from ding_cls.models import build_model, new_network
from ding_cls.models.weights.writing import write_weights
from ding_cls.pipeline import train
from ding_cls.pipeline.exporting.publish import publish
from ding_cls.pipeline.exporting.snippets import (
    installation,
    network_name,
    plain_description,
    snippets,
)
from ding_cls.report.model_card import Snippet
from tests.harness import TinyBackbone

CLASSES = ("ash", "birch <b>", "cedar, 'red' \"")
ODD = ("a\nb", " c ", "\u202edce")
SQUASHED = [{"type": "LoadImageFromFile"}, {"type": "Resize", "size": [40, 56]}]
COMPOSED = {
    "type": "ImageClassifier",
    "backbone": {"type": TinyBackbone.__name__},
    "neck": {"type": "GlobalAveragePooling"},
    "head": {"type": "LinearClsHead", "in_channels": 8, "num_classes": 3},
}


def written(
    description: dict[str, Any],
    network: nn.Module,
    preprocessing: PipelinePreprocessing,
    *,
    classes: Sequence[str] = CLASSES,
    file: str = "x_20260101-01234567.pth",
    **settings: Any,
) -> tuple[Predictor, list[Snippet]]:
    """Leave a file of weights, an image and a list of names here; return what they must say, and the code."""
    predictor = Predictor(network, preprocessing, classes, device="cpu", **settings)
    about = described(predictor, torch.zeros(8, 8, 3), "float", {})
    write_weights(file, network.state_dict(), weights_metadata(predictor, about))
    pixels = torch.randint(256, (91, 60, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    Image.fromarray(pixels.numpy()).resize((263, 187)).save("image.jpg", quality=95)
    Path("classes.txt").write_text("\n".join(classes), encoding="utf-8", errors="replace")
    return predictor, snippets(file, plain_description(description), predictor)


def ran(code: str) -> dict[str, Any]:
    """Return the names that code leaves behind."""
    names: dict[str, Any] = {}
    with contextlib.redirect_stdout(io.StringIO()):
        exec(compile(code, "the card", "exec"), names)
    return names


def check(predictor: Predictor, pieces: Sequence[Snippet]) -> None:
    """Run the code in Python; the first piece gives logits, the second a predictor."""
    plain, ours = (each for each in pieces if each.language == "python")
    with torch.inference_mode():
        wanted = predictor.model(predictor.preprocess("image.jpg")[None])
    assert torch.allclose(ran(plain.code)["logits"], wanted, atol=1e-5), plain.code
    (expected,), (found,) = predictor("image.jpg"), ran(ours.code)["predictor"]("image.jpg")
    assert found.names == expected.names
    assert found.label == expected.label
    assert found.probabilities.tolist() == expected.probabilities.tolist()


@pytest.mark.parametrize("file", ["x_20260101-01234567.pth", "x_20260101-01234567.safetensors"])
def test_a_network_of_torchvision(file: str, workdir: Path) -> None:
    network = build_model("squeezenet1_1", num_classes=3)
    description = {"name": "squeezenet1_1", "pretrained": "/home/me/w.pth", "num_classes": None}
    preprocessing = library_preprocessing("squeezenet1_1")
    predictor, pieces = written(description, network, preprocessing, file=file)
    check(predictor, pieces)
    assert "ding_cls" not in pieces[0].code
    assert "ding_cls.load(" in pieces[1].code
    assert not any("/home/me" in each.code for each in pieces)


def test_the_command_says_the_same(workdir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    network = build_model("squeezenet1_1", num_classes=3)
    predictor, pieces = written({"name": "squeezenet1_1"}, network, library_preprocessing("squeezenet1_1"))
    (command,) = [each.code for each in pieces if each.title == "On the command line"]
    program, *words = shlex.split(command)
    assert program == "ding-cls"
    assert main(words) == 0
    (expected,) = predictor("image.jpg")
    assert f"{expected.score:.8f} {expected.name}\n" in capsys.readouterr().out


def test_a_preprocessing_of_the_runs_own_is_written_out(workdir: Path) -> None:
    network = build_model("squeezenet1_1", num_classes=3, dropout=0.2)
    own = Preprocessing(
        image_size=64, resize_size=71, mean=[0.5] * 3, std=[0.25] * 3, interpolation="bicubic"
    )
    predictor, pieces = written({"name": "squeezenet1_1", "dropout": 0.2}, network, own)
    check(predictor, pieces)
    assert "would give other scores" in pieces[1].remark
    assert "policy.model.dropout=0.2" in pieces[2].code


def test_a_file_of_safetensors_knows_classes_and_preprocessing(
    workdir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    network = build_model("squeezenet1_1", num_classes=3)
    own = Preprocessing(image_size=64, resize_size=71, mean=[0.5] * 3, std=[0.25] * 3)
    settings: dict[str, Any] = {"has_several_labels": True, "threshold": 0.1}
    file, odd = "x_20260101-01234567.safetensors", (*ODD[:2], "\udcff")
    predictor, pieces = written({"name": "squeezenet1_1"}, network, own, classes=odd, file=file, **settings)
    check(predictor, pieces)
    assert pieces[1].code.splitlines()[2] == f'predictor = ding_cls.load("{file}", model="squeezenet1_1")'
    assert main([*shlex.split(pieces[2].code)[1:], "--out", "out.json"]) == 0
    assert predictor("image.jpg")[0].label == (0, 1, 2)


@pytest.mark.parametrize("image_size", [64, 224])
def test_names_that_no_list_can_hold_are_spelled_out(image_size: int, workdir: Path) -> None:
    network = build_model("squeezenet1_1", num_classes=3)
    preprocessing = replace(library_preprocessing("squeezenet1_1"), image_size=image_size)
    predictor, pieces = written({"name": "squeezenet1_1"}, network, preprocessing, classes=ODD)
    check(predictor, pieces)
    assert ("ding_cls.load(" in pieces[1].code) == (image_size == 224)


@pytest.mark.slow
def test_a_thousand_names_are_a_list(workdir: Path) -> None:
    network = build_model("squeezenet1_1", num_classes=1000)
    description = {"name": "squeezenet1_1"}
    preprocessing = library_preprocessing("squeezenet1_1")
    predictor, pieces = written(description, network, preprocessing, classes=imagenet_classes())
    check(predictor, pieces)
    assert 'classes="classes.txt"' in pieces[1].code
    more = (*imagenet_classes(), "one more")
    network = build_model("squeezenet1_1", num_classes=1001)
    check(*written(description, network, preprocessing, classes=more))


def test_a_network_of_parts_on_images_that_are_not_square(workdir: Path) -> None:
    network = new_network(COMPOSED, num_classes=3)
    predictor, pieces = written(COMPOSED, network, PipelinePreprocessing(SQUASHED), has_several_labels=True)
    check(predictor, pieces)
    assert "logits.sigmoid()" in pieces[0].code
    assert pieces[2].code == "ding-cls train CONFIG policy.model.pretrained=x_20260101-01234567.pth"


def test_the_users_own_modules_are_imported_first() -> None:
    predictor = Predictor(build_model("lenet5", num_classes=3), Preprocessing(28, 28), "abc", device="cpu")
    pieces = snippets("x.pth", {"name": "lenet5"}, predictor, own_modules=["my.parts", "more"])
    for each in pieces:
        begins = each.code.startswith("import my.parts\nimport more\n")
        assert begins == (each.language == "python")


@pytest.mark.slow
def test_a_network_of_timm(workdir: Path) -> None:
    name = "timm/test_resnet.r160_in1k"
    network = build_model(name, num_classes=3)
    predictor, pieces = written({"name": name}, network, library_preprocessing(name))
    check(predictor, pieces)
    assert 'timm.create_model("test_resnet.r160_in1k", num_classes=3)' in pieces[0].code


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["resnet18", "mnasnet0_5", "googlenet", "inception_v3", "vit_b_32", "convnext_tiny", "swin_t"]
)
def test_networks_of_any_family(name: str, workdir: Path) -> None:
    network = build_model(name, num_classes=3)
    predictor, pieces = written({"name": name}, network, library_preprocessing(name))
    check(predictor, pieces)


@pytest.mark.parametrize(
    ("file", "description", "package"),
    [
        ("x.pth", {"name": "resnet18"}, "."),
        ("x.safetensors", {"name": "resnet18"}, "'.[export]'"),
        ("x.pth", {"name": "timm/vit_tiny_patch16_224"}, "'.[timm]'"),
        ("x.safetensors", {"backbone": {"type": "TIMMBackbone"}}, "'.[timm,export]'"),
    ],
)
def test_what_the_code_needs_can_be_installed(file: str, description: dict[str, Any], package: str) -> None:
    line = f"pip install {package}  # in a checkout of ding_cls"
    assert installation(file, description).code == line


def test_what_a_network_is_called() -> None:
    assert network_name(COMPOSED) == "TinyBackbone"
    assert network_name({"name": "resnet18"}) == "resnet18"
    parts = {
        "type": "ImageClassifier",
        "name": "resnet18",
        "backbone": {"type": "ResNet", "init_cfg": {"type": "Pretrained", "checkpoint": "/home/me/w.pth"}},
    }
    assert plain_description(parts) == {"type": "ImageClassifier", "backbone": {"type": "ResNet"}}


@pytest.mark.slow
def test_a_new_run_begins_with_a_published_file(
    images: Path, workdir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sizes = ["policy.collect.image_size=32", "policy.collect.resize_size=32"]
    words = ["--data", str(images), "--model", "resnet18"]
    train(data=images, model="resnet18", exp_name="first", overrides=[*sizes, "policy.learn.max_iters=2"])
    found = publish("first")
    assert found is not None
    line = re.findall(r"^ding-cls (train .*)$", found.card.read_text(), re.M)[0]
    typed = shlex.split(line.replace("DIR", shlex.quote(str(images))))
    assert typed[:5] == ["train", *words]
    capsys.readouterr()
    assert main([*typed, *sizes, "--dry-run"]) == 0
    told = capsys.readouterr().out
    assert "these weights know the classes" in told


def test_the_code_on_a_card_runs(trained: Path, workdir: Path) -> None:
    found = publish(trained, format="safetensors")
    assert found is not None
    text = found.card.read_text(encoding="utf-8")
    assert text.split("## How to load it")[1].splitlines()[2:5] == [
        "### What it needs",
        "",
        "```bash",
    ]
    Path("classes.txt").write_text(re.findall(r"^```text\n(.*?)^```", text, re.S | re.M)[0], encoding="utf-8")
    Image.new("RGB", (15, 11), "teal").save("image.jpg")
    blocks = re.findall(r"^```python\n(.*?)^```", text, re.S | re.M)
    assert len(blocks) == 2
    assert ran(blocks[0])["logits"].shape == (1, 4)
    (prediction,) = ran(blocks[1])["predictor"]("image.jpg")
    assert prediction.names[:3] == ("ash", "birch", "cedar")


def test_training_goes_on_from_a_published_file(
    trained: Path, images: Path, workdir: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    found = publish(trained)
    assert found is not None
    line = re.findall(r"^(ding-cls train .*)$", found.card.read_text(), re.M)[0]
    config = trained / "total_config.py"
    words = shlex.split(line.replace("CONFIG", shlex.quote(str(config))))[1:]
    assert main([*words, "--dry-run"]) == 0
