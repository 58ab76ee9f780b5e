"""The trial of an option: a tiny run trains; in the slow tier one that dies also resumes to its bits.

``tests/faults/test_resume.py`` stops at every update. Here options are many, and runs short.
"""

import copy
import random
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ding_cls.checkpoint import read_checkpoint
from ding_cls.config.defaults import Either, Free, Key, Tree
from ding_cls.pipeline import TrainResult, train
from ding_cls.registry import Registry
from tests.harness import assert_same, outcome

NAMES = ("ash", "birch", "cedar", "fir")
CLASSES = len(NAMES)
SIZE_PX = 8
UPDATES = 3
KILLED_AFTER = 2
# Two updates an epoch: the third is in the second epoch.
CONFIG: dict[str, Any] = {
    "seed": 5,
    "policy.cuda": False,
    "policy.model": {
        "type": "ImageClassifier",
        "backbone": {"type": "TinyBackbone"},
        "neck": {"type": "GlobalAveragePooling"},
        "head": {"type": "LinearClsHead", "in_channels": 8, "num_classes": CLASSES},
    },
    "policy.learn.train_epoch": 2,
    "policy.learn.max_iters": UPDATES,
    "policy.learn.batch_size": 4,
    "policy.learn.learning_rate": 0.1,
    "policy.learn.warmup_epoch": 0,
    "policy.learn.lr_schedule": "constant",
    "policy.learn.learner.dataloader.num_workers": 0,
    "policy.learn.learner.log_show_freq": 1,
    "policy.learn.learner.keep_checkpoints": 0,
    "policy.learn.learner.hook": {"save_ckpt_after_iter": KILLED_AFTER, "save_ckpt_before_run": True},
    "policy.collect.image_size": SIZE_PX,
    "policy.collect.resize_size": SIZE_PX,
    "policy.collect.synthetic": True,
    "policy.collect.synthetic_samples": 8,
    "policy.collect.synthetic_eval_samples": 5,
    "policy.eval.batch_size": 3,
    "policy.eval.evaluator.eval_interval": 1,
}


def trains(changes: Mapping[str, Any] | None = None, *, resumes: bool) -> dict[str, Any]:
    """Run three updates; find that weights changed, and that the run resumes to the last bit.

    Args:
        changes: values by dotted key, on top of ``CONFIG``; a value replaces what stands there, whole.
        resumes: whether a copy of the run is killed after the second update, resumed and compared.

    Returns:
        what the uninterrupted run left: ``result``, ``before`` and ``after`` (the network's state dicts), and
        the parts of ``tests.harness.outcome``.

    Raises:
        AssertionError: no weight changed, or the resumed run differs.
    """
    result = run("whole", changes)
    expected = outcome("whole", last=UPDATES)
    before = read_checkpoint("whole/ckpt/iteration_0.pth.tar")["model"]
    after = expected["checkpoint"]["model"]
    assert any(not torch.equal(value, before[name]) for name, value in after.items()), "nothing was trained"
    assert all(value.isfinite().all() for value in after.values()), "weights are not finite"
    if resumes:
        resumes_to_the_bit(changes, expected)
    return {"result": result, "before": before, "after": after, **expected}


def resumes_to_the_bit(changes: Mapping[str, Any] | None, expected: dict[str, Any]) -> None:
    """Kill a copy of the run ``whole`` after its second update, resume it, compare every bit."""
    shutil.copytree("whole", "killed")
    Path("killed", "ckpt", f"iteration_{UPDATES}.pth.tar").unlink()
    resumed = run("killed", changes, resume=True)
    assert not resumed.was_complete
    assert_same(outcome("killed", last=UPDATES), expected, where="resumed")


def run(exp_name: str, changes: Mapping[str, Any] | None = None, *, resume: bool = False) -> TrainResult:
    """Train once with ``CONFIG`` and ``changes``, in whatever state earlier draws left the generators."""
    for seed in (torch.manual_seed, np.random.seed, random.seed):
        seed(1 + resume)
    return train(config(changes), exp_name=exp_name, resume=resume)


def config(changes: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return ``CONFIG`` with ``changes`` as a tree."""
    tree: dict[str, Any] = {}
    for key, value in {**CONFIG, **(changes or {})}.items():
        *path, last = key.split(".")
        branch = tree
        for name in path:
            branch = branch.setdefault(name, {})
        branch[last] = copy.deepcopy(value)
    return tree


def ours(registry: Registry[Callable[..., Any]]) -> set[str]:
    """Return the names that the library itself registers; other tests register parts of their own."""
    return {name for name in registry if registry.get(name).__module__.startswith("ding_cls.")}


def keys_below(tree: Tree, prefix: str) -> set[str]:
    """Return the dotted keys of a schema tree."""
    found: set[str] = set()
    for name, entry in tree.items():
        key = f"{prefix}.{name}"
        found |= {key} if isinstance(entry, Key | Free | Either) else keys_below(entry, key)
    return found


def arrays(labels: Any = None, *, size_px: int = SIZE_PX, pipeline: Any = ()) -> dict[str, Any]:
    """Return the changes that train and judge on eight pictures of a file written here, by these labels."""
    numbers = np.arange(8) % CLASSES if labels is None else np.asarray(labels)
    pixels = np.random.default_rng(0).integers(0, 256, (8, size_px, size_px, 3), dtype=np.uint8)
    np.savez("pictures.npz", images=pixels, labels=numbers, classes=np.array(NAMES))
    section = {"type": "NpzDataset", "data_prefix": str(Path("pictures.npz").resolve())}
    return {
        "policy.collect.synthetic": False,
        "policy.collect.train": {**section, "pipeline": list(pipeline)},
        "policy.collect.val": {**section, "pipeline": []},
    }
