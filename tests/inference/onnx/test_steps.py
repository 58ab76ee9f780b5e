"""The program that goes with an exported file gives what the predictor gives the graph."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ding_cls.errors import CheckpointError
from ding_cls.images import load_rgb
from ding_cls.inference.onnx.description import ModelDescription
from ding_cls.inference.onnx.steps import batch_of, check_steps, prepared, written_preprocess
from tests.image_files import write_images
from tests.onnx_files import DESCRIPTION, STEPS

EFFICIENTNET = {"op": "crop_efficientnet", "size": 8, "padding": 3, "filter": "bicubic"}
FRAME = [
    {"op": "grey"},
    {"op": "resize_inside", "height": 8, "width": 9, "filter": "lanczos"},
    {"op": "pad", "height": 8, "width": 9, "color": [1, 2, 3], "is_centred": True},
]


def described(steps: list[dict[str, Any]], layout: Any, **more: object) -> ModelDescription:
    preprocessing = {**DESCRIPTION.preprocessing, "steps": steps, **more}
    return replace(DESCRIPTION, layout=layout, preprocessing=preprocessing)


CASES = [
    described(STEPS, "uint8"),
    described(STEPS, "float"),
    described([EFFICIENTNET], "float", is_swapped=True),
    described(FRAME, "uint8"),
    described(STEPS, "float", is_divided=True),
    described([{"op": "resize", "height": 8, "width": 9, "filter": "hamming"}], "float"),
]


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
@pytest.mark.parametrize("description", CASES)
def test_the_written_program_gives_what_the_graph_takes(
    description: ModelDescription, tmp_path: Path
) -> None:
    text = written_preprocess(description)
    assert len(text.splitlines()) <= 60
    program: dict[str, Any] = {}
    exec(compile(text, "model_preprocess.py", "exec"), program)
    for file in write_images(tmp_path):
        pixels = prepared(load_rgb(file), description.preprocessing["steps"])
        wanted = batch_of(pixels[None], description)
        given = program["preprocess"](file)
        assert (given.dtype, given.flags.c_contiguous) == (wanted.dtype, True)
        np.testing.assert_array_equal(given, wanted, err_msg=file.name)


@pytest.mark.slow
def test_the_written_program_needs_numpy_and_pillow_alone(tmp_path: Path) -> None:
    description = CASES[1]
    (tmp_path / "flowers_preprocess.py").write_text(written_preprocess(description), encoding="utf-8")
    files = write_images(tmp_path / "images")
    lines = [
        "import sys, numpy",
        "from flowers_preprocess import preprocess",
        "numpy.save('all.npy', numpy.concatenate([preprocess(each) for each in sys.argv[1:]]))",
        "top = {each.partition('.')[0] for each in sys.modules}",
        "print(sorted(top & {'torch', 'torchvision', 'ding_cls', 'onnxruntime'}))",
    ]
    command = [sys.executable, "-W", "ignore", "-c", "\n".join(lines), *map(str, files)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True, timeout=120)
    assert (done.stdout, done.stderr) == ("[]\n", "")
    pixels = np.stack([prepared(load_rgb(each), description.preprocessing["steps"]) for each in files])
    np.testing.assert_array_equal(np.load(tmp_path / "all.npy"), batch_of(pixels, description))


@pytest.mark.parametrize(
    "preprocessing",
    [
        {"mean": [0.0] * 3, "std": [1.0] * 3},
        {"steps": [{"op": "rotate"}]},
        {"steps": [{"op": "crop"}]},
        {"steps": [{"op": "resize", "height": 8, "width": 9, "filter": "../x"}]},
        {"steps": [{"op": "resize", "height": -8, "width": 9, "filter": "box"}]},
        {"steps": [{"op": "resize", "height": 40_000, "width": 40_000, "filter": "box"}]},
        {"steps": [{"op": "pad", "height": 10**9, "width": 8, "color": [0] * 3, "is_centred": True}]},
        {"steps": 3},
        {"steps": [], "mean": [0.0] * 3},
        {"steps": [], "mean": [0.0] * 2, "std": [1.0] * 2},
        {"steps": [], "mean": ["a"] * 3, "std": [1.0] * 3},
    ],
    ids=str,
)
def test_what_cannot_be_run_is_refused_at_once(preprocessing: dict[str, Any]) -> None:
    with pytest.raises(CheckpointError, match=r"what 'a\.onnx' says of its preprocessing cannot be used"):
        check_steps(replace(DESCRIPTION, layout="float", preprocessing=preprocessing), "a.onnx")


def test_a_file_without_steps_says_what_to_do() -> None:
    with pytest.raises(CheckpointError, match=r"'a\.onnx' does not say .* predict with the checkpoint"):
        check_steps(replace(DESCRIPTION, preprocessing={}), "a.onnx")
