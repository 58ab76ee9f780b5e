"""Every class of torchvision v2 by its name: it works on a picture, or is left out for a reason."""

import inspect

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from torchvision import tv_tensors
from torchvision.transforms import v2

from ding_cls.common.seed import torch_randomness
from ding_cls.data.transforms import PIPELINES, OnImage
from ding_cls.data.transforms.torchvision import REFUSED
from ding_cls.errors import ConfigError, DataError

PIXELS = np.random.default_rng(0).integers(40, 200, (24, 20, 3), dtype=np.uint8)
SIZE = PIXELS.size

# Arguments of the classes that need some.
NEEDED = {
    "CenterCrop": {"size": 8},
    "GaussianBlur": {"kernel_size": 3},
    "JPEG": {"quality": 30},
    "LinearTransformation": {"transformation_matrix": torch.eye(SIZE), "mean_vector": torch.ones(SIZE)},
    "Normalize": {"mean": [0.5] * 3, "std": [0.5] * 3},
    "Pad": {"padding": 2},
    "RandomAdjustSharpness": {"sharpness_factor": 2, "p": 1.0},
    "RandomAffine": {"degrees": 30},
    "RandomCrop": {"size": 8},
    "RandomPosterize": {"bits": 2, "p": 1.0},
    "RandomResize": {"min_size": 8, "max_size": 10},
    "RandomResizedCrop": {"size": 8},
    "RandomRotation": {"degrees": 45},
    "RandomShortestSize": {"min_size": 8},
    "RandomSolarize": {"threshold": 100, "p": 1.0},
    "Resize": {"size": [8, 8], "interpolation": "bicubic"},
    "ScaleJitter": {"target_size": [20, 20]},
    "ToDtype": {"dtype": "float32", "scale": True},
}
# With their defaults these would change a picture by chance, not at all, or too little to see.
SURE = {
    "AutoAugment": {"policy": "svhn"},
    "ColorJitter": {"brightness": 0.5},
    "ConvertImageDtype": {"dtype": "torch.float32"},
    "ElasticTransform": {"sigma": 1.0},
    "RandomAutocontrast": {"p": 1.0},
    "RandomEqualize": {"p": 1.0},
    "RandomErasing": {"p": 1.0},
    "RandomGrayscale": {"p": 1.0},
    "RandomHorizontalFlip": {"p": 1.0},
    "RandomInvert": {"p": 1.0},
    "RandomPerspective": {"p": 1.0},
    "RandomPhotometricDistort": {"p": 1.0},
    "RandomVerticalFlip": {"p": 1.0},
    "RandomZoomOut": {"p": 1.0},
}
ONLY_FLOAT = {"LinearTransformation", "Normalize"}
IS_FLOAT = {"ConvertImageDtype", "LinearTransformation", "Normalize", "ToDtype"}
# They change the type alone, which the step undoes; or, for some seeds, nothing.
MAY_KEEP = {"Identity", "PILToTensor", "RGB", "ToImage", "ToPILImage", "ToPureTensor", "ToTensor"}
BOTH = ("Resize", "torchvision/Resize")
CONTAINERS = {"Compose", "RandomApply", "RandomChoice", "RandomOrder"}

CLASSES = {
    name for name, kind in vars(v2).items() if inspect.isclass(kind) and issubclass(kind, nn.Module)
} - {"Transform"}
SWEPT = sorted(CLASSES - REFUSED.keys() - CONTAINERS)


def built(name):
    return PIPELINES.build({"type": f"torchvision/{name}", **{**SURE, **NEEDED}.get(name, {})})


def given(name):
    return torch.from_numpy(PIXELS).permute(2, 0, 1) / 255 if name in ONLY_FLOAT else PIXELS.copy()


def test_the_sweep_covers_every_class():
    assert len(SWEPT) == 45
    assert len(REFUSED) == 13
    assert {*SWEPT, *REFUSED, *CONTAINERS} == CLASSES
    assert {*NEEDED, *SURE, *MAY_KEEP} <= set(SWEPT)
    assert all(REFUSED.values())


@pytest.mark.filterwarnings("ignore:The transform `ToTensor..` is deprecated")
@pytest.mark.parametrize("name", SWEPT)
def test_each_class_works_by_its_name(name):
    step = built(name)
    with torch_randomness(5):
        results = step({"img": given(name), "gt_label": 1})
    with torch_randomness(5):
        again = step({"img": given(name)})
    img = results["img"]
    assert results["gt_label"] == 1
    if name in IS_FLOAT or name == "ToTensor":
        assert isinstance(img, torch.Tensor)
        assert type(img) is torch.Tensor
        assert img.dtype == torch.float32
        assert img.shape[0] == 3
        assert results["img_shape"] == (*img.shape[1:], 3)
    else:
        assert isinstance(img, np.ndarray)
        assert img.dtype == np.uint8
        assert img.shape[2] == 3
        assert results["img_shape"] == img.shape
    assert np.array_equal(np.asarray(img), np.asarray(again["img"]))
    if name not in MAY_KEEP:
        assert not np.array_equal(np.asarray(img), np.asarray(given(name)))


@pytest.mark.filterwarnings("ignore:The transform `ToTensor..` is deprecated")
@pytest.mark.parametrize("name", SWEPT)
def test_each_class_does_what_it_does_in_torchvision(name):
    step = built(name)
    on_tensor = name in {*IS_FLOAT, "GaussianNoise"}
    if name in ONLY_FLOAT:
        theirs_given = tv_tensors.Image(given(name))
    elif on_tensor:
        # The noise follows the order in memory.
        theirs_given = tv_tensors.Image(torch.from_numpy(PIXELS).permute(2, 0, 1).contiguous())
    else:
        theirs_given = Image.fromarray(PIXELS)
    with torch_randomness(5):
        ours = step({"img": given(name)})["img"]
    with torch_randomness(5):
        theirs = step.transform(theirs_given)
    if isinstance(theirs, Image.Image):
        theirs = np.asarray(theirs.convert("RGB"))
    elif theirs.dtype == torch.uint8:
        theirs = theirs.permute(1, 2, 0).numpy()
    assert np.array_equal(np.asarray(ours), np.asarray(theirs))


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_what_cannot_be_a_step_says_why(name):
    for spelling in (name, f"torchvision/{name}"):
        with pytest.raises(ConfigError, match=f"torchvision's {name} cannot be a step of a pipeline: it "):
            PIPELINES.build({"type": spelling})


def test_ours_hide_torchvisions_under_the_bare_name():
    hidden = {name for name in SWEPT if not isinstance(PIPELINES.build(arguments(name)), OnImage)}
    assert hidden == {
        "AutoAugment",
        "CenterCrop",
        "Normalize",
        "Pad",
        "RandAugment",
        "RandomCrop",
        "RandomErasing",
        "RandomResizedCrop",
        "Resize",
        "ToTensor",
    }
    shapes = [PIPELINES.build({"type": kind, "size": 8})({"img": PIXELS})["img"].shape for kind in BOTH]
    assert shapes == [(8, 8, 3), (9, 8, 3)]


def arguments(name):
    ours = {
        "AutoAugment": {},
        "CenterCrop": {"crop_size": 8},
        "Normalize": {"mean": [1.0, 2.0, 3.0], "std": [1.0, 2.0, 3.0]},
        "Pad": {"size": 8},
        "RandomErasing": {},
        "RandomGrayscale": {},
        "ToTensor": {"keys": ["img"]},
    }
    return {"type": name, **ours.get(name, {**SURE, **NEEDED}.get(name, {}))}


def test_names_and_arguments_are_checked():
    assert "GaussianBlur" in PIPELINES
    assert "torchvision/Resize" in PIPELINES.names()
    assert not {"Transform", "MixUp", "functional"} & set(PIPELINES.names())
    with pytest.raises(
        ConfigError, match="there is no transform named 'GaussianBlurr'; did you mean GaussianBlur"
    ):
        PIPELINES.build({"type": "GaussianBlurr"})
    with pytest.raises(
        ConfigError, match="'GaussianBlur' has no argument 'kernel'; did you mean 'kernel_size'"
    ):
        PIPELINES.build({"type": "GaussianBlur", "kernel": 3})
    with pytest.raises(ConfigError, match="'GaussianBlur' lacks the argument 'kernel_size'"):
        PIPELINES.build({"type": "GaussianBlur"})
    with pytest.raises(ConfigError, match="torchvision's GaussianBlur refuses"):
        PIPELINES.build({"type": "GaussianBlur", "kernel_size": 4})
    with pytest.raises(ConfigError, match=r"torchvision's RandomRotation refuses.*best"):
        PIPELINES.build({"type": "RandomRotation", "degrees": 3, "interpolation": "best"})


def test_a_matrix_is_a_list_in_a_config():
    half = [[0.5 * (row == column) for column in range(12)] for row in range(12)]
    described = {"transformation_matrix": half, "mean_vector": [2.0] * 12}
    step = PIPELINES.build({"type": "LinearTransformation", **described})
    pixels = np.full((2, 2, 3), 6, np.float32)
    assert step({"img": pixels})["img"].eq(2.0).all()
    with pytest.raises(ConfigError, match="torchvision's LinearTransformation refuses"):
        PIPELINES.build({"type": "LinearTransformation", **described, "mean_vector": [2.0]})


def test_a_picture_that_torchvision_cannot_take_is_one_line():
    with pytest.raises(DataError, match=r"torchvision's Normalize cannot take 'a.png': .*float"):
        built("Normalize")({"img": PIXELS, "filename": "a.png"})


def test_what_is_no_picture_is_refused():
    with pytest.raises(DataError, match="made a tuple of a picture; a step returns one image"):
        OnImage(v2.FiveCrop(4))({"img": PIXELS})
    with pytest.raises(DataError, match="made a Image of a picture"):
        OnImage(v2.ToDtype(torch.int64))({"img": PIXELS})


def test_grey_pictures_keep_three_channels():
    for name in ("Grayscale", "RandomGrayscale"):
        assert built(name)({"img": PIXELS})["img"].shape == PIXELS.shape
