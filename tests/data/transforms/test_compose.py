import numpy as np
import pytest
import torch
from PIL import Image
from torchvision import transforms as v1
from torchvision.transforms import v2

from ding_cls.common.seed import torch_randomness
from ding_cls.data.transforms import (
    PIPELINES,
    CenterCrop,
    Compose,
    Normalization,
    OnImage,
    Resize,
    build_step,
)
from ding_cls.data.transforms.array_ops import as_pixels
from ding_cls.data.transforms.compose import step_name
from ding_cls.errors import ConfigError, DataError

PIXELS = np.random.default_rng(0).integers(0, 256, (12, 16, 3), dtype=np.uint8)
LOAD = {"type": "LoadImageFromFile"}
RESIZE = {"type": "Resize", "size": 8}
NORMALIZE = {"type": "Normalize", "mean": [51.0, 102.0, 153.0], "std": [51.0, 51.0, 51.0]}
FORMAT = [
    {"type": "ImageToTensor", "keys": ["img"]},
    {"type": "ToTensor", "keys": ["gt_label"]},
    {"type": "Collect", "keys": ["img", "gt_label"]},
]


def brighter(results):
    results["img"] = np.minimum(results["img"].astype(int) + 10, 255).astype(np.uint8)
    return results


def types(steps):
    return [type(step).__name__ for step in steps]


def test_steps_run_in_order_and_a_function_is_a_step():
    results = Compose([RESIZE, brighter])({"img": PIXELS})
    resized = np.asarray(Image.fromarray(PIXELS).resize((8, 8), Image.Resampling.BILINEAR)).astype(int)
    assert np.array_equal(results["img"], np.minimum(resized + 10, 255))


def test_a_normalize_at_the_end_is_left_to_the_batch():
    for tail in ([], FORMAT[:1], FORMAT):
        compose = Compose([LOAD, RESIZE, NORMALIZE, *tail])
        assert types(compose.pixel_steps) == ["LoadImageFromFile", "Resize"]
        assert compose.deferred == Normalization((0.2, 0.4, 0.6), (0.2, 0.2, 0.2))


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ([RESIZE], "the pipeline step Resize finds no 'img' in 'a.png': begin the pipeline with dict(type="),
        ([NORMALIZE], "the pipeline step Normalize finds no 'img' in 'a.png': begin the pipeline with"),
        ([RESIZE, LOAD], "the pipeline step Resize finds no 'img' in 'a.png': begin"),
        ([{"type": "torchvision/RandomInvert"}], "the pipeline step RandomInvert finds no 'img' in 'a.png'"),
        ([LOAD, lambda results: {"filename": "a.png"}, RESIZE], "'a.png': a step before it has removed it"),
    ],
)
def test_a_pipeline_without_loading_is_told(tmp_path, steps, expected):
    Image.fromarray(PIXELS).save(tmp_path / "a.png")
    sample = {"img_prefix": str(tmp_path), "img_info": {"filename": "a.png"}, "gt_label": 1}
    for run in (Compose(steps), Compose(steps).pixels):
        with pytest.raises(DataError) as caught:
            run(dict(sample))
        assert expected in str(caught.value)


def test_a_users_own_key_error_is_its_own():
    with pytest.raises(KeyError, match="'img'") as caught:
        Compose([lambda results: {}["img"]])({"img": PIXELS})
    assert "in the pipeline step <lambda>" in caught.value.__notes__[0]


def test_a_later_step_keeps_it_where_it_stands():
    compose = Compose([LOAD, NORMALIZE, RESIZE, *FORMAT])
    assert types(compose.pixel_steps) == ["LoadImageFromFile", "Normalize", "Resize"]
    assert compose.deferred is None
    assert compose.normalization == Normalization((0.2, 0.4, 0.6), (0.2, 0.2, 0.2))


def test_the_deferred_batch_equals_the_whole_pipeline_to_the_last_bit():
    for to_rgb in (True, False):
        compose = Compose([RESIZE, {**NORMALIZE, "to_rgb": to_rgb}, *FORMAT])
        whole = compose({"img": PIXELS.copy(), "gt_label": 1})
        pixels = compose.pixels({"img": PIXELS.copy(), "gt_label": 1})["img"]
        assert pixels.dtype == np.uint8
        assert compose.deferred.is_swapped is to_rgb
        assert torch.equal(compose.deferred(torch.from_numpy(pixels)[None])[0], whole["img"])


def test_floats_are_normalised_on_the_spot():
    compose = Compose([NORMALIZE, *FORMAT])
    whole = compose({"img": PIXELS.astype(np.float32), "gt_label": 1})["img"]
    found = compose.pixels({"img": PIXELS.astype(np.float32)})["img"]
    assert np.array_equal(found, whole.permute(1, 2, 0).numpy())


def test_torchvisions_numbers_are_known_too():
    steps = [
        {"type": "ToDtype", "dtype": "float32", "scale": True},
        {"type": "torchvision/Normalize", "mean": [0.2, 0.4, 0.6], "std": [0.2, 0.2, 0.2]},
    ]
    compose = Compose(steps)
    assert compose.deferred is None
    assert compose.normalization == Normalization((0.2, 0.4, 0.6), (0.2, 0.2, 0.2))
    ours = Compose([{**NORMALIZE, "to_rgb": False}, FORMAT[0]])({"img": PIXELS})["img"]
    torch.testing.assert_close(compose({"img": PIXELS})["img"], ours, rtol=0, atol=1e-6)


def test_a_row_within_a_row_counts_as_its_steps():
    inner = {"type": "Compose", "transforms": [RESIZE, NORMALIZE]}
    compose = Compose([LOAD, inner, Compose(FORMAT)])
    assert types(compose.pixel_steps) == ["LoadImageFromFile", "Resize"]
    assert len(compose.steps) == 6


MOVING = {
    "evaluation": [{"type": "Resize", "size": (9, -1)}, {"type": "CenterCrop", "crop_size": 8}],
    "training": [{"type": "RandomResizedCrop", "size": 8}, {"type": "RandomFlip"}],
    "efficientnet": [
        {"type": "RandomResizedCrop", "size": 8, "efficientnet_style": True},
        {"type": "CenterCrop", "crop_size": 6, "efficientnet_style": True, "interpolation": "bicubic"},
    ],
    "turned over": [RESIZE, {"type": "RandomFlip", "flip_prob": 1.0, "direction": "vertical"}],
    "larger than the image": [{"type": "CenterCrop", "crop_size": (40, 10)}],
    "a strip": [{"type": "CenterCrop", "crop_size": (1, 20)}, {"type": "Resize", "size": (4, -1)}],
    "nothing": [],
}


@pytest.mark.parametrize("load", [LOAD, {**LOAD, "color_type": "grayscale"}, {**LOAD, "to_float32": True}])
@pytest.mark.parametrize("steps", MOVING.values(), ids=MOVING)
def test_reading_and_geometry_in_one_are_the_steps_one_by_one(make_pictures, load, steps):
    folder = make_pictures("d", "a.png")
    compose = Compose([load, *steps])
    for seed in range(8):
        found = [{"img_prefix": str(folder), "img_info": {"filename": "a.png"}} for _ in range(2)]
        for results, run in zip(found, (compose.pixels, compose), strict=True):
            with torch_randomness(seed):
                run(results)
        in_one, one_by_one = found
        assert torch.equal(as_pixels(in_one.pop("img")), as_pixels(one_by_one.pop("img")))
        # Arrays are among the values: these cannot be compared as a whole.
        assert sorted(map(repr, in_one.items())) == sorted(map(repr, one_by_one.items()))


def test_a_users_step_sees_an_array_and_a_users_subclass_is_called(make_pictures):
    class Twice(CenterCrop):
        def __call__(self, results):
            results["img"] = super().__call__(results)["img"].repeat(2, axis=0)
            return results

    sample = {"img_prefix": str(make_pictures("d", "a.png")), "img_info": {"filename": "a.png"}}
    assert Compose([LOAD, RESIZE, brighter]).pixels(dict(sample))["img"].shape == (8, 8, 3)
    assert Compose([LOAD, Twice(6), RESIZE]).pixels(dict(sample))["img"].shape == (8, 8, 3)
    assert Compose([LOAD, RESIZE, Twice(6)]).pixels(dict(sample))["img"].shape == (12, 6, 3)


@pytest.mark.parametrize("returned", [None, 3])
def test_a_step_that_returns_no_sample_is_named(returned):
    def forgetful(results):
        return returned

    sample = {"img": PIXELS, "filename": "a.png", "class_name": "cat", "sample_idx": 2}
    with pytest.raises(DataError, match=r"step forgetful returned .* for 'a.png' \(class 'cat', index 2\)"):
        Compose([forgetful])(sample)


def test_what_a_users_step_raises_keeps_its_kind_and_names_the_sample():
    class Broken:
        def __call__(self, results):
            raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError) as caught:
        Compose([Broken()])({"img": PIXELS, "filename": "a.png"})
    assert caught.value.__notes__ == ["in the pipeline step Broken, for 'a.png'"]


@pytest.mark.parametrize("pipeline", [LOAD, "Resize", 3])
def test_a_pipeline_is_a_list(pipeline):
    with pytest.raises(ConfigError, match="a pipeline is a list of dict"):
        Compose(pipeline)


def test_a_step_is_a_dict_or_a_function():
    with pytest.raises(ConfigError, match=r"a step of a pipeline is a dict.*not 3"):
        Compose([3])
    with pytest.raises(ConfigError, match="there is no transform named 'Resiz'; did you mean Resize"):
        Compose([{"type": "Resiz"}])
    with pytest.raises(ConfigError, match="'Resize' has no argument 'sizes'; did you mean 'size'"):
        Compose([{"type": "Resize", "sizes": 8}])


def test_torchvisions_objects_are_steps():
    for built in (build_step(v2.Grayscale(3)), build_step({"type": v2.Grayscale, "num_output_channels": 3})):
        assert isinstance(built, OnImage)
        assert (np.ptp(built({"img": PIXELS})["img"], axis=2) == 0).all()


def test_containers_hold_any_steps():
    sometimes = Compose([{"type": "RandomApply", "transforms": [RESIZE, brighter], "p": 0.5}])
    either = Compose([{"type": "RandomChoice", "transforms": [RESIZE, brighter], "p": [1, 3]}])
    shuffled = Compose([{"type": "torchvision/RandomOrder", "transforms": [RESIZE, brighter]}])
    shapes = {"sometimes": [], "either": []}
    with torch_randomness(0):
        for _ in range(400):
            shapes["sometimes"].append(sometimes({"img": PIXELS})["img"].shape)
            shapes["either"].append(either({"img": PIXELS})["img"].shape)
        orders = {shuffled({"img": PIXELS})["img"].tobytes() for _ in range(20)}
    assert 160 <= shapes["sometimes"].count((8, 8, 3)) <= 240
    assert 70 <= shapes["either"].count((8, 8, 3)) <= 130
    # The order changes the rounding.
    assert 1 <= len(orders) <= 2
    with pytest.raises(ConfigError, match="RandomApply refuses"):
        PIPELINES.build({"type": "RandomApply", "transforms": [RESIZE], "p": 2})


class OwnResize(Resize):
    """A user's step, even though it begins as one of ours."""


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ([], True),
        ([LOAD, RESIZE, NORMALIZE, *FORMAT], True),
        ([{"type": "RandomErasing"}, {"type": "torchvision/RandomErasing"}, v2.ColorJitter(0.1)], True),
        ([{"type": "RandomChoice", "transforms": [RESIZE, {"type": "Invert"}]}], True),
        ([{"type": "RandomChoice", "transforms": [RESIZE, brighter]}], False),
        ([{"type": "RandAugment"}, {"type": "AutoAugment"}], True),
        (
            [{"type": "AutoAugment", "policies": [[{"type": "Invert"}], [{"type": OwnResize, "size": 8}]]}],
            False,
        ),
        ([{"type": "RandAugment", "policies": [{"type": OwnResize, "size": 8}]}], False),
        ([RESIZE, brighter], False),
        ([OwnResize(8)], False),
        ([v2.Lambda(brighter)], False),
        ([v2.RandomApply([brighter])], False),
        # It draws from Python's generator.
        ([v1.RandomChoice([v1.CenterCrop(8), v1.CenterCrop(9)])], False),
    ],
)
def test_steps_are_builtin_where_none_can_be_the_users_own(steps, expected):
    assert Compose(steps).is_builtin is expected


def test_who_watches_sees_each_step_of_the_pixels() -> None:
    seen: list[tuple[str, tuple[int, ...]]] = []
    pipeline = Compose(
        [{"type": "Resize", "size": 4}, {"type": "Normalize", "mean": [0.0] * 3, "std": [9.0] * 3}]
    )
    pipeline.watch = lambda step, img: seen.append(("" if step is None else step_name(step), img.shape))
    pipeline.pixels({"img": np.zeros((6, 6, 3), np.uint8)})
    assert seen == [("", (6, 6, 3)), ("Resize", (4, 4, 3))]
    seen.clear()
    # Floats are normalised before they are batched.
    pipeline.pixels({"img": np.zeros((6, 6, 3), np.float32)})
    assert [name for name, _ in seen] == ["", "Resize", "Normalize"]
