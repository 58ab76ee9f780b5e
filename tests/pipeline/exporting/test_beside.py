"""What lies beside an exported file."""

import os
import runpy
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from ding_cls.errors import ConfigError, DataError
from ding_cls.export.files import ExportedFile, Format, export_file
from ding_cls.inference import Predictor
from ding_cls.pipeline.exporting import beside
from ding_cls.pipeline.exporting.beside import (
    check_int8,
    check_ours,
    int8_path,
    write_int8,
    write_preprocess,
)
from ding_cls.pipeline.exporting.images import ComparedImages
from tests.export.graphs import tiny_predictor


@pytest.fixture
def predictor() -> Predictor:
    return tiny_predictor()


def as_graph(predictor: Predictor, path: str, format: Format, layout: str) -> ExportedFile:
    """Return what is known of a graph, without the seconds that it takes to make one."""
    exported = export_file(predictor, "weights.safetensors", "safetensors", samples=1)
    description = replace(exported.description, layout=layout)  # type: ignore[arg-type]
    return replace(exported, path=path, format=format, description=description)


@pytest.mark.parametrize("layout", ["uint8", "float"])
def test_the_program_prepares_images(tmp_path: Path, predictor: Predictor, layout: str) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (13, 17, 3), np.uint8)
    Image.fromarray(pixels).save("an image.png")
    line = write_preprocess(as_graph(predictor, "ä b/tiny.onnx", "onnx", layout))
    assert line == "preprocessing, by NumPy and Pillow: ä b/tiny_preprocess.py"
    found = runpy.run_path("ä b/tiny_preprocess.py")["preprocess"]("an image.png")
    wanted = predictor.prepare("an image.png")[0][None]
    if layout == "float":
        wanted = predictor.preprocessing.normalize(wanted)
    assert np.array_equal(found, wanted.numpy())


def test_two_files_of_one_name_have_a_program_each(tmp_path: Path, predictor: Predictor) -> None:
    for format, ending, layout in (("onnx", "onnx", "uint8"), ("torch_export", "pt2", "float")):
        write_preprocess(as_graph(predictor, f"tiny.{ending}", format, layout))  # type: ignore[arg-type]
    assert "session.run" in Path("tiny_preprocess.py").read_text()
    assert "float32" not in Path("tiny_preprocess.py").read_text()
    assert "torch.export.load" in Path("tiny_pt2_preprocess.py").read_text()


def test_steps_without_an_equal_leave_no_program(tmp_path: Path, predictor: Predictor) -> None:
    exported = as_graph(predictor, "tiny.onnx", "onnx", "uint8")
    reason = "the step Mine has no equal without torch"
    line = write_preprocess(replace(exported, unsaid=reason))
    assert line == f"no program for the preprocessing: {reason}; prepare images with ding_cls"
    assert not Path("tiny_preprocess.py").exists()
    write_preprocess(exported)
    line = write_preprocess(replace(exported, unsaid=reason))
    assert line.endswith("; tiny_preprocess.py is of another export")


def test_int8_is_not_judged_on_what_it_was_calibrated_on(
    tmp_path: Path, predictor: Predictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[object] = []

    def quantized(*arguments: object, calibration: object, **rest: object) -> object:
        seen.append(calibration)
        return SimpleNamespace(lines=list)

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(beside, "quantize_onnx", quantized)
    images = ComparedImages(["a/1.png", "a/2.png"])
    for training in (["b/1.png"], [os.path.abspath("a/2.png")], ["a/../a/1.png"], None):
        assert list(write_int8(predictor, Path("x.onnx"), images, training)) == ["int8: x_int8.onnx"]
    assert seen == [["b/1.png"], None, None, None]


def test_int8_is_refused_before_the_work(tmp_path: Path) -> None:
    target, some = Path("a b", "x.onnx"), ComparedImages(["image.png"])
    assert int8_path(target) == Path("a b", "x_int8.onnx")
    check_int8("onnx", target, some)
    with pytest.raises(ConfigError, match="--int8 is for ONNX files; leave out --format torch_export"):
        check_int8("torch_export", target, some)
    with pytest.raises(ConfigError, match="from real images, and the data are gone; name some: --data PATH"):
        check_int8("onnx", target, ComparedImages(None, "the data are gone"))
    int8_path(target).mkdir(parents=True)
    with pytest.raises(DataError, match=r"x_int8.onnx' is a folder"):
        check_int8("onnx", target, some)


@pytest.mark.parametrize(("format", "ending"), [("onnx", ".onnx"), ("torch_export", ".pt2")])
def test_only_what_export_has_written_or_you_have_named_is_replaced(
    tmp_path: Path, predictor: Predictor, format: Format, ending: str
) -> None:
    target = Path(f"x{ending}")

    def check(**more: bool) -> None:
        check_ours(target, format, **{"is_named": False, "int8": False, **more})

    check()
    target.write_bytes(b"of another program")
    check(is_named=True)
    with pytest.raises(DataError, match=rf"'x{ending}' is there and of no export.*: --out x_2{ending}$"):
        check()
    target.write_bytes(b"")
    check()
    path = Path(write_preprocess(as_graph(predictor, str(target), format, "uint8")).rpartition(": ")[2])
    check(is_named=True)
    path.write_text("import ding_cls  # a program of one's own")
    with pytest.raises(DataError, match=rf"'{path}' is there and of no export"):
        check(is_named=True)
    path.unlink()
    path.mkdir()
    with pytest.raises(DataError, match=r"cannot be read: Is a directory; take another --out FILE"):
        check(is_named=True)
    path.rmdir()
    int8_path(target).write_bytes(b"of another program")
    with pytest.raises(DataError, match=rf"'x_int8{ending}' is there and of no export"):
        check(is_named=True, int8=True)


def test_an_exported_file_is_of_an_export(tmp_path: Path, predictor: Predictor) -> None:
    export_file(predictor, "x.safetensors", "safetensors", samples=1)
    check_ours(Path("x.safetensors"), "safetensors", is_named=False, int8=False)
