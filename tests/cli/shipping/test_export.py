"""``ding-cls export``, from the command line to the file that others read."""

import json
import runpy
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
import torch
from PIL import Image

import ding_cls
from ding_cls.cli import main
from tests.inference.conftest import CLASSES
from tests.inference.conftest import images as images
from tests.inference.conftest import several as several
from tests.inference.conftest import tasks as tasks
from tests.inference.conftest import trained as trained


def test_options_reach_the_work(
    trained: Path, images: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    words = ["--format", "safetensors", "--data", str(images / "val"), "--samples", "7", "--batch-size", "3"]
    assert main(["export", str(trained), *words, "--out", "sub/x.safetensors", "--max-bad", "1"]) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[0] == "safetensors: sub/x.safetensors"
    assert out[1] == "Are the results equal? Yes"
    assert out[2].startswith("7 images: ")
    assert [each.name for each in Path("sub").iterdir()] == ["x.safetensors"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nowhere"], "error: there is no checkpoint 'nowhere'"),
        (["RUN", "--samples", "0"], "error: --samples 0 must be at least 1"),
        (["RUN", "--out", "x.pt"], "error: 'x.pt' must end in .onnx: the ending decides the format"),
        (["RUN", "--format", "pb"], "invalid choice: 'pb'"),
        (["RUN", "--input", "int8"], "invalid choice: 'int8'"),
        ([], "the following arguments are required: CKPT"),
    ],
    ids=str,
)
def test_mistakes_are_one_line(
    trained: Path, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    try:
        code = main(["export", *(str(trained) if each == "RUN" else each for each in words)])
    except SystemExit as stop:
        code = int(str(stop.code))
    assert code == 2
    assert message in capsys.readouterr().err


def test_one_process_exports(
    trained: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("ding_cls.cli.shipping.export.launched_world_size", lambda: 2)
    assert main(["export", str(trained)]) == 2
    assert "export runs in one process, and 2 were started; start one" in capsys.readouterr().err


@pytest.mark.slow
def test_onnx_says_what_the_checkpoint_says(
    trained: Path, images: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    image = images / "val" / "cedar" / "002.png"
    assert main(["export", str(trained), "--image", str(image)]) == 0
    captured = capsys.readouterr()
    best = ding_cls.load(trained)(image)[0].top(1)[0]
    lines = captured.out.splitlines()
    assert lines[:2] == ["Convert to onnx success! >> run.onnx", "Are the results equal? Yes"]
    assert lines[2].startswith("20 images: 0 answered otherwise, logits differ by up to ")
    assert lines[3].startswith("images/s of the network alone: torch ")
    assert lines[4:] == [
        f"Class: {best.name}; score: {best.score:.4f}",
        "preprocessing, by NumPy and Pillow: run_preprocess.py",
    ]
    assert captured.err == ""
    assert main(["predict", "run.onnx", str(images / "val"), "--out", "onnx.json", "--probabilities"]) == 0
    assert main(["predict", str(trained), str(images / "val"), "--out", "run.json", "--probabilities"]) == 0
    found, wanted = (json.loads(Path(f"{name}.json").read_text()) for name in ("onnx", "run"))
    assert [each["label"] for each in found] == [each["label"] for each in wanted]
    for one, other in zip(found, wanted, strict=True):
        assert [one[name] for name in CLASSES] == pytest.approx([other[name] for name in CLASSES], abs=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("layout", ["uint8", "float"])
def test_the_page_of_the_format_is_true(trained: Path, images: Path, layout: str) -> None:
    """ONNX Runtime and the program beside the file are enough."""
    import onnxruntime

    image = images / "val" / "cedar" / "002.png"
    assert main(["export", str(trained), "--input", layout]) == 0
    pixels = runpy.run_path("run_preprocess.py")["preprocess"](image)
    session = onnxruntime.InferenceSession("run.onnx")
    (logits,) = session.run(None, {"images": pixels})
    predictor = ding_cls.load(trained)
    with torch.no_grad():
        wanted = predictor.model(predictor.preprocess(image)[None]).numpy()
    np.testing.assert_allclose(logits, wanted, rtol=0, atol=1e-5)
    described = json.loads(session.get_modelmeta().custom_metadata_map["ding_cls"])
    assert described["classes"] == list(CLASSES)


@pytest.mark.slow
def test_int8_is_a_second_file_and_its_price_is_told(
    trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", str(trained), "--int8", "--out", "x.onnx"]) == 0
    out = capsys.readouterr().out
    assert "int8: x_int8.onnx\nint8: calibrated on 40 images, judged on 20 others\naccuracy in int8 " in out
    assert len(ding_cls.load("x_int8.onnx")(np.zeros((9, 9, 3), np.uint8))) == 1
    assert main(["export", str(trained), "--int8", "--out", "y.onnx", "--split", "train"]) == 0
    assert "int8: calibrated on 8 images, judged on 32 others" in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.parametrize("format", ["onnx", "torch_export"])
def test_several_labels_and_several_tasks(
    several: Path, tasks: Path, format: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Image.new("RGB", (8, 8), "red").save("image.png")
    for run in (several, tasks):
        words = ["--format", format, "--out", "x.onnx" if format == "onnx" else "x.pt2"]
        assert main(["export", str(run), *words, "--image", "image.png"]) == 0
        found = ding_cls.load(run)("image.png")[0]
        assert isinstance(found.label, tuple)
        out = capsys.readouterr().out
        assert "Are the results equal? Yes" in out
        for label, score in zip(found.label, found.score, strict=True):  # type: ignore[arg-type]
            assert f"Class: {found.names[label]}; score: {score:.4f}\n" in out


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], "onnx"),
        (["--out", "a.PT2"], "torch_export"),
        (["--out", "a.safetensors"], "safetensors"),
        (["--out", "a.bin"], "onnx"),
        (["--out", "a.pt2", "--format", "onnx"], "onnx"),
    ],
)
def test_the_ending_says_the_format_unless_it_is_named(words: list[str], expected: str) -> None:
    with patch("ding_cls.pipeline.exporting.export.export_checkpoint", return_value=[]) as exported:
        assert main(["export", "run", *words]) == 0
    assert exported.call_args.args[1] == expected
