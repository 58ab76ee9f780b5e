"""Every option of pictures trains: two updates of the tiny network, in the config's own words."""

import math
from pathlib import Path

import pytest

from ding_cls.data import BATCH_AUGMENTS, PIPELINES
from tests.data.pictures_options import MIXERS, STEPS, batch_augments, training_pipeline
from tests.harness import run_tiny, tiny_parts

pytestmark = pytest.mark.slow

TWO = "policy.learn.learner.train_iterations=2"
WITHOUT_WORKERS = "policy.learn.learner.dataloader.num_workers=0"


def test_the_sweep_holds_every_step_and_every_mixture_of_ours() -> None:
    named = {step["type"] for steps in STEPS.values() for step in steps}
    # What reads, formats or holds other steps is trained with in every other test.
    elsewhere = {"Collect", "Compose", "ImageToTensor", "LoadImageFromFile", "Normalize", "ToTensor", "Albu"}
    elsewhere |= {"RandomApply", "RandomChoice", "RandomOrder"}
    ours = {name for name in PIPELINES if "/" not in name and "ding_cls" in PIPELINES.get(name).__module__}
    assert ours - elsewhere <= named
    assert len(STEPS) == 34
    described = [each if isinstance(each, list) else [each] for each in MIXERS.values()]
    mixers = {BATCH_AUGMENTS.get(each["type"]) for augments in described for each in augments}
    assert mixers == {BATCH_AUGMENTS.get(name) for name in BATCH_AUGMENTS}
    assert len(MIXERS) == 6


@pytest.mark.slow
@pytest.mark.parametrize("name", STEPS)
def test_pictures_after_each_step_train(picture_folder: Path, workdir: Path, name: str) -> None:
    result = run_tiny(picture_folder, "run", TWO, WITHOUT_WORKERS, training_pipeline(name))
    assert result.history[-1]["train_iter"] == 2
    assert math.isfinite(result.history[-1]["train_loss"])


@pytest.mark.parametrize("name", MIXERS)
@pytest.mark.parametrize(
    "loss",
    [
        "policy.learn.loss=None",
        "policy.learn.label_smoothing=0.1",
        "policy.learn.loss={'type': 'LabelSmoothLoss', 'label_smooth_val': 0.1}",
        "policy.learn.loss={'type': 'CrossEntropyLoss', 'use_sigmoid': True}",
        tiny_parts("LinearClsHead", in_channels=8),
    ],
)
def test_mixed_batches_train_with_each_loss(
    picture_folder: Path, workdir: Path, name: str, loss: str
) -> None:
    result = run_tiny(picture_folder, "run", TWO, WITHOUT_WORKERS, loss, batch_augments(name))
    (row,) = result.history
    assert row["train_iter"] == 2
    assert math.isfinite(row["train_loss"])
    assert 0 <= row["train_acc1"] <= 100
