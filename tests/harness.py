"""The resume harness: a run that is stopped anywhere and resumed equals one that was not, to the last bit.

Every option of training goes through ``assert_resumes_exactly``.
"""

import contextlib
import json
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional

from ding_cls.checkpoint import read_checkpoint
from ding_cls.errors import RunStopped
from ding_cls.models import BACKBONES, HEADS
from ding_cls.pipeline import TrainResult, train
from ding_cls.worker import BaseLearner, LearnerHook
from ding_cls.worker.learner import register_learner_hook
from tests.conftest import TinyNet, write_splits

# 40 pictures in batches of 8: five updates an epoch, ten in all.
UPDATES = 10
SETTINGS = (
    "policy.collect.image_size=8",
    "policy.collect.resize_size=8",
    "policy.learn.batch_size=8",
    "policy.eval.batch_size=7",
    "policy.learn.learning_rate=0.1",
    "policy.learn.learner.log_show_freq=1",
    "policy.learn.learner.keep_checkpoints=0",
)
# What a clock says cannot repeat; what names the run or the machine need not.
_CLOCKS = {
    "seconds",
    "forward_time",
    "backward_time",
    "forward_time_avg",
    "backward_time_avg",
    "data_time_val",
}
_NAMES = {"images_per_s", "environment", "config", "config_origins"}


class StopAt(LearnerHook):
    """Asks for a stop after one update, as a signal that came during it would."""

    def __init__(self, name: str, priority: int, *, position: Any, ext_args: Mapping[str, Any]) -> None:
        super().__init__(name, priority, position=position)
        self._at = ext_args["at"]

    def __call__(self, engine: BaseLearner) -> None:
        if engine.train_iter == self._at:
            engine.request_stop("the harness")


register_learner_hook("stop_at", StopAt)


@BACKBONES.register_module()
class TinyBackbone(nn.Module):
    """``TinyNet`` without its last layer: convolution, BatchNorm, dropout."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.norm = nn.BatchNorm2d(8)
        self.drop = nn.Dropout(0.25)

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return (self.drop(torch.relu(self.norm(self.stem(images)))),)


@BACKBONES.register_module()
class TinyLayers(nn.Module):
    """Two layers in a list called ``layers``."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 3, padding=1)
        self.layers = nn.ModuleList(nn.Conv2d(4, 4, 1) for _ in range(2))

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, ...]:
        maps = self.stem(images)
        for layer in self.layers:
            maps = layer(torch.relu(maps))
        return (maps,)


@HEADS.register_module()
class TinyHead(nn.Module):
    """A head with two losses."""

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.fc = nn.Linear(8, num_classes)

    def forward(self, vectors: tuple[torch.Tensor, ...]) -> torch.Tensor:
        return self.fc(vectors[-1])

    def loss(self, logits: torch.Tensor, targets: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"loss": functional.cross_entropy(logits, targets), "size": 0.01 * logits.square().mean()}


@HEADS.register_module()
class OneCallTinyHead(TinyHead):
    """The form that gives losses alone."""

    def forward_train(self, x: Any, gt_label: torch.Tensor) -> dict[str, torch.Tensor]:
        return self.loss(self(x), gt_label)


def tiny_parts(head: str, **arguments: Any) -> str:
    """Return the setting of a tiny network of parts that the config builds."""
    parts = {
        "type": "ImageClassifier",
        "backbone": {"type": "TinyBackbone"},
        "neck": {"type": "GlobalAveragePooling"},
        "head": {"type": head, **arguments},
    }
    return f"policy.model={parts}"


def run_tiny(
    data: Path, exp_name: str, *settings: str, stop_at: int = 0, resume: bool = False
) -> TrainResult:
    """Train the tiny network for two epochs; with ``stop_at`` end after that update as SIGTERM would.

    Settings of ``policy.model`` have the config build the network instead.
    """
    torch.manual_seed(0)
    hook = {"type": "stop_at", "position": "after_iter", "priority": 99, "ext_args": {"at": stop_at}}
    # A resumed run begins with the config it was started with, this hook included.
    hooks = {"stop_here": hook if stop_at else False, **({"act": False} if resume else {})}
    stop = [f"policy.learn.learner.hook.{name}={value}" for name, value in hooks.items()]
    # On a CPU fp16 is slow, and is done where it is asked for so.
    stop += ["policy.cuda=False"] if any("fp16" in each for each in settings) else []
    # Whatever a session drew before must not matter.
    is_described = any(each.startswith("policy.model") for each in settings)
    network = None if is_described else TinyNet()
    torch.manual_seed(stop_at + 17 * resume)
    return train(
        data=data,
        model=network,
        epochs=2,
        seed=5,
        exp_name=exp_name,
        resume=resume,
        overrides=[*SETTINGS, *stop, *settings],
    )


class Finished:
    """A run that is trained once and laid out anew for each test, in one place: it knows its data's path."""

    def __init__(self, root: Path, *settings: str) -> None:
        self._root, work = root, root / "laid" / "work"
        work.mkdir(parents=True)
        with contextlib.chdir(work):
            run_tiny(write_splits(work.parent / "pictures"), "run", *settings)
        shutil.copytree(work.parent, root / "kept")

    def lay_out(self) -> Path:
        """Return the folder that holds ``pictures``, and ``work`` with the run ``run`` in it."""
        folder = self._root / "laid"
        shutil.rmtree(folder)
        shutil.copytree(self._root / "kept", folder)
        return folder


def outcome(exp_name: str, *, last: int = UPDATES) -> dict[str, Any]:
    """Return everything a finished run left behind, less clocks: its last checkpoint and all its numbers."""
    rows = [json.loads(line) for line in Path(exp_name, "log", "metrics.jsonl").read_text().splitlines()]
    return {
        "checkpoint": _without_clocks(read_checkpoint(Path(exp_name, "ckpt", f"iteration_{last}.pth.tar"))),
        "best": _without_clocks(read_checkpoint(Path(exp_name, "ckpt", "ckpt_best.pth.tar"))),
        "rows": _without_clocks(rows),
    }


def assert_resumes_exactly(data: Path, *settings: str, stops: Iterable[int] = range(1, UPDATES + 1)) -> int:
    """Stop at each of ``stops``, resume, compare every bit with an uninterrupted run; return the count."""
    run_tiny(data, "whole", *settings)
    expected = outcome("whole")
    assert sum(row["kind"] == "train" for row in expected["rows"]) in (UPDATES, UPDATES // 3)
    count = 0
    for stop_at in stops:
        name = f"stopped_{stop_at}"
        with pytest.raises(RunStopped) as stopped:
            run_tiny(data, name, *settings, stop_at=stop_at)
        assert stopped.value.code == 75
        assert read_checkpoint(Path(name, "ckpt", f"iteration_{stop_at}.pth.tar"))["last_iter"] == stop_at
        run_tiny(data, name, *settings, resume=True)
        assert_same(outcome(name), expected, where=f"stopped after update {stop_at}")
        count += 1
    return count


def in_older_layout(state: Mapping[str, Any]) -> dict[str, Any]:
    """Return a checkpoint as it was written before: weights in training under 'model', those of an average
    under 'averaged'."""
    older = {name: value for name, value in state.items() if name != "training_model"}
    if "training_model" in state:
        older["model"] = state["training_model"]
        older["averaged"] = {"model": state["model"], **state["averaged"]}
    return older


def assert_same(found: Any, expected: Any, *, where: str) -> None:
    """Compare two trees of plain values and tensors, bit by bit."""
    assert type(found) is type(expected), f"{where}: {type(found)} for {type(expected)}"
    if isinstance(expected, Mapping):
        assert list(found) == list(expected), f"{where}: keys differ"
        for name in expected:
            assert_same(found[name], expected[name], where=f"{where}.{name}")
    elif isinstance(expected, list | tuple):
        assert len(found) == len(expected), f"{where}: {len(found)} for {len(expected)}"
        for number, pair in enumerate(zip(found, expected, strict=True)):
            assert_same(*pair, where=f"{where}[{number}]")
    elif isinstance(expected, torch.Tensor):
        assert found.dtype == expected.dtype, where
        assert torch.equal(found, expected), f"{where}: tensors differ"
    else:
        is_same = found == expected or (found != found and expected != expected)  # the same NaN
        assert is_same, f"{where}: {found!r} for {expected!r}"


def _without_clocks(tree: Any) -> Any:
    if isinstance(tree, Mapping):
        return {k: _without_clocks(v) for k, v in tree.items() if k not in _CLOCKS | _NAMES}
    if isinstance(tree, list | tuple):
        return [_without_clocks(each) for each in tree]
    return tree
