"""Splits of the data by dicts: what fills their gaps, what they must agree in, what a checkpoint keeps."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from ding_cls.checkpoint import read_checkpoint
from ding_cls.data import (
    DATASETS,
    PIPELINES,
    BaseDataset,
    CustomDataset,
    ImageNetDataset,
    PipelinePreprocessing,
    Preprocessing,
    SyntheticDataset,
    build_train_loader,
    preprocessing_from_state,
)
from ding_cls.errors import ConfigError, DataError
from ding_cls.pipeline import build_datasets, evaluate, preprocessing_of
from ding_cls.pipeline.datasets.splits import evaluation_set
from tests.conftest import TinyNet, write_pictures
from tests.harness import run_tiny
from tests.pipeline.datasets.sections import (
    CLASSES,
    FORMAT,
    LOAD,
    NORMALIZE,
    SQUASH,
    TRAIN,
    compiled,
    custom,
    folders,
)

ALONE = "policy.learn.learner.dataloader.num_workers=0"


@DATASETS.register_module()
class SplitsArrays(BaseDataset):
    """Twelve pictures in memory, of a size and with labels that a config names; no folder."""

    def __init__(self, side: int = 6, last: int = 2, **kwargs: Any) -> None:
        self.side, self.last = side, last
        super().__init__("", **kwargs)

    def load_annotations(self) -> list[dict[str, Any]]:
        draws = np.random.default_rng(0)
        return [
            {
                "img": draws.integers(0, 256, (self.side, self.side, 3), dtype=np.uint8),
                "gt_label": n % (self.last + 1),
            }
            for n in range(12)
        ]


@PIPELINES.register_module()
class SplitsInvert:
    """A user's own step."""

    def __call__(self, results: dict[str, Any]) -> dict[str, Any]:
        results["img"] = 255 - results["img"]
        return results


@PIPELINES.register_module()
class SplitsNoise:
    """A user's own step that draws from NumPy."""

    def __call__(self, results: dict[str, Any]) -> dict[str, Any]:
        results["img"] = results["img"] ^ np.random.randint(2, size=results["img"].shape, dtype=np.uint8)
        return results


def test_dicts_take_the_paths_and_the_training_list(picture_folder: Path) -> None:
    for path in (picture_folder / "val" / "birch").iterdir():
        path.unlink()
    (picture_folder / "val" / "birch").rmdir()
    cfg = compiled(**folders(picture_folder, train=custom(TRAIN), val=custom(SQUASH)))
    train_set, eval_set = build_datasets(cfg)
    assert isinstance(train_set, CustomDataset)
    assert (len(train_set), len(eval_set)) == (40, 15)
    assert eval_set.classes == train_set.classes == CLASSES
    assert sorted(set(eval_set.targets)) == [0, 2, 3]
    assert (train_set.test_mode, eval_set.test_mode) == (False, True)


def test_a_dict_without_a_pipeline_gets_the_usual_one(picture_folder: Path) -> None:
    collect = folders(picture_folder, image_size=8, resize_size=9)
    native = build_datasets(compiled(**collect))
    cfg = compiled(**collect, train=custom(), val=custom())
    ours = build_datasets(cfg)
    assert preprocessing_of(cfg) == Preprocessing(8, 9)
    assert (cfg.policy.collect.image_size, cfg.policy.collect.resize_size) == (8, 9)
    assert isinstance(ours[0], CustomDataset)
    for mine, theirs in zip(
        *(build_train_loader(each[0], 8, seed=1) for each in (ours, native)), strict=True
    ):
        assert torch.equal(mine.images, theirs.images)
    for index in range(20):
        assert torch.equal(ours[1].load(index)[0], native[1].load(index)[0])


def test_one_of_the_two_may_be_a_folder(picture_folder: Path) -> None:
    collect = folders(picture_folder, image_size=8, resize_size=9)
    train_set, eval_set = build_datasets(compiled(**collect, train=custom(TRAIN)))
    assert isinstance(train_set, CustomDataset)
    assert isinstance(eval_set, ImageNetDataset)
    assert eval_set.preprocessing == Preprocessing(8, 9)
    cfg = compiled(**collect, val=custom(SQUASH))
    train_set, eval_set = build_datasets(cfg)
    assert isinstance(train_set, ImageNetDataset)
    assert isinstance(eval_set, CustomDataset)
    assert type(preprocessing_of(cfg)) is PipelinePreprocessing
    assert eval_set.classes == train_set.classes


def test_the_folder_data_set_and_generated_pictures_have_names_too(picture_folder: Path) -> None:
    collect = folders(picture_folder, image_size=8, resize_size=9)
    train_set, eval_set = build_datasets(
        compiled(**collect, train={"type": "ImageNetDataset"}, val={"type": "ImageNetDataset"})
    )
    assert (train_set.is_training, eval_set.is_training) == (True, False)
    assert (train_set.transform.image_size, eval_set.transform) == (8, Preprocessing(8, 9))
    made = {"type": "SyntheticDataset", "num_samples": 6, "num_classes": 3, "size_px": 8}
    train_set, eval_set = build_datasets(compiled(train=made, val={**made, "seed": 1}))
    assert isinstance(train_set, SyntheticDataset)
    assert len(eval_set) == 6


def test_arguments_that_a_subclass_hands_up_are_filled_in() -> None:
    cfg = compiled(
        train={"type": "SplitsArrays", "pipeline": [], "last": 3},
        val={"type": "SplitsArrays", "pipeline": [], "side": 10},
    )
    train_set, eval_set = build_datasets(cfg)
    assert eval_set.classes == train_set.classes == ("0", "1", "2", "3")
    assert eval_set.test_mode
    assert type(preprocessing_of(cfg)) is PipelinePreprocessing
    # No step says how large the pictures are: the first one does.
    assert (cfg.policy.collect.image_size, cfg.policy.collect.resize_size) == (10, 11)


def test_the_numbers_of_the_config_hold_where_a_pipeline_has_none(picture_folder: Path) -> None:
    unnamed = [LOAD, {"type": "Resize", "size": 8}]
    collect = folders(picture_folder, mean=[0.1, 0.2, 0.3], std=[1.0, 2.0, 3.0])
    cfg = compiled(**collect, train=custom(unnamed), val=custom(unnamed))
    build_datasets(cfg)
    found = preprocessing_of(cfg)
    assert type(found) is PipelinePreprocessing
    assert found.normalization[:2] == ((0.1, 0.2, 0.3), (1.0, 2.0, 3.0))


def test_other_classes_than_the_training_sets_are_refused(picture_folder: Path) -> None:
    listed = custom(SQUASH, classes=["ash", "cedar", "birch", "fir"])
    with pytest.raises(
        DataError, match=r"class 1 of policy\.collect\.val is 'cedar', and 'birch' in training"
    ):
        build_datasets(compiled(**folders(picture_folder, train=custom(TRAIN), val=listed)))
    DATASETS.register("SplitsFixed", force=True)(lambda: SyntheticDataset(6, 3, 8))
    fixed = {"type": "SplitsFixed"}
    with pytest.raises(DataError, match=r"class 0 of policy\.collect\.val is 'class_0', and 'ash'"):
        build_datasets(compiled(**folders(picture_folder, train=custom(TRAIN), val=fixed)))
    made = {"type": "SyntheticDataset", "num_samples": 6, "num_classes": 3, "size_px": 8}
    with pytest.raises(DataError, match="classes has 4 names for num_classes=3"):
        build_datasets(compiled(**folders(picture_folder, train=custom(TRAIN), val=made)))


def test_names_that_do_not_exist_are_answered_with_the_nearest(picture_folder: Path) -> None:
    with pytest.raises(
        ConfigError, match="there is no dataset named 'CustomDatset'; did you mean CustomDataset"
    ):
        build_datasets(compiled(**folders(picture_folder, train={"type": "CustomDatset"})))
    with pytest.raises(
        ConfigError, match=r"there is no transform named 'LoadImage'; did you mean .*LoadImageFromFile"
    ):
        build_datasets(compiled(**folders(picture_folder, train=custom([{"type": "LoadImage"}]))))
    with pytest.raises(ConfigError, match="'type'"):
        build_datasets(compiled(**folders(picture_folder, val={"pipeline": SQUASH})))
    with pytest.raises(ConfigError, match="'CustomDataset' lacks the argument 'data_prefix'"):
        build_datasets(compiled(train=custom(TRAIN)))


def test_a_data_set_that_cannot_be_used_is_named() -> None:
    DATASETS.register("SplitsBare", force=True)(lambda: [1, 2])
    with pytest.raises(DataError, match="a list has no 'classes'"):
        build_datasets(compiled(train={"type": "SplitsBare"}))
    made = {"type": "SyntheticDataset", "num_samples": 6, "num_classes": 3, "size_px": 8}

    class Odd(SyntheticDataset):
        def load(self, index: int) -> Any:
            return {"img": 1}

    DATASETS.register("SplitsOdd", force=True)(Odd)
    with pytest.raises(DataError, match="the first sample of Odd is no pair of a picture and a class number"):
        build_datasets(compiled(train={**made, "type": "SplitsOdd"}, val=made))


def test_building_draws_nothing(picture_folder: Path) -> None:
    before, numpy_before = torch.get_rng_state(), np.random.get_state()[1].tolist()
    # Without numbers of its own a set is asked for its first picture.
    random_crops = [*TRAIN[:3], {"type": "SplitsNoise"}]
    build_datasets(compiled(**folders(picture_folder, train=custom(random_crops), val=custom(SQUASH))))
    assert torch.equal(torch.get_rng_state(), before)
    assert np.random.get_state()[1].tolist() == numpy_before


def settings(train: Any, val: Any, *more: str) -> list[str]:
    return [f"policy.collect.train={train!r}", f"policy.collect.val={val!r}", ALONE, *more]


def test_a_run_is_judged_by_its_own_pipeline(picture_folder: Path, workdir: Path) -> None:
    val = [*SQUASH[:2], {"type": "SplitsInvert"}, *SQUASH[2:]]
    result = run_tiny(picture_folder, "run", *settings(custom(TRAIN), custom(val)))
    saved = read_checkpoint(result.best_checkpoint)["run"]
    record = preprocessing_from_state(saved["preprocessing"])
    assert record == PipelinePreprocessing(val)
    assert saved["class_names"] == list(CLASSES)
    best = evaluate(result.best_checkpoint, model=TinyNet(), out="out.npz")
    assert {name: best[name] for name in ("acc1", "loss")} == pytest.approx(
        {name: result.best[name] for name in ("acc1", "loss")}, abs=1e-9
    )
    # The saved record, from the file to the logits.
    network = TinyNet()
    network.load_state_dict(read_checkpoint(result.best_checkpoint)["model"])
    pixels = np.asarray(
        Image.open(picture_folder / "val" / "ash" / "000.png").resize((8, 8), Image.Resampling.BILINEAR)
    )
    picture = record(Image.open(picture_folder / "val" / "ash" / "000.png"))
    assert np.array_equal(np.asarray(picture), 255 - pixels)
    with torch.no_grad():
        logits = network.eval()(record.normalize(record.to_tensor(picture)[None]))
    np.testing.assert_allclose(logits.numpy()[0], np.load("out.npz")["logits"][0], atol=1e-6)


def test_every_split_of_a_run_can_be_judged(picture_folder: Path, workdir: Path, tmp_path: Path) -> None:
    run_tiny(picture_folder, "run", *settings(custom(TRAIN), custom(SQUASH)))
    best = Path("run/ckpt/ckpt_best.pth.tar")
    assert evaluate(best, model=TinyNet())["num_samples"] == 20
    assert evaluate(best, model=TinyNet(), split="train")["num_samples"] == 40
    with pytest.raises(DataError, match="has no folder 'test'"):
        evaluate(best, model=TinyNet(), split="test")
    write_pictures(picture_folder / "test", classes=("fir", "ash"), per_class=3)
    evaluate(best, model=TinyNet(), split="test", out="out.npz")
    assert np.load("out.npz")["targets"].tolist() == [0, 0, 0, 3, 3, 3]
    write_pictures(tmp_path / "other" / "test", classes=("fir",), per_class=2)
    evaluate(best, model=TinyNet(), data=tmp_path / "other", split="test", out="out.npz")
    assert np.load("out.npz")["targets"].tolist() == [3, 3]


def test_a_test_set_of_its_own_is_judged(picture_folder: Path, workdir: Path) -> None:
    write_pictures(picture_folder / "held", classes=("fir", "ash"), per_class=3)
    (workdir / "list.txt").write_text("fir/000.png fir\nash/001.png ash\n")
    described = custom(SQUASH, data_prefix=str(picture_folder / "held"), ann_file=str(workdir / "list.txt"))
    run_tiny(
        picture_folder, "run", *settings(custom(TRAIN), custom(SQUASH), f"policy.collect.test={described!r}")
    )
    best = Path("run/ckpt/ckpt_best.pth.tar")
    evaluate(best, model=TinyNet(), split="test", out="out.npz")
    assert np.load("out.npz")["targets"].tolist() == [3, 0]


def test_a_test_set_without_a_folder_lies_beside_the_validation_set(picture_folder: Path) -> None:
    write_pictures(picture_folder / "test", classes=("fir",), per_class=3)
    cfg = compiled(**folders(picture_folder, train=custom(TRAIN), val=custom(SQUASH), test=custom()))
    dataset = evaluation_set(cfg, "test", CLASSES)
    assert dataset.targets == [3, 3, 3]
    assert torch.equal(dataset.load(0)[0], CustomDataset(picture_folder / "test", SQUASH).load(0)[0])


def test_a_borrowed_description_does_not_bring_its_list(picture_folder: Path) -> None:
    write_pictures(picture_folder / "test", classes=("fir",), per_class=3)
    Path("val.txt").write_text("ash/000.png ash\n")
    listed = custom(SQUASH, ann_file="val.txt")
    cfg = compiled(**folders(picture_folder, train=custom(TRAIN), val=listed))
    assert evaluation_set(cfg, "val", CLASSES).targets == [0]
    assert evaluation_set(cfg, "test", CLASSES).targets == [3, 3, 3]


def test_training_pictures_are_judged_without_augmentation(picture_folder: Path) -> None:
    cfg = compiled(**folders(picture_folder, train=custom(TRAIN), val=custom(SQUASH)))
    dataset = evaluation_set(cfg, "train", CLASSES)
    expected = CustomDataset(picture_folder / "train", SQUASH)
    assert torch.equal(dataset.load(3)[0], expected.load(3)[0])
    assert not dataset.test_mode
    # A training folder beside a described validation set, too.
    cfg = compiled(**folders(picture_folder, val=custom(SQUASH)))
    assert torch.equal(evaluation_set(cfg, "train", CLASSES).load(3)[0], expected.load(3)[0])


def test_a_data_set_without_a_folder_is_not_moved() -> None:
    made = {"type": "SyntheticDataset", "num_samples": 6, "num_classes": 3, "size_px": 8}
    cfg = compiled(train=made, val=made)
    names = build_datasets(cfg)[0].classes
    assert len(evaluation_set(cfg, "val", names)) == 6
    Path("d/val").mkdir(parents=True)
    with pytest.raises(DataError, match="'SyntheticDataset' takes no folder"):
        evaluation_set(cfg, "val", names, data="d")


def test_a_usual_pipeline_is_saved_as_the_ordinary_record(picture_folder: Path, workdir: Path) -> None:
    usual = [
        LOAD,
        {"type": "Resize", "size": (9, -1)},
        {"type": "CenterCrop", "crop_size": 8},
        NORMALIZE,
        *FORMAT,
    ]
    usual_crops = ("policy.collect.resize_size=9", "policy.collect.crop_scale=[0.08, 1.0]")
    described = run_tiny(picture_folder, "described", *settings(custom(TRAIN), custom(usual)))
    native = run_tiny(picture_folder, "native", *usual_crops, ALONE)
    saved = [read_checkpoint(each.best_checkpoint)["run"]["preprocessing"] for each in (described, native)]
    assert saved[0] == saved[1] == Preprocessing(8, 9).state_dict()
    # The usual two pipelines are the native run, to the last bit.
    weights = described.model.state_dict()
    assert all(torch.equal(value, weights[name]) for name, value in native.model.state_dict().items())
    assert described.final == native.final
