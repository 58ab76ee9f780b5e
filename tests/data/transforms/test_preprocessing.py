import pickle

import numpy as np
import pytest
import torch
from PIL import Image

from ding_cls.data.transforms import (
    PIPELINES,
    CenterCrop,
    LoadImageFromFile,
    PipelinePreprocessing,
    pipeline_preprocessing,
    preprocessing_from_state,
)
from ding_cls.data.transforms.default import Preprocessing
from ding_cls.errors import ConfigError, DataError
from ding_cls.types import Batch

LOAD = {"type": "LoadImageFromFile"}
NORMALIZE = {"type": "Normalize", "mean": [123.675, 116.28, 103.53], "std": [58.395, 57.12, 57.375]}
STANDARD = [
    LOAD,
    {"type": "Resize", "size": (40, -1), "backend": "pillow"},
    {"type": "CenterCrop", "crop_size": 32},
    NORMALIZE,
    {"type": "ImageToTensor", "keys": ["img"]},
    {"type": "Collect", "keys": ["img"]},
]
GREY = [{**LOAD, "color_type": "grayscale"}, {"type": "Resize", "size": (10, 14)}]
SQUASHED = [LOAD, {"type": "Resize", "size": (10, 14)}, NORMALIZE]
FLOATS = [
    LOAD,
    {"type": "Resize", "size": 8},
    {"type": "ToDtype", "dtype": "float32", "scale": True},
    {"type": "torchvision/Normalize", "mean": [0.5] * 3, "std": [0.5] * 3},
]


def picture(width=64, height=48):
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8))


def tensor(steps, given):
    return steps.normalize(steps.to_tensor(steps(given))[None])[0]


def test_what_arrays_were_trained_as_is_kept():
    steps = [NORMALIZE]
    assert not PipelinePreprocessing(steps).normalization.is_swapped
    record = PipelinePreprocessing(steps).state_dict()
    assert PipelinePreprocessing.from_state(record).state_dict() == record
    assert not PipelinePreprocessing.from_state(record).normalization.is_swapped
    # Older records do not say it: arrays were swapped then.
    older = PipelinePreprocessing.from_state({**record, "pipeline": [NORMALIZE]})
    assert older.normalization.is_swapped
    assert PipelinePreprocessing.from_state(older.state_dict()).normalization.is_swapped
    of_files = PipelinePreprocessing(STANDARD).state_dict()
    assert of_files["pipeline"] == STANDARD
    assert not PipelinePreprocessing.from_state(of_files).normalization.is_swapped


@pytest.mark.parametrize("size", [(64, 48), (48, 65), (30, 20), (2, 90)])
def test_a_standard_pipeline_is_the_ordinary_record_to_the_last_bit(size):
    found = pipeline_preprocessing(STANDARD)
    assert found == Preprocessing(image_size=32, resize_size=40)
    general = PipelinePreprocessing(STANDARD)
    given = picture(*size)
    assert found(given).tobytes() == general(given).tobytes()
    assert torch.equal(tensor(found, given), tensor(general, given))


def test_the_interpolation_is_kept():
    steps = [LOAD, {**STANDARD[1], "interpolation": "bicubic"}, *STANDARD[2:]]
    assert pipeline_preprocessing(steps) == Preprocessing(32, 40, interpolation="bicubic")


def test_numbers_from_outside_hold_where_the_pipeline_has_none():
    numbers = {"mean": (0.1, 0.2, 0.3), "std": (1.0, 2.0, 3.0)}
    assert pipeline_preprocessing(STANDARD[:3], **numbers) == Preprocessing(32, 40, *numbers.values())
    assert pipeline_preprocessing(STANDARD, **numbers) == Preprocessing(32, 40)
    assert pipeline_preprocessing(SQUASHED[:2], **numbers).normalization[:2] == tuple(numbers.values())


@pytest.mark.parametrize(
    "steps",
    [
        SQUASHED,
        STANDARD[1:],
        [LOAD, {"type": "Resize", "size": 40}, *STANDARD[2:]],
        [LOAD, {**STANDARD[1], "adaptive_side": "long"}, *STANDARD[2:]],
        [LOAD, {**STANDARD[1], "interpolation": "box"}, *STANDARD[2:]],
        [LOAD, {"type": "Resize", "size": (16, -1)}, *STANDARD[2:]],
        [LOAD, STANDARD[1], {"type": "CenterCrop", "crop_size": (32, 30)}, NORMALIZE],
        [{**LOAD, "to_float32": True}, *STANDARD[1:]],
        [*STANDARD[:3], {**NORMALIZE, "to_rgb": False}],
        [*STANDARD[:4], {"type": "RandomErasing"}],
    ],
)
def test_what_the_ordinary_record_cannot_say_keeps_its_pipeline(steps):
    found = pipeline_preprocessing(steps)
    assert type(found) is PipelinePreprocessing
    assert found.pipeline == steps


def test_it_plays_the_ordinary_records_part():
    steps = PipelinePreprocessing(SQUASHED)
    cut = steps(picture())
    assert isinstance(cut, Image.Image)
    pixels = steps.to_tensor(cut)
    assert (pixels.dtype, pixels.shape) == (torch.uint8, (10, 14, 3))
    batch = Batch(pixels[None], torch.zeros(1), torch.zeros(1))
    prepared = steps.prepare(batch)
    assert torch.equal(prepared.images, Preprocessing().normalize(pixels[None]))
    assert steps.prepare(prepared) is prepared
    assert steps.preprocessing() is steps
    assert pickle.loads(pickle.dumps(steps)) == steps


def test_blue_first_is_blue_first():
    steps = PipelinePreprocessing([LOAD, {"type": "Resize", "size": 8}, {**NORMALIZE, "to_rgb": False}])
    pixels = steps.to_tensor(steps(picture()))
    assert torch.equal(steps.normalize(pixels[None]), Preprocessing().normalize(pixels.flip(-1)[None]))
    # Pixels that are not read from a file are left as they are by False.
    from_array = PipelinePreprocessing([{**NORMALIZE, "to_rgb": False}])
    assert torch.equal(from_array.normalize(pixels[None]), Preprocessing().normalize(pixels[None]))


@pytest.mark.parametrize("steps", [FLOATS, [{**LOAD, "to_float32": True}, *SQUASHED[1:]]])
def test_floats_pass_the_batch_unchanged(steps):
    steps = PipelinePreprocessing(steps)
    made = steps(picture())
    assert made.dtype == torch.float32
    assert made.shape[0] == 3
    assert steps.to_tensor(made) is made
    assert steps.normalize(made[None])[0].data_ptr() == made.data_ptr()
    assert made.abs().max() < 3


def test_grey_is_made_here_too():
    steps = PipelinePreprocessing([{**LOAD, "color_type": "grayscale"}, *SQUASHED[1:]])
    assert (np.ptp(np.asarray(steps(picture())), axis=2) == 0).all()


@pytest.mark.parametrize("steps", [STANDARD, SQUASHED, FLOATS])
def test_the_state_is_plain_and_comes_back_equal(steps):
    record = pipeline_preprocessing(steps, mean=(0.1, 0.2, 0.3))
    state = record.state_dict()
    again = preprocessing_from_state(state)
    assert again == record
    assert torch.equal(tensor(again, picture()), tensor(record, picture()))
    # Changing the copy changes nothing.
    state.get("pipeline", [{}])[0]["type"] = "other"
    assert preprocessing_from_state(record.state_dict()) == record


def test_a_record_of_before_loads():
    old = {
        "image_size": 32,
        "resize_size": 40,
        "mean": [0.1] * 3,
        "std": [0.2] * 3,
        "interpolation": "bilinear",
    }
    assert preprocessing_from_state(old) == Preprocessing(32, 40, (0.1,) * 3, (0.2,) * 3)


def test_other_records_are_refused():
    with pytest.raises(DataError, match="record has the keys"):
        preprocessing_from_state({"pipeline": []})
    with pytest.raises(DataError, match="record has the keys"):
        preprocessing_from_state({"image_size": 3})
    state = {"pipeline": [{"type": "NotImportedHere"}], "mean": [0.5] * 3, "std": [0.5] * 3}
    with pytest.raises(ConfigError, match="there is no transform named 'NotImportedHere'"):
        preprocessing_from_state(state)
    with pytest.raises(DataError, match=r"pipeline\.0\.transform is a builtin_function_or_method"):
        PipelinePreprocessing([{"type": "RandomApply", "transform": print}])


def test_a_users_step_is_part_of_it():
    @PIPELINES.register_module("TestInverted")
    class Inverted:
        def __call__(self, results):
            results["img"] = 255 - results["img"]
            return results

    given = picture(8, 8)
    steps = PipelinePreprocessing([LOAD, {"type": "TestInverted"}])
    assert np.array_equal(np.asarray(steps(given)), 255 - np.asarray(given))
    assert preprocessing_from_state(steps.state_dict()) == steps


def test_a_loader_of_the_users_own_is_handed_the_image():
    @PIPELINES.register_module("TestGreyFile")
    class GreyFile(LoadImageFromFile):
        def __init__(self):
            super().__init__(color_type="grayscale")

        def __call__(self, results):
            raise AssertionError("it would read a file")

    steps = PipelinePreprocessing([{"type": "TestGreyFile"}, SQUASHED[1]])
    assert np.array_equal(np.asarray(steps(picture())), np.asarray(PipelinePreprocessing(GREY)(picture())))


def test_a_crop_of_the_users_own_is_not_taken_for_ours():
    @PIPELINES.register_module("TestCorner")
    class Corner(CenterCrop):
        def __call__(self, results):
            results["img"] = results["img"][: self.height, : self.width]
            return results

    steps = [*STANDARD[:2], {"type": "TestCorner", "crop_size": 32}, NORMALIZE]
    found = pipeline_preprocessing(steps)
    assert type(found) is PipelinePreprocessing
    whole = np.asarray(PipelinePreprocessing(STANDARD[:2])(picture()))
    assert np.array_equal(np.asarray(found(picture())), whole[:32, :32])


def test_what_images_end_up_normalised_by_is_stated_where_it_is_known():
    ours = Preprocessing(32, 40, (0.1,) * 3, (0.2,) * 3)
    assert ours.stated == ours.normalization == ((0.1,) * 3, (0.2,) * 3, False)
    assert PipelinePreprocessing(FLOATS).stated[:2] == ((0.5,) * 3, (0.5,) * 3)
    lit = {"type": "LinearTransformation", "transformation_matrix": [[1.0]], "mean_vector": [0.0]}
    assert PipelinePreprocessing([*FLOATS[:3], lit]).stated is None
