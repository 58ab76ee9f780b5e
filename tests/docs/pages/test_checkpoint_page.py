"""``docs/checkpoint.md`` names every key that a run writes, and no other; its program runs."""

import re
from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import torch

from ding_cls.checkpoint import read_checkpoint
from ding_cls.models import build_classifier
from ding_cls.pipeline import train
from tests.answers.test_calibration import FULL
from tests.conftest import write_pictures
from tests.docs.scripts import DOCS
from tests.harness import SETTINGS, run_tiny
from tests.options.cases.mixtures_table import SEESAW, TEACHER

PAGE = (DOCS / "checkpoint.md").read_text(encoding="utf-8")
CONTRACT = {"model", "optimizer", "last_iter", "last_step"}
# Whose keys are the library's own; those of the others are torch's, or follow the network.
OURS = ("averaged", "calibration", "distill", "environment", "parts", "parts.evaluator", "run")
# What is not a run's: `calibrate` adds it.
CALIBRATED = {"calibration": FULL.entry()}
# With all that has something to keep.
ALL = (
    "policy.learn.learner.dataloader.num_workers=0",
    "policy.learn.learner.dataloader.max_bad=1",
    "policy.learn.precision=fp16",
    f"policy.learn.loss={SEESAW!r}",
    "policy.learn.lr_schedule={'type': 'ReduceLROnPlateau', 'patience': 0}",
    f"policy.learn.distill={TEACHER!r}",
    "policy.learn.learner.custom_hooks=[{'type': 'NudgeWeights', 'step': 0.01}]",
    "policy.eval.evaluator.early_stop_patience=9",
)


def keys_of(state: Mapping[str, Any], prefix: str = "") -> set[str]:
    """Return the dotted keys of a checkpoint, as deep as the page goes."""
    found = set()
    for name, value in state.items():
        key = re.sub(r"^parts\.hook\..*", "parts.hook.NAME", f"{prefix}{name}")
        found |= {key} | (keys_of(value, f"{key}.") if key in OURS else set())
    return found


def table() -> dict[str, list[str]]:
    """Return the rows of the page's table of keys."""
    lines = PAGE[PAGE.index("| key | type") :].split("\n\n")[0].splitlines()[2:]
    rows = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]
    assert all(len(row) == 4 for row in rows)
    return {row[0].strip("`"): row[1:] for row in rows}


@pytest.fixture
def written(picture_folder: Path, workdir: Path) -> list[dict[str, Any]]:
    """The last files of a run with a judged average, and of one that keeps it, without the optimizer."""
    torch.manual_seed(3)
    torch.save(build_classifier(deepcopy(TEACHER["model"])).state_dict(), "teacher.pth")
    kept = ("policy.learn.ema={'evaluate': 'raw'}", "policy.learn.learner.checkpoint.save_optimizer=False")
    for name, settings in {"judged": ("policy.learn.ema={}",), "kept": kept}.items():
        run_tiny(picture_folder, name, *ALL, *settings)
    return [read_checkpoint(f"{name}/ckpt/iteration_10.pth.tar") for name in ("judged", "kept")]


def test_the_page_names_every_key_and_no_other(written: list[dict[str, Any]]) -> None:
    assert {key for state in (*written, CALIBRATED) for key in keys_of(state)} == set(table())
    assert {key for key, cells in table().items() if "**contract**" in cells[1]} == CONTRACT


def test_the_types_are_those_of_the_page(written: list[dict[str, Any]]) -> None:
    words = {"state dict": dict, "dict": dict, "int": int, "str": str, "list": list, "bool": bool}
    for key, (kind, *_) in table().items():
        first = re.match(r"state dict|\w+", kind)
        assert first is not None
        for state in (*written, CALIBRATED):
            value: Any = state
            for name in ["hook.NudgeWeights" if each == "hook" else each for each in key.split(".")]:
                if name != "NAME" and isinstance(value, Mapping):
                    value = value.get(name)
            assert value is None or isinstance(value, words[first[0]]), key


def test_an_average_and_the_weights_in_training_lie_where_the_page_says(
    written: list[dict[str, Any]],
) -> None:
    judged, kept = written
    names = {name: each.shape for name, each in judged["model"].items()}
    for weights in (judged["training_model"], kept["averaged"]["kept"]):
        assert {name: each.shape for name, each in weights.items()} == names
    assert set(judged["averaged"]) == {"num_averaged", "rule"}
    assert "training_model" not in kept
    # The same run: one judged its average, the other the weights in training.
    for name, value in judged["model"].items():
        assert torch.equal(value, kept["averaged"]["kept"][name])
        assert torch.equal(judged["training_model"][name], kept["model"][name])


def test_the_program_reads_the_weights_that_were_judged(workdir: Path) -> None:
    for split, count in (("train", 4), ("val", 2)):
        write_pictures(Path("pets", split), classes=("cat", "dog"), per_class=count)
    alone = "policy.learn.learner.dataloader.num_workers=0"
    average = "policy.learn.ema={}"
    result = train(
        data="pets",
        model="resnet18",
        epochs=1,
        exp_name="runs/pets",
        overrides=[*SETTINGS, alone, average],
    )
    (program,) = re.findall(r"^```python\n(.*?)^```", PAGE, re.S | re.M)
    assert len([line for line in program.splitlines() if line and not line.startswith("import")]) <= 5
    names: dict[str, Any] = {}
    exec(compile(program, "checkpoint.md", "exec"), names)
    images = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert torch.equal(names["network"](images), result.model.eval()(images))
    assert "training_model" in names["state"]
    assert names["state"]["run"]["class_names"] == ["cat", "dog"]
