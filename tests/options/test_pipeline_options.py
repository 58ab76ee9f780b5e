"""Every step of a pipeline, ours and torchvision's, in every mode; each has its effect, or has none."""

from pathlib import Path
from typing import Any

import pytest
import torch

from ding_cls.checkpoint import read_checkpoint
from ding_cls.data import PIPELINES
from ding_cls.data.transforms.torchvision import REFUSED
from ding_cls.errors import ConfigError
from tests.conftest import write_pictures
from tests.options.cases.pipeline_table import (
    CONTAINERS,
    FLOAT,
    HIDDEN_STEPS,
    LOAD,
    NEUTRAL,
    OWN_STEPS,
    SMALL,
    THEIR_STEPS,
    Step,
)
from tests.options.trials import NAMES, UPDATES, arrays, ours, run, trains

Changes = dict[str, Any]
Weights = dict[str, torch.Tensor]
PREFIX = "torchvision/"
# Judged by the same pipeline: their numbers are those that the network is to see.
IN_EVALUATION = (
    "Normalize",
    "ToNumpy",
    "LoadImageFromFile",
    f"{PREFIX}Normalize",
    f"{PREFIX}ToTensor",
    "ToDtype",
    "ConvertImageDtype",
)
TABLE = {**OWN_STEPS, **THEIR_STEPS, **{PREFIX + name: modes for name, modes in HIDDEN_STEPS.items()}}


def marks_of(name: str, mode: int) -> Any:
    """torchvision's own are one adapter: in the slow tier, as are a step's further modes."""
    return () if name in OWN_STEPS and mode == 0 else pytest.mark.slow


MODES = [
    pytest.param(name, mode, id=f"{name}-{mode}", marks=marks_of(name, mode))
    for name, modes in TABLE.items()
    for mode in range(len(modes))
]


def test_every_step_has_its_trials() -> None:
    aliases = {PREFIX + name: name for name in CONTAINERS}
    assert {*OWN_STEPS, *aliases} == ours(PIPELINES)
    assert all(PIPELINES.get(name) is PIPELINES.get(of) for name, of in aliases.items())
    # A newer torchvision may have more.
    assert {*THEIR_STEPS, *(PREFIX + name for name in HIDDEN_STEPS)} <= {*PIPELINES.names()}
    assert (len(OWN_STEPS), len(THEIR_STEPS), len(HIDDEN_STEPS), len(MODES)) == (40, 33, 12, 137)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> dict[bool, Weights]:
    """What is learned without a step, of arrays and of files."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("plain"))
        return {is_file: learned_without(is_file) for is_file in (False, True)}


def learned_without(is_file: bool) -> Weights:
    run(f"run_{is_file}", from_files([LOAD, SMALL]) if is_file else from_arrays([SMALL]))
    weights: Weights = read_checkpoint(f"run_{is_file}/ckpt/iteration_{UPDATES}.pth.tar")["model"]
    return weights


@pytest.mark.filterwarnings("ignore:The transform `ToTensor:UserWarning")
@pytest.mark.parametrize(("name", "mode"), MODES)
def test_a_step(resumes: bool, plain: dict[bool, Weights], name: str, mode: int) -> None:
    if name == "Albu":
        pytest.importorskip("albumentations")
    steps, is_file = TABLE[name][mode], name == "LoadImageFromFile"
    floats = [FLOAT] if FLOAT in steps else []
    val = steps if name in IN_EVALUATION else [LOAD, SMALL] if is_file else [SMALL, *floats]
    after = trains((from_files if is_file else from_arrays)(steps, val), resumes=resumes)["after"]
    is_same = all(torch.equal(value, plain[is_file][key]) for key, value in after.items())
    assert is_same == ((name, mode) in NEUTRAL)


def from_arrays(pipeline: list[Step], val: list[Step] | None = None) -> Changes:
    """Return the changes that train on eight pictures of 12 px in memory."""
    changes = arrays(size_px=12, pipeline=pipeline)
    changes["policy.collect.val"]["pipeline"] = val or pipeline
    return changes


def from_files(pipeline: list[Step], val: list[Step] | None = None) -> Changes:
    """Return the changes that train on eight pictures of 12 px in folders."""
    write_pictures(Path("folder"), classes=NAMES, per_class=2)
    section = {"type": "CustomDataset", "data_prefix": str(Path("folder").resolve())}
    return {
        "policy.collect.synthetic": False,
        "policy.collect.train": {**section, "pipeline": pipeline},
        "policy.collect.val": {**section, "pipeline": val or pipeline},
    }


def test_what_torchvision_has_under_both_names_is_one() -> None:
    for name in THEIR_STEPS:
        assert PIPELINES.get(name).__wrapped__ is PIPELINES.get(PREFIX + name).__wrapped__


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_a_step_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match=f"torchvision's {name} cannot be a step") as refused:
        run("run", from_arrays([SMALL, {"type": name}]))
    assert "\n" not in str(refused.value)


def test_a_matrix_that_is_none_is_refused() -> None:
    step = {"type": "LinearTransformation", "transformation_matrix": [[1.0, 2.0]], "mean_vector": [0.0]}
    with pytest.raises(ConfigError, match="torchvision's LinearTransformation refuses"):
        run("run", from_arrays([SMALL, step]))


def test_everything_refused_is_counted() -> None:
    assert len(REFUSED) == 13
