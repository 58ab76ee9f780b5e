"""Both sets of a run are normalised alike, and the size of their images is written down."""

import logging
from pathlib import Path

import pytest

from ding_cls.data import CustomDataset, PipelinePreprocessing
from ding_cls.errors import DataError
from ding_cls.pipeline import build_datasets
from ding_cls.pipeline.datasets.input_checks import check_eval_normalization
from ding_cls.pipeline.datasets.splits import evaluation_set
from tests.pipeline.datasets.sections import (
    CLASSES,
    LOAD,
    NORMALIZE,
    SQUASH,
    TRAIN,
    compiled,
    custom,
    folders,
)


def test_the_size_of_the_pictures_is_written_down(picture_folder: Path) -> None:
    large = [LOAD, {"type": "Resize", "size": 300}, NORMALIZE]
    cfg = compiled(**folders(picture_folder, train=custom(TRAIN), val=custom(large)))
    build_datasets(cfg)
    assert (cfg.policy.collect.image_size, cfg.policy.collect.resize_size) == (300, 343)
    again = compiled(**cfg.policy.collect)
    assert build_datasets(again)[1].load(0)[0].shape == (300, 300, 3)
    # A folder's augmentation is made from it, and so it stays.
    cfg = compiled(**folders(picture_folder, val=custom(large)))
    build_datasets(cfg)
    assert cfg.policy.collect.image_size == 224


def test_two_normalisations_are_refused(picture_folder: Path) -> None:
    other = [LOAD, {"type": "Resize", "size": 8}, {**NORMALIZE, "std": [1.0, 1.0, 1.0]}]
    unnamed = [LOAD, {"type": "Resize", "size": 8}]
    floats = [*unnamed, {"type": "ToDtype", "dtype": "float32", "scale": True}]
    theirs = [*floats, {"type": "torchvision/Normalize", "mean": [0.5] * 3, "std": [0.5] * 3}]
    for train, val in (
        ({"train": custom(TRAIN)}, {"val": custom(other)}),
        ({"train": custom(other)}, {}),
        ({}, {"val": custom(other)}),
        ({"train": custom(unnamed)}, {"val": custom(other)}),
        ({"train": custom(TRAIN)}, {"val": custom(theirs)}),
        ({"train": custom([*SQUASH[:2], {**NORMALIZE, "to_rgb": False}])}, {"val": custom(SQUASH)}),
        ({"train": custom(TRAIN)}, {"val": custom(floats)}),
    ):
        with pytest.raises(
            DataError, match=r"training normalises by mean .*, evaluation by (mean|nothing) .*; give both"
        ):
            build_datasets(compiled(**folders(picture_folder, **train, **val)))
    for val in (unnamed, SQUASH):
        build_datasets(compiled(**folders(picture_folder, train=custom(TRAIN), val=custom(val))))


@pytest.mark.parametrize("split", ["train", "val"])
def test_a_pipeline_that_reads_no_file_is_told_before_its_numbers(picture_folder: Path, split: str) -> None:
    sections = {"train": custom(TRAIN), "val": custom(SQUASH)}
    sections[split] = custom(SQUASH[1:])
    with pytest.raises(DataError, match=r"step Resize finds no 'img' in 'a.*: begin the pipeline with dict"):
        build_datasets(compiled(**folders(picture_folder, **sections)))


def test_a_test_set_that_normalises_otherwise_is_refused(picture_folder: Path) -> None:
    other = [*SQUASH[:2], {**NORMALIZE, "std": [1.0, 1.0, 1.0]}]
    held = custom(other, data_prefix=str(picture_folder / "val"))
    cfg = compiled(**folders(picture_folder, train=custom(TRAIN), val=custom(SQUASH), test=held))
    with pytest.raises(DataError, match=r"policy\.collect\.test normalises by .*, evaluation by"):
        evaluation_set(cfg, "test", CLASSES)


def test_the_steps_of_a_dataset_and_of_the_model_are_compared_too(picture_folder: Path) -> None:
    dataset = CustomDataset(picture_folder / "val", SQUASH)
    check_eval_normalization(dataset, PipelinePreprocessing(SQUASH), "val")
    # Neither says what the other's step does.
    unnamed = CustomDataset(picture_folder / "val", SQUASH[:2])
    check_eval_normalization(unnamed, PipelinePreprocessing(SQUASH), "val")
    with pytest.raises(DataError, match=r"policy\.collect\.val normalises by mean .*, evaluation by mean"):
        check_eval_normalization(dataset, PipelinePreprocessing(SQUASH[:2], std=(1.0,) * 3), "val")


def test_floats_that_nothing_normalises_are_warned_of(
    picture_folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    floats = [{**LOAD, "to_float32": True}, SQUASH[1]]
    with caplog.at_level(logging.WARNING):
        build_datasets(compiled(**folders(picture_folder, train=custom(floats), val=custom(floats))))
    assert "hold floats up to" in caplog.text
    caplog.clear()
    build_datasets(compiled(**folders(picture_folder, train=custom(TRAIN), val=custom(SQUASH))))
    assert caplog.text == ""
