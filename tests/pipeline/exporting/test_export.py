"""What ``ding-cls export`` does and says, for a format that takes no time to write."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from safetensors import safe_open

import ding_cls
from ding_cls.checkpoint import read_checkpoint, write_checkpoint
from ding_cls.errors import CheckpointError, ConfigError, DataError, ExportError
from ding_cls.export import files
from ding_cls.export.files import candidate_of
from ding_cls.inference.opening import load
from ding_cls.pipeline.exporting.export import export_checkpoint
from tests.inference.conftest import images as images
from tests.inference.conftest import several as several
from tests.inference.conftest import tasks as tasks
from tests.inference.conftest import trained as trained


def export(run: Path | str, *, format: Any = "safetensors", **arguments: Any) -> list[str]:
    return list(export_checkpoint(run, format, **arguments))


def test_what_is_said_and_written(trained: Path, images: Path, tmp_path: Path) -> None:
    image = images / "val" / "birch" / "001.png"
    lines = export(trained, image=image)
    assert lines[0] == "safetensors: run.safetensors"
    assert lines[1] == "Are the results equal? Yes"
    assert lines[2].startswith("20 images: 0 answered otherwise")
    best = ding_cls.load(trained)(image)[0].top(1)[0]
    assert lines[3].startswith("images/s of the network alone: torch ")
    assert lines[4:] == [f"Class: {best.name}; score: {best.score:.4f}"]
    assert [each.name for each in tmp_path.iterdir()] == ["run.safetensors"]


def test_several_labels_and_tasks_have_a_line_each(several: Path, tasks: Path, tmp_path: Path) -> None:
    Image.new("RGB", (8, 8), "red").save("image.png")
    for run in (several, tasks):
        found = ding_cls.load(run)("image.png")[0]
        labels = found.label
        assert isinstance(labels, tuple)
        lines = [each for each in export(run, image="image.png") if each.startswith("Class: ")]
        assert len(lines) == max(len(labels), 1)
        for label, line in zip(labels, lines, strict=False):
            assert line.startswith(f"Class: {found.names[label]}; score: 0.")


def test_no_label_may_reach_the_threshold(several: Path, tmp_path: Path, monkeypatch: Any) -> None:
    Image.new("RGB", (8, 8), "red").save("image.png")
    monkeypatch.setattr(
        "ding_cls.pipeline.exporting.export.load", lambda run, **rest: load(run, threshold=1.0, **rest)
    )
    line = next(each for each in export(several, image="image.png") if each.startswith("Class: "))
    assert line.startswith("Class: none reaches its threshold; the highest is ")


def moved(run: Path, folder: Path, **changes: Any) -> Path:
    """Copy a run's best checkpoint, with other entries of ``run``."""
    best = folder / "ckpt" / "ckpt_best.pth.tar"
    state = read_checkpoint(run / "ckpt" / "ckpt_best.pth.tar")
    write_checkpoint(best, {**state, "run": {**state["run"], **changes}})
    return folder


def test_names_of_classes_fit_in_a_line(trained: Path, images: Path, tmp_path: Path) -> None:
    names = ['<a> & "b"', "c,\nd", "\u202ee", "n02123045"]
    run = moved(trained, tmp_path / "a run, ü", class_names=names)
    image = images / "val" / "birch" / "001.png"
    lines = export(run, image=image, samples=3)
    assert lines[1] == "safetensors: a run, ü.safetensors"
    line = next(each for each in lines if each.startswith("Class: "))
    assert line.isprintable()
    with safe_open("a run, ü.safetensors", "pt") as file:
        assert json.loads(file.metadata()["ding_cls"])["classes"] == names


@pytest.mark.parametrize("precision", ["bf16", "fp32"])
def test_another_precision_is_told(trained: Path, tmp_path: Path, precision: str) -> None:
    config = read_checkpoint(trained / "ckpt" / "ckpt_best.pth.tar")["run"]["config"]
    config["policy"]["learn"]["precision"] = precision
    lines = export(moved(trained, tmp_path / "run", config=config))
    told = "the run computes in bf16; file and comparison are in float32"
    assert (told in lines) == (precision == "bf16")


def test_where_the_data_are_gone_synthetic_images_and_a_line(trained: Path, tmp_path: Path) -> None:
    config = read_checkpoint(trained / "ckpt" / "ckpt_best.pth.tar")["run"]["config"]
    config["policy"]["collect"]["eval_data_path"] = "gone"
    lines = export(moved(trained, tmp_path / "run", config=config), samples=9)
    assert lines[0].startswith("compared on synthetic images: 'gone' does not exist")
    assert lines[3].startswith("9 synthetic images, for want of real ones: 0 answered otherwise")


def test_a_disagreement_leaves_no_file(trained: Path, tmp_path: Path, monkeypatch: Any) -> None:
    def sabotaged(*arguments: Any) -> Any:
        inner = candidate_of(*arguments)
        return lambda images: -inner(images)

    monkeypatch.setattr(files, "candidate_of", sabotaged)
    with pytest.raises(ExportError, match=r"^Are the results equal\? No; 20 images: "):
        export(trained)
    assert not list(tmp_path.iterdir())


@pytest.fixture
def places(tmp_path: Path) -> Iterator[None]:
    Path("model.onnx").write_bytes(b"onnx")
    Path("photo.png").write_bytes(b"\x89PNG")
    Path("folder.safetensors").mkdir()
    yield
    shutil.rmtree("folder.safetensors")


@pytest.mark.usefixtures("places")
@pytest.mark.parametrize(
    ("run", "arguments", "error", "message"),
    [
        ("nowhere", {}, CheckpointError, "there is no checkpoint 'nowhere'"),
        (
            "model.onnx",
            {},
            CheckpointError,
            "'model.onnx' is an exported file already; name the run's folder",
        ),
        ("photo.png", {}, CheckpointError, "'photo.png' is an image; the run or checkpoint is named first"),
        (None, {"samples": 0}, ConfigError, "--samples 0 must be at least 1"),
        (None, {"batch_size": 0}, ConfigError, "--batch-size 0 must be at least 1"),
        (None, {"out": "x.onnx"}, ConfigError, "'x.onnx' must end in .safetensors"),
        (None, {"out": "folder.safetensors"}, DataError, "is a folder; name a file"),
        (None, {"image": "gone.jpg"}, DataError, "'gone.jpg' does not exist"),
        (None, {"image": "photo.png"}, DataError, "'photo.png' is truncated"),
        (None, {"data": "gone"}, DataError, "'gone'"),
        (None, {"split": "test"}, DataError, "test"),
        (None, {"int8": True}, ConfigError, "--int8 is for ONNX files; leave out --format safetensors"),
    ],
    ids=str,
)
def test_what_cannot_be_done_is_said_before_the_work(
    trained: Path, run: str | None, arguments: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        export(trained if run is None else run, **arguments)
    assert not list(Path().glob("*.safetensors/*"))
    assert [each for each in Path().glob("*.safetensors") if each.is_file()] == []


def test_the_evaluated_weights_are_exported(trained: Path, tmp_path: Path) -> None:
    state = read_checkpoint(trained / "ckpt" / "ckpt_best.pth.tar")
    export(trained)
    with safe_open("run.safetensors", "pt") as file:
        for name, value in state["model"].items():
            assert torch.equal(file.get_tensor(name), value)
