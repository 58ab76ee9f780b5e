"""From where a run begins to the optimizer's step there are five frames, and no wrapper between them."""

import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
import torch
from torch.optim import sgd

from ding_cls.pipeline import train
from dizoo.image_classification.entry.imagenet_res18_main import main

TORCH = Path(torch.__file__).parent

TINY = {
    "exp_name": "hops",
    "policy": {
        "cuda": False,
        "model": {"name": "squeezenet1_1", "num_classes": 3},
        "learn": {
            "train_epoch": 1,
            "batch_size": 2,
            "learner": {"dataloader": {"num_workers": 0}, "hook": {"save_ckpt_after_run": False}},
        },
        "collect": {
            "synthetic": True,
            "synthetic_samples": 4,
            "synthetic_eval_samples": 2,
            "image_size": 32,
            "resize_size": 32,
        },
    },
}


def hops(frame: FrameType | None, start: Callable[..., Any]) -> list[str]:
    """Return the calls from ``start`` down to the frame, torch's own around the step left out."""
    names: list[str] = []
    while frame is not None:
        is_torchs = Path(frame.f_code.co_filename).is_relative_to(TORCH)
        if not is_torchs or frame.f_code.co_qualname == "SGD.step":
            names.insert(0, frame.f_code.co_qualname)
        if frame.f_code is start.__code__:  # type: ignore[attr-defined]
            return names
        frame = frame.f_back
    raise AssertionError(f"{start} is not among the frames: {names}")


@pytest.mark.parametrize("start", [train, main])
def test_a_step_is_five_hops_deep(
    start: Callable[..., Any], workdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[list[str]] = []
    update = sgd.sgd

    def watched(*args: Any, **kwargs: Any) -> None:
        seen.append(hops(sys._getframe(1), start))
        update(*args, **kwargs)

    monkeypatch.setattr(sgd, "sgd", watched)
    start(TINY, seed=0)
    assert seen == 2 * [
        [
            start.__qualname__,
            "BaseLearner.start",
            "BaseLearner.train",
            "ImageClassificationPolicy._forward_learn",
            "SGD.step",
        ]
    ]
