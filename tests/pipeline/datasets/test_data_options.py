"""Data options through whole runs: wrappers, lists, arrays, samplers, weights, subsets."""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ding_cls.config import compile_config
from ding_cls.data import build_train_loader, innermost
from ding_cls.errors import ConfigError, DataError
from ding_cls.pipeline import build_datasets, evaluate, train
from ding_cls.pipeline.datasets.splits import evaluation_set
from ding_cls.policy import ImageClassificationPolicy
from tests.conftest import TinyNet

CLASSES = ("ash", "birch", "cedar", "fir")
MEAN = {"type": "Normalize", "mean": [10, 20, 30], "std": [50, 60, 70], "to_rgb": False}


def compiled(**collect: Any) -> Any:
    sizes = {"image_size": 8, "resize_size": 8}
    cfg = {"policy": {"collect": {**sizes, **collect}}}
    return compile_config(cfg, 3, save_cfg=False, policy=ImageClassificationPolicy)


def trained(exp_name: str, *overrides: str, **collect: Any) -> Any:
    learner = {"dataloader": {"num_workers": 0}, "log_show_freq": 1}
    cfg = {
        "exp_name": exp_name,
        "policy": {
            "learn": {"batch_size": 8, "train_epoch": 2, "learner": learner},
            "eval": {"batch_size": 7},
            "collect": {"image_size": 8, "resize_size": 8, **collect},
        },
    }
    return train(cfg, model=TinyNet(), seed=5, overrides=overrides)


def folder(root: Path, name: str = "train", **arguments: Any) -> dict[str, Any]:
    return {"type": "CustomDataset", "data_prefix": str(root / name), **arguments}


def test_what_is_offered_reaches_the_data_sets_inside_wrappers(picture_folder: Path) -> None:
    inner = {"type": "RepeatDataset", "times": 2, "dataset": {"type": "CustomDataset"}}
    cfg = compiled(
        learn_data_path=str(picture_folder / "train"),
        eval_data_path=str(picture_folder / "val"),
        train={"type": "ClassBalancedDataset", "oversample_thr": 0.3, "dataset": inner},
        val={"type": "ConcatDataset", "datasets": [{"type": "CustomDataset"}]},
    )
    train_set, eval_set = build_datasets(cfg)
    assert (len(train_set), len(eval_set)) == (160, 20)
    assert train_set.classes == eval_set.classes == CLASSES
    (first,), (second,) = innermost(train_set), innermost(eval_set)
    assert [type(step).__name__ for step in first.pipeline.steps][1] == "RandomResizedCrop"
    assert [type(step).__name__ for step in second.pipeline.steps][1] == "Resize"
    assert (first.test_mode, second.test_mode) == (False, True)
    assert eval_set.load(0)[0].shape == (8, 8, 3)


def test_a_fold_is_judged_on_what_the_others_are_not_trained_on(picture_folder: Path, workdir: Path) -> None:
    fold = {"type": "KFoldDataset", "num_splits": 4, "fold": 1, "seed": 1, "dataset": folder(picture_folder)}
    cfg = compiled(train=fold, val=fold)
    train_set, eval_set = build_datasets(cfg)
    assert sorted(train_set.indices + eval_set.indices) == list(range(40))
    assert (len(train_set), len(eval_set)) == (30, 10)
    assert evaluation_set(cfg, "train", CLASSES).indices == train_set.indices
    result = trained("run", train=fold, val=fold)
    assert evaluate("run", model=TinyNet())["num_samples"] == 10
    assert evaluate("run", model=TinyNet(), split="train")["num_samples"] == 30
    # A folder that is named by hand is judged whole.
    assert evaluate("run", model=TinyNet(), data=picture_folder)["num_samples"] == 20
    assert result.final["loss"] > 0


def test_one_folder_is_divided_without_copying(picture_folder: Path) -> None:
    parts = [
        {"type": "SplitDataset", "part": part, "fractions": [0.8, 0.2], "dataset": folder(picture_folder)}
        for part in range(2)
    ]
    train_set, eval_set = build_datasets(compiled(train=parts[0], val=parts[1]))
    assert Counter(train_set.targets) == dict.fromkeys(range(4), 8)
    assert Counter(eval_set.targets) == dict.fromkeys(range(4), 2)
    assert not set(train_set.indices) & set(eval_set.indices)


def test_a_subset_is_trained_on(picture_folder: Path) -> None:
    both = {"learn_data_path": str(picture_folder / "train"), "eval_data_path": str(picture_folder / "val")}
    train_set, eval_set = build_datasets(compiled(**both, try_to_train_items=8))
    assert Counter(train_set.targets) == dict.fromkeys(range(4), 2)
    assert len(eval_set) == 20
    assert len(build_datasets(compiled(**both))[0]) == 40


def test_arrays_need_no_pipeline(tmp_path: Path, workdir: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (24, 8, 8), dtype=np.uint8)
    np.savez(tmp_path / "a.npz", images=pixels, labels=np.arange(24) % 4, classes=np.array(CLASSES))
    arrays = {"type": "NpzDataset", "data_prefix": str(tmp_path / "a.npz")}
    train_set, eval_set = build_datasets(compiled(train=arrays, val=arrays))
    assert train_set.classes == CLASSES
    assert torch.equal(eval_set.load(5)[0], torch.from_numpy(pixels[5])[..., None].expand(8, 8, 3))
    result = trained("run", train=arrays, val=arrays)
    assert evaluate("run", model=TinyNet())["loss"] == pytest.approx(result.best["loss"], rel=1e-6)


def test_a_table_is_trained_on_with_its_weights(picture_folder: Path, workdir: Path) -> None:
    names = sorted(str(path.relative_to(picture_folder)) for path in picture_folder.rglob("*.png"))
    lines = (
        f"{name},{name.split('/')[1]},{name.split('/')[0]},{1 + at % 3}" for at, name in enumerate(names)
    )
    (picture_folder / "all.csv").write_text("\n".join(["path,label,split,weight", *lines]))
    table = {"type": "CSVDataset", "ann_file": str(picture_folder / "all.csv")}
    both = {"train": {**table, "split": "train"}, "val": {**table, "split": "val"}}
    train_set, eval_set = build_datasets(compiled(**both))
    assert (len(train_set), len(eval_set), train_set.classes) == (40, 20, CLASSES)
    assert sorted(set(train_set.sample_weights)) == [1.0, 2.0, 3.0]
    trained("weighted", **both)
    trained("plain", train={**both["train"], "weight": None}, val=both["val"])
    rows = [evaluate(name, model=TinyNet())["loss"] for name in ("weighted", "plain")]
    assert rows[0] != rows[1]


def test_a_test_split_of_a_table_needs_no_folder(picture_folder: Path) -> None:
    (picture_folder / "t.csv").write_text("path,label\nval/fir/000.png,fir\n")
    table = {"type": "CSVDataset", "ann_file": str(picture_folder / "t.csv")}
    cfg = compiled(train=folder(picture_folder), val=folder(picture_folder, "val"), test=table)
    assert evaluation_set(cfg, "test", CLASSES).targets == [3]


def test_several_labels_are_trained_and_judged(picture_folder: Path, workdir: Path) -> None:
    lines = [f"{name}/00{number}.png {name},fir" for name in CLASSES for number in range(5)]
    (picture_folder / "list.txt").write_text("\n".join(lines))
    listed = {
        "type": "MultiLabelDataset",
        "data_prefix": str(picture_folder / "train"),
        "ann_file": str(picture_folder / "list.txt"),
    }
    result = trained(
        "run",
        "policy.learn.loss={'type': 'CrossEntropyLoss', 'use_sigmoid': True}",
        "policy.eval.metric={'type': 'ClassificationMetrics', 'metrics': ['mAP']}",
        train=listed,
        val=listed,
    )
    assert 0 < result.final["mAP"] <= 100


def test_a_sampler_by_name_chooses_what_an_epoch_shows(picture_folder: Path, workdir: Path) -> None:
    collect = {"train": folder(picture_folder), "val": folder(picture_folder, "val")}
    longer = {"type": "RepeatAug", "num_repeats": 2, "keep_length": False}
    result = trained("run", train=collect["train"], val=collect["val"], sampler=longer)
    # 80 showings in batches of 8.
    assert [row["train_iter"] for row in result.history] == [10, 20]
    with pytest.raises(ConfigError, match="no sampler named 'RepeatAgu'"):
        trained("other", **collect, sampler={"type": "RepeatAgu"})


def test_data_without_labels_are_not_trained_on(picture_folder: Path) -> None:
    unlabelled = folder(picture_folder, with_label=False)
    with pytest.raises(DataError, match=r"policy\.collect\.train: with_label=False leaves nothing"):
        build_datasets(compiled(train=unlabelled, val=folder(picture_folder, "val")))


def test_data_sets_in_a_row_must_be_normalised_alike(picture_folder: Path) -> None:
    load = {"type": "LoadImageFromFile"}
    other = {**MEAN, "mean": [11, 20, 30]}
    row = [folder(picture_folder, pipeline=[load, numbers]) for numbers in (MEAN, other)]
    val = folder(picture_folder, "val", pipeline=[load, MEAN])
    with pytest.raises(DataError, match="training normalises by mean"):
        build_datasets(compiled(train={"type": "ConcatDataset", "datasets": row}, val=val))
    with pytest.raises(DataError, match="val normalises by mean"):
        build_datasets(compiled(train=val, val={"type": "ConcatDataset", "datasets": row}))


def test_both_parts_of_a_published_set_come_from_one_description(tmp_path: Path) -> None:
    for part, length in (("train", 6), ("t10k", 4)):
        for name, array in (
            ("images-idx3", np.full((length, 28, 28), length, np.uint8)),
            ("labels-idx1", np.arange(length, dtype=np.uint8)),
        ):
            head = bytes([0, 0, 8, array.ndim]) + b"".join(side.to_bytes(4, "big") for side in array.shape)
            (tmp_path / f"{part}-{name}-ubyte").write_bytes(head + array.tobytes())
    digits = {"type": "MNIST", "data_prefix": str(tmp_path)}
    cfg = compiled(train=digits, val=digits, image_size=28, resize_size=28)
    train_set, eval_set = build_datasets(cfg)
    assert (len(train_set), len(eval_set)) == (6, 4)
    assert len(evaluation_set(cfg, "train", train_set.classes)) == 6
    assert eval_set.load(0)[0].eq(4).all()
    (batch,) = build_train_loader(train_set, 6, seed=0)
    assert batch.images.shape == (6, 28, 28, 3)


LOAD = {"type": "LoadImageFromFile"}
LOAD_FLOAT = {**LOAD, "to_float32": True}
SCALED = {"type": "ToDtype", "dtype": "float32", "scale": True}
SQUARE = {"type": "Resize", "size": 8}


@pytest.mark.parametrize(
    ("steps", "said"),
    [
        ([LOAD_FLOAT, SQUARE], "floats from 0 to 255"),
        ([LOAD, {"type": "RandomOrder", "transforms": [SQUARE]}, {"type": "ToNumpy"}], "from 0 to 255"),
        ([LOAD, SQUARE, SCALED, {"type": "torchvision/RandomErasing"}], r"floats from 0 to 1\b"),
    ],
)
def test_floats_that_nothing_normalises_do_not_go_with_normalised_pictures(
    picture_folder: Path, steps: list[Any], said: str
) -> None:
    plain, floats = ([LOAD, SQUARE], steps)
    for train_steps, val_steps in ((floats, plain), (plain, floats), (floats, [LOAD_FLOAT, SQUARE, MEAN])):
        sets = {
            "train": folder(picture_folder, pipeline=train_steps),
            "val": folder(picture_folder, "val", pipeline=val_steps),
        }
        with pytest.raises(DataError, match=said):
            build_datasets(compiled(**sets))
    val, test = (folder(picture_folder, "val", pipeline=each) for each in (plain, floats))
    cfg = compiled(train=folder(picture_folder, pipeline=plain), val=val, test=test)
    with pytest.raises(DataError, match=said):
        evaluation_set(cfg, "test", CLASSES)


def test_pictures_that_nothing_normalises_at_all_are_told(
    picture_folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def told(*steps: Any) -> str:
        each = [folder(picture_folder, name, pipeline=list(steps)) for name in ("train", "val")]
        caplog.clear()
        build_datasets(compiled(train=each[0], val=each[1]))
        return caplog.text

    assert "the training pictures hold floats up to" in told(LOAD_FLOAT, SQUARE)
    assert told(LOAD_FLOAT, SQUARE, MEAN) == told(LOAD, SQUARE) == told(LOAD, SQUARE, SCALED) == ""
