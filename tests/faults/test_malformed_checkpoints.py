"""Checkpoints that are whole and hold the wrong things: each reader refuses them in one line, or is not
concerned."""

import copy
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from ding_cls import load
from ding_cls.checkpoint import read_checkpoint
from ding_cls.errors import DingError
from ding_cls.metrics import ImageClassificationMetric
from ding_cls.pipeline.checks.labels import Labels
from ding_cls.pipeline.evaluation.inputs import eval_policy, read_inputs
from ding_cls.pipeline.resume import named_checkpoint
from ding_cls.policy import ImageClassificationPolicy
from ding_cls.worker import MetricSerialEvaluator
from ding_cls.worker.learner import create_learner
from tests.harness import run_tiny, tiny_parts

FILE = Path("run/ckpt/iteration_10.pth.tar")
PARTS = tiny_parts("LinearClsHead", in_channels=8, num_classes=4)
SETTINGS = (
    PARTS,
    "policy.learn.learner.dataloader.num_workers=0",
    "policy.learn.optimizer.type=AdamW",
    "policy.learn.lr_schedule={'type': 'ReduceLROnPlateau', 'patience': 0}",
    "policy.learn.ema={'decay': 0.5}",
    "policy.learn.precision=fp16",
    "policy.eval.evaluator.early_stop_patience=9",
)
WRONG: dict[str, Callable[[Any], Any]] = {
    "None": lambda value: None,
    "text": lambda value: "x",
    "negative": lambda value: -3,
    "huge": lambda value: 10**30,
    "float": lambda value: 0.5,
    "nan": lambda value: float("nan"),
    "bool": lambda value: True,
    "list": lambda value: [1, "a"],
    "dict": lambda value: {"a": {}},
    "numbers for keys": lambda value: {1: 2},
    "tensor": lambda value: torch.zeros(2, 3),
    "sparse": lambda value: torch.eye(3).to_sparse(),
    "meta": lambda value: torch.zeros(_shape(value), device="meta"),
    "complex": lambda value: torch.zeros(_shape(value), dtype=torch.complex64),
    "whole numbers": lambda value: torch.zeros(_shape(value), dtype=torch.int64),
    "view": lambda value: torch.zeros(1).expand(10**6, 10**6),
}
CONFIG = ("run", "config")


def _shape(value: Any) -> tuple[int, ...]:
    return tuple(value.shape) if isinstance(value, torch.Tensor) else ()


def entries(tree: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of every entry; of a list its first two."""
    if isinstance(tree, Mapping):
        for name in tree:
            yield (*path, name)
            yield from entries(tree[name], (*path, name))
    elif isinstance(tree, list | tuple):
        for number in range(min(len(tree), 2)):
            yield (*path, number)
            yield from entries(tree[number], (*path, number))


def changed(tree: Any, path: tuple[Any, ...], change: Callable[[Any], Any]) -> Any:
    """Return a tree with one entry changed."""
    if not path:
        return change(tree)
    new = list(tree) if isinstance(tree, list | tuple) else dict(tree)
    new[path[0]] = changed(tree[path[0]], path[1:], change)
    return new


def resume(file: Path) -> None:
    """Do what ``--resume`` does with the file, and an update."""
    state = named_checkpoint(file)
    cfg = {
        "cuda": False,
        "model": copy.deepcopy(_described()),
        "learn": {
            "optimizer": {"type": "AdamW"},
            "lr_schedule": {"type": "ReduceLROnPlateau", "patience": 0},
            "ema": {"decay": 0.5},
            "precision": "fp16",
        },
    }
    policy = ImageClassificationPolicy(cfg)
    policy.learn_mode.set_attribute("updates_per_epoch", 5)
    engine = create_learner({}, exp_name="resumed", policy=policy.learn_mode)
    loader = [(torch.zeros(2, 3, 8, 8), torch.tensor([0, 1]))]
    evaluator = MetricSerialEvaluator(
        {"early_stop_patience": 9}, [loader, ImageClassificationMetric()], policy.eval_mode, exp_name=None
    )
    facts = {"class_names": ["ash", "birch", "cedar", "fir"], "seed": 5}
    engine.describe_run(facts)
    engine.load_checkpoint(state)
    engine.register_state("evaluator", evaluator)
    engine.train([torch.randn(4, 3, 8, 8), torch.tensor([0, 1, 2, 3])])
    engine.history.reopen(engine.train_iter)
    engine.close()


def judge(file: Path) -> None:
    """Do what ``eval`` does with the file, but for reading the images."""
    inputs = read_inputs(file, config=None, metric=None, overrides=(), has_model=False, allow_code=False)
    assert inputs.class_names is not None
    policy = eval_policy(inputs, inputs.class_names, None, Labels("one"))
    policy.eval_mode.forward([torch.zeros(1, 3, 8, 8), torch.tensor([0])])


def predict(file: Path) -> None:
    """Do what ``predict`` does with the file and an image."""
    load(file, device="cpu")(Image.fromarray(np.zeros((9, 9, 3), np.uint8)))


READERS = {"resume": resume, "eval": judge, "predict": predict}


def _described() -> dict[str, Any]:
    model: dict[str, Any] = eval(PARTS.partition("=")[2])
    return model


@pytest.fixture
def state(picture_folder: Path, workdir: Path) -> dict[str, Any]:
    """A real checkpoint with all that has something to keep."""
    run_tiny(picture_folder, "run", *SETTINGS)
    for reader in READERS.values():
        reader(FILE)
    return read_checkpoint(FILE)


def tried(state: Any, path: tuple[Any, ...], kind: str) -> Counter[str]:
    """Change one entry, let every reader read the file, and count how that ended."""
    file = Path("odd.pth.tar")
    torch.save(changed(state, path, WRONG[kind]), file)
    found: Counter[str] = Counter()
    for name, reader in READERS.items():
        began = time.perf_counter()
        try:
            reader(file)
        except DingError as error:
            found[f"{name} refused"] += 1
            lines = str(error).splitlines()
        except Exception as error:
            raise AssertionError(f"{name} of {path} as {kind}: {type(error).__name__}: {error}") from error
        else:
            found[f"{name} read"] += 1
            lines = [""]
        assert len(lines) == 1, (path, kind, name, lines)
        assert time.perf_counter() - began < 5
    return found


def test_some_wrong_entries_are_one_line(state: dict[str, Any]) -> None:
    paths = [each for each in entries(state) if each[:2] != CONFIG or len(each) < 4]
    cases = random.Random(3).sample([(path, kind) for path in paths for kind in WRONG], 25)
    found: Counter[str] = Counter()
    for path, kind in cases:
        found += tried(state, path, kind)
    assert found.total() == 75
    assert found["resume refused"] > 10
    assert found["predict read"] > 5


@pytest.mark.slow
def test_any_wrong_entry_is_one_line(state: dict[str, Any]) -> None:
    found: Counter[str] = Counter()
    every = [(path, kind) for path in entries(state) for kind in WRONG]
    cases = random.Random(7).sample(every, 1500)
    failed = []
    for path, kind in cases:
        try:
            found += tried(state, path, kind)
        except AssertionError as error:
            failed.append(str(error))
    assert not failed, "\n".join(failed)
    assert found.total() == 3 * len(cases)
    assert min(found.values()) > 100


NAMED = {
    "a gigapixel": (("run", "preprocessing", "resize_size"), 10**9, "not a size from 1 to 16384"),
    "two means": (("run", "preprocessing", "mean"), [0.5, 0.5], "not a list of three finite numbers"),
    "a text for a size": (("run", "preprocessing", "image_size"), "8", "image_size is '8', not a size"),
    "twice the same class": (("run", "class_names"), ["a", "a", "b", "c"], "has 1 of its names twice"),
    "a number for a class": (("run", "class_names", 1), 7, r"class_names\[1\] is 7, not a string"),
    "no updates": (("last_iter",), "x", "last_iter is 'x', not a whole number from 0 on"),
    "a later format": (("format",), 2, "has format 2; this version reads up to 1"),
}


def test_the_line_names_file_and_entry(state: dict[str, Any]) -> None:
    for path, value, expected in NAMED.values():
        torch.save(changed(state, path, lambda _, new=value: new), "odd.pth.tar")
        for reader in READERS.values():
            with pytest.raises(DingError, match=rf"'odd\.pth\.tar' .*{expected}"):
                reader(Path("odd.pth.tar"))


def test_a_pipeline_of_a_gigapixel_is_refused(state: dict[str, Any]) -> None:
    steps = [{"type": "Compose", "transforms": [{"type": "Resize", "size": [10**9, -1]}]}]
    record = {"pipeline": steps, "mean": [0.5] * 3, "std": [0.5] * 3}
    torch.save(changed(state, ("run", "preprocessing"), lambda _: record), "odd.pth.tar")
    with pytest.raises(DingError, match=r"size\[0\] is 1000000000, more than 16384 pixels"):
        predict(Path("odd.pth.tar"))
