"""Three mixtures of options, each in a run of seconds, and the images that they train on."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

CLASSES = {"ash": 12, "birch": 12, "cedar": 12, "fir": 6}
PER_CLASS_VAL = 5
# A network with everything that has state or chance, and a hook that changes weights by what it remembers.
PARTS = """\
import torch
from torch import nn

from ding_cls.models import BACKBONES
from ding_cls.worker import HOOKS, Hook


@BACKBONES.register_module()
class KillBackbone(nn.Module):
    def __init__(self, width=8):
        super().__init__()
        self.stem = nn.Conv2d(3, width, 3, padding=1)
        layer = lambda: nn.Sequential(nn.Conv2d(width, width, 3, padding=1), nn.BatchNorm2d(width))
        self.layers = nn.ModuleList(layer() for _ in range(2))
        self.drop = nn.Dropout(0.25)

    def forward(self, images):
        maps = self.stem(images)
        for layer in self.layers:
            maps = maps + torch.relu(layer(maps))
        return (self.drop(maps),)


@HOOKS.register_module()
class KillHook(Hook):
    def __init__(self):
        self.total, self.kept = 0.0, torch.zeros(3)

    @torch.no_grad()
    def after_train_iter(self, engine):
        self.total += float(engine.outputs["total_loss"])
        self.kept = self.kept + self.total
        next(engine.policy.get_attribute("model").parameters()).add_(1e-4 * self.total)

    def state_dict(self):
        return {"total": self.total, "kept": self.kept}

    def load_state_dict(self, state):
        self.total, self.kept = state["total"], state["kept"]
"""
NORMALIZE = {"type": "Normalize", "mean": [123.675, 116.28, 103.53], "std": [58.395, 57.12, 57.375]}
RANDOM_IMAGES = {
    "type": "CustomDataset",
    "pipeline": [
        {"type": "LoadImageFromFile"},
        {"type": "RandomResizedCrop", "size": 8},
        {"type": "RandAugment", "magnitude_std": 0.5},
        NORMALIZE,
    ],
}
BY_LAYER = {
    "type": "AdamW",
    "constructor": "LearningRateDecayOptimizerConstructor",
    "paramwise_cfg": {"layer_decay_rate": 0.7},
}


def _config(
    *,
    learn: Mapping[str, Any],
    learner: Mapping[str, Any],
    evaluator: Mapping[str, Any],
    collect: Mapping[str, Any],
    head: Mapping[str, Any],
) -> dict[str, Any]:
    model = {
        "type": "ImageClassifier",
        "backbone": {"type": "KillBackbone"},
        "neck": {"type": "GlobalAveragePooling"},
        "head": {"type": "LinearClsHead", "in_channels": 8, "num_classes": len(CLASSES), **head},
    }
    common = {"batch_size": 6, "warmup_epoch": 0, "learning_rate": 0.05}
    sizes = {"image_size": 8, "resize_size": 8}
    paths = {f"{name}_data_path": f"data/{split}" for name, split in (("learn", "train"), ("eval", "val"))}
    return {
        "seed": 7,
        "custom_imports": {"imports": ["kill_parts"]},
        "policy": {
            "cuda": False,
            "model": model,
            "learn": {**common, **learn, "learner": {"log_show_freq": 1, **learner}},
            "eval": {"batch_size": 7, "evaluator": dict(evaluator)},
            "collect": {**paths, **sizes, **collect},
        },
    }


@dataclass(frozen=True)
class Mixture:
    """A run's options.

    Attributes:
        key: a letter, for file names.
        what: the options in words.
        save_every: updates between two saves.
        config: all of them.
    """

    key: str
    what: str
    save_every: int
    config: Mapping[str, Any]


# 42 images in batches of 6: seven updates an epoch.
MIXTURES = (
    Mixture(
        "a",
        "SGD, EMA, RandAugment, CutMix, cosine; 2 workers; saved every 3 updates; evaluated inside epochs",
        3,
        _config(
            learn={
                "train_epoch": 6,
                "nesterov": True,
                "lr_schedule": "cosine",
                "ema": {"decay": 0.9, "warm_up": 5},
                "batch_augments": [{"type": "CutMix", "alpha": 1.0, "prob": 0.7}],
            },
            learner={"dataloader": {"num_workers": 2}, "hook": {"save_ckpt_after_iter": 3}},
            evaluator={"eval_interval": 5, "by_epoch": False},
            collect={"train": RANDOM_IMAGES},
            head={},
        ),
    ),
    Mixture(
        "b",
        "AdamW, layer decay, 3 pieces a batch, SWA, bf16; no workers; saved after each epoch, 1 file kept",
        7,
        _config(
            learn={
                "train_epoch": 8,
                "learning_rate": 0.01,
                "weight_decay": 0.05,
                "accumulation_steps": 3,
                "precision": "bf16",
                "optimizer": BY_LAYER,
                "swa": {"start_epoch": 3, "lr": 0.005, "anneal_epochs": 2},
            },
            learner={
                "dataloader": {"num_workers": 0},
                "keep_checkpoints": 1,
                "hook": {
                    "save_ckpt_before_run": True,
                    "save_ckpt_after_iter": False,
                    "save_ckpt_after_epoch": 1,
                },
            },
            evaluator={"eval_interval": 1},
            collect={},
            head={},
        ),
    ),
    Mixture(
        "c",
        "SAM, momentum schedule, Seesaw loss, balanced classes, a hook with a state, early stopping; "
        "saved every 4 updates",
        4,
        _config(
            learn={
                "train_epoch": 40,
                "sam": {"rho": 0.1},
                "momentum_schedule": {"type": "LinearAnnealing", "min_momentum": 0.5, "by_epoch": False},
            },
            learner={
                "dataloader": {"num_workers": 0},
                "custom_hooks": [{"type": "KillHook", "priority": "VERY_HIGH"}],
                "hook": {"save_ckpt_after_iter": 4},
            },
            evaluator={"eval_interval": 3, "by_epoch": False, "early_stop_patience": 6},
            collect={"sampler": {"type": "ClassBalanced", "power": 0.5}},
            head={"loss": {"type": "SeesawLoss", "num_classes": len(CLASSES)}},
        ),
    ),
)


def prepare(folder: Path) -> None:
    """Write the images, the parts and the mixtures' configs."""
    draws = np.random.default_rng(0)
    for number, (name, count) in enumerate(CLASSES.items()):
        for split, images in (("train", count), ("val", PER_CLASS_VAL)):
            place = folder / "data" / split / name
            place.mkdir(parents=True)
            for index in range(images):
                pixels = draws.integers(0, 160, (10, 10, 3)) + 25 * number
                Image.fromarray(pixels.astype(np.uint8)).save(place / f"{index:03d}.png")
    (folder / "kill_parts.py").write_text(PARTS)
    for mixture in MIXTURES:
        (folder / f"{mixture.key}.json").write_text(json.dumps(mixture.config, indent=1))


def words(mixture: Mixture, name: str, *, resume: bool) -> list[str]:
    """Return the arguments of ``ding-cls`` that train a run of this name, or go on with it."""
    start = ["train", f"{mixture.key}.json", f"exp_name={name}", "--allow-code"]
    return [*start, "--resume"] if resume else start
