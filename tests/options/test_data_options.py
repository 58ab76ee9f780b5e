"""Every data set and wrapper, sampler and batch augmentation, and every key of ``policy.collect``."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from ding_cls.checkpoint import read_checkpoint
from ding_cls.config.defaults import COLLECT
from ding_cls.data import BATCH_AUGMENTS, DATASETS, SAMPLERS
from tests.options.cases.data_files import PICTURES, folder, lines
from tests.options.cases.data_table import SETS, Changes, Section, both, in_folder, listed
from tests.options.trials import CLASSES, UPDATES, keys_below, ours, run, trains


def modes_of(trials: dict[str, list[Any]]) -> list[Any]:
    """Return every mode of all; further ones than the first are for the slow tier."""
    return [
        pytest.param(name, mode, id=f"{name}-{mode}", marks=pytest.mark.slow if mode else ())
        for name, modes in trials.items()
        for mode in range(len(modes))
    ]


def test_every_data_set_has_its_trials() -> None:
    assert set(SETS) == ours(DATASETS)
    assert (len(SETS), len(modes_of(SETS))) == (23, 47)


@pytest.mark.parametrize(("name", "mode"), modes_of(SETS))
def test_a_data_set(resumes: bool, name: str, mode: int) -> None:
    if name == "StanfordCars":
        pytest.importorskip("scipy")
    trains(SETS[name][mode](), resumes=resumes)


ORDERS: dict[str, list[Section]] = {
    "Default": [{}, {"shuffle": True}],
    "RepeatAug": [{}, {"num_repeats": 2, "keep_length": False}, {"num_repeats": 2, "selected_round": 4}],
    "ClassBalanced": [{}, {"power": 0.5}, {"num_samples": 12}, {"power": 0.0}],
}


def test_every_sampler_has_its_trials() -> None:
    aliases = {"DistributedSampler": "Default", "RepeatAugSampler": "RepeatAug"}
    assert {*ORDERS, *aliases} == ours(SAMPLERS)
    assert all(SAMPLERS.get(name) is SAMPLERS.get(of) for name, of in aliases.items())
    assert (len(ORDERS), len(modes_of(ORDERS))) == (3, 9)


@pytest.mark.parametrize(("name", "mode"), modes_of(ORDERS))
def test_a_sampler(resumes: bool, plain: dict[str, torch.Tensor], name: str, mode: int) -> None:
    done = trains({"policy.collect.sampler": {"type": name, **ORDERS[name][mode]}}, resumes=resumes)
    assert differs(done, plain) == (name != "Default")


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> dict[str, torch.Tensor]:
    """What is learned without any option."""
    name = str(tmp_path_factory.mktemp("plain") / "run")
    run(name)
    weights: dict[str, torch.Tensor] = read_checkpoint(f"{name}/ckpt/iteration_{UPDATES}.pth.tar")["model"]
    return weights


def differs(done: dict[str, Any], plain: dict[str, torch.Tensor]) -> bool:
    return any(not torch.equal(value, plain[name]) for name, value in done["after"].items())


MIXUPS: list[Section] = [{}, {"alpha": 0.2, "prob": 0.7}]
CUTMIXES: list[Section] = [{}, {"cutmix_minmax": [0.2, 0.6]}, {"alpha": 0.5, "correct_lam": False}]
RESIZEMIXES: list[Section] = [
    {},
    {"lam_min": 0.4, "lam_max": 0.6, "interpolation": "nearest"},
    {"cutmix_minmax": [0.2, 0.6], "interpolation": "bicubic", "correct_lam": False, "alpha": 0.5},
]
MIXES: dict[str, list[Section]] = {
    "Mixup": [*MIXUPS, {"num_classes": CLASSES, "until_epoch": 1}, {"until_epoch": -1}],
    "CutMix": CUTMIXES,
    "ResizeMix": RESIZEMIXES,
    "Identity": [{}],
}
# Other names of the same.
ALIASES = {"MixUp": "Mixup", "BatchMixup": "Mixup", "BatchCutMix": "CutMix", "BatchResizeMix": "ResizeMix"}


def test_every_batch_augmentation_has_its_trials() -> None:
    assert {*MIXES, *ALIASES} == ours(BATCH_AUGMENTS)
    assert (len(MIXES), len(ALIASES), len(modes_of(MIXES))) == (4, 4, 11)
    assert all(BATCH_AUGMENTS.get(name) is BATCH_AUGMENTS.get(of) for name, of in ALIASES.items())


@pytest.mark.parametrize(("name", "mode"), modes_of(MIXES))
def test_a_batch_augmentation(resumes: bool, plain: dict[str, torch.Tensor], name: str, mode: int) -> None:
    done = trains({"policy.learn.batch_augments": [{"type": name, **MIXES[name][mode]}]}, resumes=resumes)
    # A draw more in each step moves the network's own dropout too.
    assert differs(done, plain)


def in_folders(**more: Any) -> Changes:
    """Return the changes that train on class folders by the keys of ``policy.collect``."""
    paths = {"policy.collect.learn_data_path": folder(), "policy.collect.eval_data_path": folder()}
    return {
        "policy.collect.synthetic": False,
        **paths,
        **{f"policy.collect.{key}": each for key, each in more.items()},
    }


# Each mode, and what it is compared with; None: with the synthetic data of all trials.
KEYS: dict[str, list[Callable[[], Changes]]] = {
    "learn_data_path": [in_folders],
    "eval_data_path": [in_folders],
    "image_size": [lambda: in_folders(image_size=12, resize_size=14)],
    "resize_size": [lambda: in_folders(resize_size=10)],
    "interpolation": [lambda: in_folders(interpolation="bicubic")],
    "crop_scale": [lambda: in_folders(crop_scale=[0.5, 0.9])],
    "crop_ratio": [lambda: in_folders(crop_ratio=[0.5, 0.6])],
    "quarantine": [lambda: in_folders(quarantine=lines("q.csv", ["path", "folder/" + PICTURES[1]]))],
    "hflip": [lambda: in_folders(hflip=False)],
    "mean": [lambda: in_folders(mean=[0.4, 0.5, 0.6]), lambda: {"policy.collect.mean": [0.1, 0.2, 0.3]}],
    "std": [lambda: in_folders(std=[0.4, 0.5, 0.6]), lambda: {"policy.collect.std": [0.1, 0.2, 0.3]}],
    "train": [lambda: both(in_folder())],
    "val": [lambda: both(in_folder(), listed("CustomDataset"))],
    "test": [lambda: in_folders(test=in_folder())],
    "try_to_train_items": [lambda: in_folders(try_to_train_items=4)],
    "sampler": [lambda: in_folders(sampler={"type": "RepeatAug", "num_repeats": 2})],
    "synthetic": [lambda: {"policy.collect.synthetic": True}],
    "synthetic_samples": [lambda: {"policy.collect.synthetic_samples": 11}],
    "synthetic_eval_samples": [lambda: {"policy.collect.synthetic_eval_samples": 2}],
}
# What is learned does not hang on these; "mean" and "std" of synthetic pictures are their own trial.
NOT_LEARNED = ("learn_data_path", "eval_data_path", "resize_size", "train", "val", "test")


def test_every_key_has_its_trials() -> None:
    assert {f"policy.collect.{name}" for name in KEYS} == keys_below(COLLECT, "policy.collect")
    assert (len(KEYS), len(modes_of(KEYS))) == (19, 21)


@pytest.fixture(scope="module")
def plain_folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, torch.Tensor]:
    """What is learned of class folders without any option."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("plain"))
        run("run", in_folders())
        weights: dict[str, torch.Tensor] = read_checkpoint(f"run/ckpt/iteration_{UPDATES}.pth.tar")["model"]
        return weights


@pytest.mark.parametrize(("name", "mode"), modes_of(KEYS))
def test_a_key(
    resumes: bool,
    plain: dict[str, torch.Tensor],
    plain_folders: dict[str, torch.Tensor],
    name: str,
    mode: int,
) -> None:
    changes = KEYS[name][mode]()
    is_synthetic = changes.get("policy.collect.synthetic", True)
    done = trains(changes, resumes=resumes)
    has_effect = differs(done, plain if is_synthetic else plain_folders)
    assert has_effect == (name not in (*NOT_LEARNED, "synthetic", "synthetic_eval_samples"))
    assert Path("whole", "total_config.py").is_file()
