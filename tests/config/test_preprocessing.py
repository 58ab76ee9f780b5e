"""The short keys of the config are pipelines: those of ``policy.collect.train.pipeline``, as plain data."""

import pytest

from ding_cls.config import compile_config
from ding_cls.config.defaults import COLLECT
from ding_cls.config.merge import not_plain
from ding_cls.config.preprocessing import INPUT_KEYS, TRAIN_KEYS, eval_pipeline, train_pipeline
from ding_cls.config.tools.pipeline_info import pipeline_of

LOAD = {"type": "LoadImageFromFile"}


def test_the_keys_are_those_of_the_config():
    assert {*INPUT_KEYS, *TRAIN_KEYS} <= set(COLLECT)
    collect = compile_config({}, save_cfg=False).policy.collect
    crop = train_pipeline({name: collect[name] for name in TRAIN_KEYS})[1]
    assert (crop["size"], crop["scale"], crop["ratio"]) == (224, [0.08, 1.0], [3 / 4, 4 / 3])


def test_evaluation_resizes_and_cuts_the_middle():
    assert eval_pipeline({"image_size": 8, "resize_size": 9, "interpolation": "bicubic"}) == [
        LOAD,
        {"type": "Resize", "size": [9, -1], "interpolation": "bicubic"},
        {"type": "CenterCrop", "crop_size": 8},
    ]


@pytest.mark.parametrize("hflip", [True, False])
def test_training_cuts_at_random_and_mirrors_where_asked(hflip):
    keys = {"image_size": 8, "crop_scale": (0.3, 0.9), "crop_ratio": (0.8, 1.2), "interpolation": "bilinear"}
    steps = train_pipeline({**keys, "hflip": hflip})
    crop = {
        "type": "RandomResizedCrop",
        "size": 8,
        "scale": [0.3, 0.9],
        "ratio": [0.8, 1.2],
        "interpolation": "bilinear",
    }
    assert steps == [LOAD, crop, {"type": "RandomFlip"}][: 2 + hflip]
    assert not list(not_plain(steps, "pipeline"))
    assert pipeline_of({"pipeline": steps}, "val").size == ((8, 8), "val.pipeline.1.size")
