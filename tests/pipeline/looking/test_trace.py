"""Who looks on sees each step, and changes nothing."""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from ding_cls.data import BaseDataset, Compose, ConcatDataset, CustomDataset, ImageNetDataset, SubsetDataset
from ding_cls.data.loader import load_sample
from ding_cls.data.transforms.compose import unwatched
from ding_cls.pipeline.looking.trace import described_step, later_stages, pipelines_of, traced_sample
from ding_cls.types import SampleKey

KEY = SampleKey(0, 3)
NORMALIZE = {"type": "Normalize", "mean": [10.0, 20.0, 30.0], "std": [50.0, 60.0, 70.0]}
CROP = {"type": "RandomResizedCrop", "size": 8}


def blackened(results: dict[str, Any]) -> dict[str, Any]:
    """A user's step that writes into what it is given."""
    results["img"][:] = 0
    return results


def odd(results: dict[str, Any]) -> dict[str, Any]:
    """A user's step that leaves no image for a while."""
    results["img"] = [results["img"]]
    return results


def even(results: dict[str, Any]) -> dict[str, Any]:
    results["img"] = results["img"][0]
    return results


class Grey(BaseDataset):
    is_in_memory = True

    def load_annotations(self) -> list[dict[str, Any]]:
        return [{"img": np.full((9, 9), number * 20, np.uint8), "gt_label": number} for number in range(4)]


def test_the_stages_lead_to_what_the_loader_yields(picture_folder: Path) -> None:
    dataset = SubsetDataset(ImageNetDataset(picture_folder / "train", True), 20)
    traced = traced_sample(dataset, KEY, seed=7)
    assert [each.name for each in traced.stages] == [
        "",
        "LoadImageFromFile",
        "RandomResizedCrop",
        "RandomFlip",
    ]
    pixels, target = load_sample(dataset, KEY, seed=7)
    assert torch.equal(traced.pixels, pixels)
    assert traced.target == target
    assert np.array_equal(traced.stages[-1].image, pixels.numpy())
    assert pipelines_of(dataset)[0].watch is unwatched


def test_a_step_that_writes_in_place_changes_no_stage_before_it() -> None:
    dataset = Grey("", [blackened])
    traced = traced_sample(dataset, KEY, seed=0)
    assert [int(each.image.max()) for each in traced.stages] == [60, 0]
    assert traced.stages[0].image.shape == (9, 9, 3)
    assert dataset.data_infos[3]["img"].max() == 60


def test_what_is_no_image_is_not_shown() -> None:
    traced = traced_sample(Grey("", [odd, even, {"type": "Resize", "size": 4}]), KEY, seed=0)
    assert [each.name for each in traced.stages] == ["", "even", "Resize"]


def test_the_numbers_of_floats_are_those_of_the_steps_so_far() -> None:
    steps = [{"type": "ToNumpy"}, {**NORMALIZE, "to_rgb": True}, {"type": "RandomFlip", "flip_prob": 1.0}]
    traced = traced_sample(Grey("", steps), KEY, seed=0)
    scales = [None if each.numbers is None else round(each.numbers.std[0], 4) for each in traced.stages]
    assert scales == [None, round(1 / 255, 4), round(50 / 255, 4), round(50 / 255, 4)]
    assert traced.numbers is not None
    assert traced.numbers.is_swapped


def test_joined_datasets_have_each_their_pipeline(picture_folder: Path) -> None:
    sets = [
        CustomDataset(picture_folder / "train", [{"type": "LoadImageFromFile"}, step])
        for step in (CROP, CROP)
    ]
    joined = ConcatDataset(sets)
    assert len(pipelines_of(joined)) == 2
    assert len(traced_sample(joined, SampleKey(0, 45), seed=0).stages) == 2


def test_steps_as_text() -> None:
    steps = [CROP, blackened, {"type": "Compose", "transforms": [NORMALIZE]}]
    pipeline = Compose(steps)
    assert list(map(described_step, pipeline.described)) == [
        "RandomResizedCrop(size=8)",
        "blackened()",
        "Normalize(mean=[10.0, 20.0, 30.0], std=[50.0, 60.0, 70.0])",
    ]
    assert len(pipeline.described) == len(pipeline.steps)
    assert len(described_step({"type": "Albu", "transforms": [{"type": "Blur"}] * 99})) == 300


def test_what_changes_on_the_way_is_told_with_its_begin() -> None:
    mixup = {"type": "Mixup", "alpha": 0.8}
    recipes = [
        {"action_epoch": 1, "loss": "Focalloss-2"},
        {"action_epoch": 30, "batch_augments": [], "loss": {"type": "CrossEntropyLoss"}},
    ]
    learn = {"batch_augments": mixup, "recipes": recipes, "max_iters": None, "train_epoch": 40}
    assert list(later_stages(learn)) == [
        "after 1 epoch: Mixup(alpha=0.8), loss Focalloss-2",
        "after 30 epochs: no batch augmentations, loss CrossEntropyLoss()",
    ]
    assert list(later_stages({**learn, "recipes": []})) == []
