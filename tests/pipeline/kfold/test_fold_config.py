"""From the config of a run to those of its folds; nothing is trained."""

from pathlib import Path
from typing import Any

import pytest

from ding_cls.config import checked_config
from ding_cls.data import SyntheticDataset
from ding_cls.data.datasets.wrappers import ConcatDataset, RepeatDataset, SubsetDataset
from ding_cls.errors import DataError
from ding_cls.pipeline.kfold.fold_config import (
    Division,
    check_divisible,
    find_test_data,
    fold_config,
    whole_config,
)
from ding_cls.pipeline.train import PARTS

DIVISION = Division(num_splits=3, seed=5, group_pattern="^a")
STEPS = [{"type": "LoadImageFromFile"}, {"type": "Resize", "size": [8, 8]}]
TRAIN = {"type": "CustomDataset", "data_prefix": "d/train", "pipeline": [{"type": "LoadImageFromFile"}]}


def compiled(cfg: dict[str, Any]) -> Any:
    classes: dict[str, Any] = dict(PARTS)
    return checked_config(cfg, 7, **classes)


def config(**collect: Any) -> dict[str, Any]:
    return {"policy": {"collect": {"image_size": 8, **collect}}}


def divided(cfg: dict[str, Any], fold: int = 1) -> Any:
    return fold_config(cfg, compiled(cfg), DIVISION, fold)["policy"]["collect"]


def test_a_fold_trains_on_the_others_and_is_evaluated_on_its_own() -> None:
    cfg = config(train=TRAIN, val={**TRAIN, "data_prefix": "elsewhere", "pipeline": STEPS})
    collect = divided(cfg)
    common = {"type": "KFoldDataset", "fold": 1, "num_splits": 3, "seed": 5, "stratified": True}
    common |= {"grouped": False, "group_pattern": "^a"}
    own = {name: value for name, value in TRAIN.items() if name != "data_prefix"}
    assert collect["learn_data_path"] == "d/train"
    assert collect["train"] == {**common, "test_mode": False, "dataset": own}
    # Of the validation set only its pipeline.
    assert collect["val"] == {**common, "test_mode": True, "dataset": {**own, "pipeline": STEPS}}
    assert "elsewhere" not in str(collect)


def test_what_repeats_samples_repeats_the_training_part_alone() -> None:
    repeated = {"type": "RepeatDataset", "times": 3, "dataset": TRAIN}
    balanced = {"type": "ClassBalancedDataset", "oversample_thr": 0.1, "dataset": repeated}
    cfg = config(train=balanced)
    collect = divided(cfg)
    assert collect["train"]["type"] == "ClassBalancedDataset"
    assert collect["train"]["dataset"]["type"] == "RepeatDataset"
    assert collect["train"]["dataset"]["dataset"]["type"] == "KFoldDataset"
    assert collect["val"]["type"] == "KFoldDataset"
    whole = whole_config(cfg, compiled(cfg))["policy"]["collect"]
    assert (whole["train"], whole["val"]) == (TRAIN, None)


def test_a_part_of_the_data_is_taken_before_they_are_divided() -> None:
    cfg = config(learn_data_path="d/train", try_to_train_items=6)
    collect = divided(cfg)
    assert collect["train"]["dataset"] == {
        "type": "SubsetDataset",
        "dataset": {"type": "ImageNetDataset"},
        "num_samples": 6,
        "seed": 7,
    }
    assert collect["try_to_train_items"] == 0
    assert (collect["learn_data_path"], collect["eval_data_path"]) == ("d/train", "d/train")


def test_synthetic_images_are_one_dataset_with_the_runs_seed() -> None:
    cfg = config(synthetic=True, synthetic_samples=12)
    cfg["policy"]["model"] = {"num_classes": 4}
    whole = whole_config(cfg, compiled(cfg))["policy"]["collect"]
    assert whole["train"] == {
        "type": "SyntheticDataset",
        "num_samples": 12,
        "num_classes": 4,
        "size_px": 8,
        "seed": 7,
    }
    assert whole["synthetic"] is False


def test_the_config_of_the_whole_is_not_changed() -> None:
    cfg = config(train=TRAIN)
    before = str(cfg)
    divided(cfg)
    assert str(cfg) == before


def test_without_data_the_key_is_named() -> None:
    with pytest.raises(DataError, match=r"set policy\.collect\.learn_data_path"):
        whole_config({}, compiled({}))


def test_a_sample_that_comes_twice_is_found_below_wrappers() -> None:
    images = SyntheticDataset(6, 2, 8)
    division = Division(num_splits=3, seed=0)
    check_divisible(images, division)
    check_divisible(ConcatDataset([images, SyntheticDataset(6, 2, 8, seed=1)]), division)
    check_divisible(SubsetDataset(images, num_samples=4), division)
    for twice in (
        RepeatDataset(images, 2),
        ConcatDataset([SubsetDataset(images, 4), RepeatDataset(images, 2)]),
    ):
        with pytest.raises(DataError, match="hold a sample several times"):
            check_divisible(twice, division)
    with pytest.raises(DataError, match="num_splits=7 is more than the 6 samples"):
        check_divisible(images, Division(num_splits=7, seed=0))


def test_a_test_split_is_described_or_lies_beside_the_others(tmp_path: Path) -> None:
    (tmp_path / "train").mkdir()
    inside = {"learn_data_path": str(tmp_path / "train")}
    assert find_test_data(compiled(config(**inside))) == (False, None)
    (tmp_path / "test").mkdir()
    assert find_test_data(compiled(config(**inside))) == (True, str(tmp_path))
    assert find_test_data(compiled(config(**inside, test=TRAIN))) == (True, None)
    assert find_test_data(compiled(config(synthetic=True, **inside))) == (False, None)
    # Files that a list names lie anywhere: the folder beside them means nothing.
    listed = {"type": "CustomDataset", "data_prefix": str(tmp_path / "train"), "ann_file": "a.txt"}
    assert find_test_data(compiled(config(train=listed))) == (False, None)
