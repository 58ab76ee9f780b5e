"""Descriptions before they are built: what is filled in, inside wrappers too, and what a type takes."""

from pathlib import Path
from typing import Any

import pytest

from ding_cls.data import DATASETS, BaseDataset, Compose, CustomDataset
from ding_cls.errors import DataError
from ding_cls.pipeline.datasets.dataset_cfg import (
    arguments_of,
    changed,
    filled,
    folder_of_split,
    holds_every_split,
    inner_of,
    needs_no_folder,
    part_of,
    pipeline_for,
    with_pipeline,
    without_loading,
)

LOAD = {"type": "LoadImageFromFile"}
FLIP = {"type": "RandomFlip"}
OFFERED = {"pipeline": [LOAD, FLIP], "classes": ["a"], "test_mode": True, "transform": print}


def test_what_is_offered_fills_the_gaps_alone() -> None:
    assert filled({"type": "CustomDataset", "classes": ["b"]}, OFFERED) == {
        "type": "CustomDataset",
        "classes": ["b"],
        "pipeline": [LOAD, FLIP],
        "test_mode": True,
    }
    assert filled({"type": "ImageNetDataset"}, OFFERED) == {
        "type": "ImageNetDataset",
        "classes": ["a"],
        "transform": print,
    }


def test_a_wrapper_that_divides_takes_the_part_and_shows_both_the_same_data() -> None:
    inner = {"type": "CustomDataset"}
    found = filled({"type": "KFoldDataset", "num_splits": 2, "fold": 0, "dataset": inner}, OFFERED)
    assert found["test_mode"] is True
    assert found["dataset"]["test_mode"] is False
    repeated = filled({"type": "RepeatDataset", "times": 2, "dataset": inner}, OFFERED)
    assert repeated["dataset"]["test_mode"] is True


def test_a_change_reaches_every_dataset_inside() -> None:
    section = {"type": "ConcatDataset", "datasets": [{"type": "A"}, {"type": "R", "dataset": {"type": "B"}}]}
    found = changed(section, lambda inner: {**inner, "seen": True})
    assert found["datasets"] == [
        {"type": "A", "seen": True},
        {"type": "R", "dataset": {"type": "B", "seen": True}},
    ]
    assert inner_of(section) == {"type": "A"}
    assert section["datasets"][0] == {"type": "A"}


def test_pixels_in_memory_are_not_loaded() -> None:
    assert without_loading([LOAD, FLIP], {"type": "NpzDataset"}) == [FLIP]
    assert without_loading([LOAD, FLIP], {"type": "CustomDataset"}) == [LOAD, FLIP]
    odd = [{**LOAD, "to_float32": True}]
    assert without_loading(odd, {"type": "NpzDataset"}) == odd
    assert with_pipeline({"type": "NpzDataset"}, [LOAD, FLIP])["pipeline"] == [FLIP]
    assert "pipeline" not in with_pipeline({"type": "ImageNetDataset"}, [LOAD])


def test_the_arguments_of_a_type_are_its_constructors() -> None:
    class Wide(CustomDataset):
        def __init__(self, side: int = 3, **arguments: Any) -> None:
            super().__init__(**arguments)

    assert {"side", "data_prefix", "pipeline", "extensions"} <= arguments_of({"type": Wide})
    assert part_of({"type": Wide}) is Wide
    assert arguments_of({}) == set()

    def build(root: str) -> BaseDataset:
        raise NotImplementedError(root)

    DATASETS.register("DatasetCfgFunction", force=True)(build)
    assert arguments_of({"type": "DatasetCfgFunction"}) == {"root"}


def test_who_needs_which_folder(tmp_path: Path) -> None:
    assert needs_no_folder({"type": "CSVDataset"})
    assert not needs_no_folder({"type": "CustomDataset"})
    assert holds_every_split({"type": "RepeatDataset", "dataset": {"type": "CIFAR10"}})
    assert not holds_every_split({"type": "NotImportedYet"})
    assert not holds_every_split(None)
    assert folder_of_split({"type": "CIFAR10"}, tmp_path, "val") == tmp_path
    with pytest.raises(DataError, match="has no folder 'val'"):
        folder_of_split(None, tmp_path, "val")


@pytest.mark.parametrize("to_rgb", [True, False, None])
def test_files_and_arrays_named_instead_of_each_other_have_the_same_colours(to_rgb: bool | None) -> None:
    files, arrays = {"type": "CSVDataset"}, {"type": "ArrayDataset"}
    numbers = {"type": "Normalize", "mean": [20, 30, 40], "std": [60, 70, 80], "to_rgb": to_rgb}
    for pipeline, own, other in (([LOAD, numbers], files, arrays), ([numbers], arrays, files)):
        found = pipeline_for(pipeline, other)
        assert (LOAD in found) is (other is files)
        assert Compose(found).normalization == Compose(pipeline).normalization
        assert pipeline_for(pipeline, own) == pipeline
