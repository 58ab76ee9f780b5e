"""The steps of an evaluation, said as plain data, give the same pixels and the same normalised numbers."""

from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from ding_cls.data import PIPELINES, PipelinePreprocessing, Preprocessing
from ding_cls.errors import ExportError
from ding_cls.export.lowering import lowered
from ding_cls.inference.onnx.description import ModelDescription
from ding_cls.inference.onnx.steps import batch_of, prepared

LOAD = {"type": "LoadImageFromFile"}
END = [{"type": "ImageToTensor", "keys": ["img"]}, {"type": "Collect", "keys": ["img"]}]
NUMBERS = {"mean": [123.675, 116.28, 103.53], "std": [58.395, 57.12, 57.375]}
SIZES = ((1, 1), (1, 2), (2, 1), (23, 24), (24, 23), (37, 53), (61, 40), (24, 24), (3, 200), (197, 4), (5, 8))
FILTERS = ("nearest", "bilinear", "bicubic", "lanczos", "box", "hamming", "area")
TV = "torchvision/"
FLOATS = {"type": "ToDtype", "dtype": "float32", "scale": True}
TV_NORMALIZE = {"type": TV + "Normalize", "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}


def images() -> list[Image.Image]:
    drawn = np.random.default_rng(0)
    return [Image.fromarray(drawn.integers(0, 256, (*size, 3), np.uint8)) for size in SIZES]


def check_equal(preprocessing: PipelinePreprocessing) -> dict[str, Any]:
    """Compare what the network gets of each image, bit by bit; return what was lowered."""
    found = lowered(preprocessing)
    told = ModelDescription(("a",), 1, 1, layout="float", preprocessing=found)
    for image in images():
        wanted = preprocessing.normalize(preprocessing.to_tensor(preprocessing(image.copy()))[None])
        given = batch_of(prepared(image, found["steps"])[None], told)
        assert given.dtype == np.float32
        assert torch.equal(torch.from_numpy(given), wanted), (image.size, found)
    return found


@pytest.mark.parametrize("interpolation", FILTERS)
@pytest.mark.parametrize(
    "size", [[24, -1], 24, [20, 28], "long", "height", "width"], ids=lambda each: str(each).replace(" ", "")
)
def test_a_resize_and_each_crop_are_equal(size: Any, interpolation: str) -> None:
    side = {"adaptive_side": size, "size": [24, -1]} if isinstance(size, str) else {"size": size}
    resize = {"type": "Resize", **side, "interpolation": interpolation}
    for crop in (
        [],
        [{"type": "CenterCrop", "crop_size": 19}],
        [{"type": "CenterCrop", "crop_size": [20, 23]}],
        [
            {
                "type": "CenterCrop",
                "crop_size": 21,
                "efficientnet_style": True,
                "crop_padding": 7,
                "interpolation": interpolation,
            }
        ],
    ):
        check_equal(PipelinePreprocessing([LOAD, resize, *crop]))


@pytest.mark.parametrize(
    "load", [[], [LOAD], [{**LOAD, "color_type": "grayscale"}]], ids=["array", "", "grey"]
)
@pytest.mark.parametrize("to_rgb", [None, True, False])
@pytest.mark.parametrize(
    "step",
    [
        {"type": "Pad", "size": 64, "pad_val": [10, 20.5, 30]},
        {"type": "Pad", "size": [10, 70]},
        {"type": "Pad", "pad_to_square": True, "pad_val": 7},
        {"type": "LetterBox", "size": [20, 33], "pad_val": [1, 2, 3]},
        {"type": "LetterBox", "size": 24, "interpolation": "bicubic"},
    ],
    ids=lambda step: step["type"],
)
def test_borders_and_the_order_of_channels_are_equal(
    load: list[dict[str, Any]], to_rgb: bool | None, step: dict[str, Any]
) -> None:
    normalize = {"type": "Normalize", **NUMBERS, "to_rgb": to_rgb}
    check_equal(PipelinePreprocessing([*load, step, normalize, *END]))


def test_the_usual_preprocessing_is_a_resize_and_a_crop() -> None:
    assert check_equal(Preprocessing(20, 24, mean=(0.1, 0.2, 0.3), std=(1.0, 2.0, 3.0))) == {
        "steps": [
            {"op": "resize_side", "side": "short", "length": 24, "filter": "bilinear"},
            {"op": "crop", "height": 20, "width": 20},
        ],
        "mean": [0.1, 0.2, 0.3],
        "std": [1.0, 2.0, 3.0],
    }


@pytest.mark.filterwarnings("ignore:The transform `ToTensor")
@pytest.mark.parametrize(
    "end",
    [
        [],
        [{"type": "Normalize", **NUMBERS}, *END],
        [FLOATS],
        [{"type": "ToImage"}, FLOATS, TV_NORMALIZE],
        [{"type": TV + "ToTensor"}],
        [{"type": TV + "ToTensor"}, TV_NORMALIZE],
        [{"type": "PILToTensor"}, {"type": "ConvertImageDtype", "dtype": "float32"}, TV_NORMALIZE, *END],
    ],
)
@pytest.mark.parametrize("size", [[24], [24, 24], [18, 31]])
def test_torchvisions_own_are_equal(size: list[int], end: list[dict[str, Any]]) -> None:
    resize = {"type": TV + "Resize", "size": size, "interpolation": "bicubic"}
    check_equal(PipelinePreprocessing([LOAD, resize, {"type": TV + "CenterCrop", "size": [22, 29]}, *end]))


@PIPELINES.register_module()
class StepOfOnesOwn:
    def __call__(self, results: dict[str, Any]) -> dict[str, Any]:
        return results


class ForeignPreprocessing(Preprocessing):
    pass


@pytest.mark.parametrize(
    ("steps", "name"),
    [
        ([LOAD, {"type": "RandomFlip"}], "RandomFlip"),
        ([LOAD, {"type": "RandomResizedCrop", "size": 24}], "RandomResizedCrop"),
        ([LOAD, {"type": "Pad", "size": 64, "padding_mode": "edge"}], "Pad"),
        ([{**LOAD, "to_float32": True}, {"type": "Normalize", **NUMBERS}], "LoadImageFromFile"),
        ([LOAD, {"type": "Normalize", **NUMBERS}, {"type": "CenterCrop", "crop_size": 20}], "Normalize"),
        ([LOAD, {"type": "ToNumpy"}], "ToNumpy"),
        ([LOAD, {"type": "ColorJitter", "brightness": 0.5}], "ColorJitter"),
        ([LOAD, {"type": "RandomApply", "transforms": [{"type": "Resize", "size": 24}]}], "RandomApply"),
        ([LOAD, {"type": "ToDtype", "dtype": "float32"}], "ToDtype"),
        ([LOAD, FLOATS, {"type": "Normalize", **NUMBERS}], "ToDtype"),
        ([LOAD, FLOATS, TV_NORMALIZE, TV_NORMALIZE], "ToDtype"),
        ([LOAD, {"type": "ToDtype", "dtype": "float32"}, TV_NORMALIZE], "ToDtype"),
        ([LOAD, {"type": TV + "Resize", "size": 24, "max_size": 30}], "Resize"),
        ([{"type": "Resize", "size": 24}, LOAD], "LoadImageFromFile"),
        ([LOAD, {"type": "StepOfOnesOwn"}], "StepOfOnesOwn"),
    ],
)
def test_a_step_without_an_equal_is_named(steps: list[dict[str, Any]], name: str) -> None:
    with pytest.raises(ExportError, match=rf"the step {name}\b.* has no equal without torch"):
        lowered(PipelinePreprocessing(steps))


def test_a_class_of_the_users_own_is_named() -> None:
    with pytest.raises(ExportError, match="the step ForeignPreprocessing"):
        lowered(ForeignPreprocessing(20, 24))
