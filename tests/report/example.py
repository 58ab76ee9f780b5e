"""Records of an evaluation that never was."""

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

from ding_cls.report import (
    ClassScores,
    ConfigLine,
    JudgedSamples,
    LabelIssue,
    Reliability,
    ReportRecord,
    worst_mistakes,
    worth_showing,
)

HOSTILE = (
    '</script><script>document.title="run"</script>',
    "<img src=x onerror=alert(1)>",
    "a & b, \"quoted\" 'twice'",
    "two\nlines\u2028three",
    "lost \udce9 byte",
    "שלום עולם",
    "\u202egnp.exe",
    "long" * 2_500,
)


def thumbnail(number: int, size_px: int = 96) -> bytes:
    """Return a small JPEG whose colours follow from a number."""
    ramp = np.linspace(0, 255, size_px, dtype=np.uint8)
    pixels = np.stack(
        [np.roll(np.tile(ramp, (size_px, 1)), 7 * number * each, each % 2) for each in (1, 2, 3)], -1
    )
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=60)
    return file.getvalue()


def example_record(
    num_classes: int,
    num_samples: int,
    *,
    class_names: Sequence[str] = (),
    num_thumbnails: int = 200,
    **changes: Any,
) -> ReportRecord:
    """Return a record of random answers, about 85 % right, with every part that a report may have."""
    names = [*class_names, *(f"class {number}" for number in range(len(class_names), num_classes))]
    random = np.random.default_rng(0)
    targets = np.arange(num_samples) % num_classes
    # A class is taken for one of its neighbours.
    missed = random.random(num_samples) < 0.15
    steps = random.geometric(0.5, num_samples)
    predicted = np.where(missed, (targets + steps) % num_classes, targets)
    scores = np.clip(random.normal(np.where(missed, 0.6, 0.85), 0.12), 1 / num_classes, 1)
    samples = JudgedSamples(
        names=[f"/data/flowers/val/{names[each][:80]}/image {n}.jpg" for n, each in enumerate(targets)],
        is_right=targets == predicted,
        scores=scores,
        targets=targets,
        predicted=predicted,
    )
    worst = worst_mistakes(samples)
    issues = [LabelIssue(each, int(targets[each]), int(predicted[each])) for each in worst[::4][:50]]
    images = {each: thumbnail(each % 50) for each in worth_showing(samples, issues, limit=num_thumbnails)}
    samples = JudgedSamples(
        **{name: getattr(samples, name) for name in ("names", "is_right", "scores", "targets", "predicted")},
        thumbnails=images,
        heat_maps={each: images[each] for each in worst[:12] if each in images},
    )
    hits, guesses, support = (
        np.bincount(each, minlength=num_classes).astype(float)
        for each in (targets[targets == predicted], predicted, targets)
    )
    with np.errstate(invalid="ignore"):
        precision, recall, f1 = 100 * hits / guesses, 100 * hits / support, 200 * hits / (guesses + support)
    accuracy = 100 * float(samples.is_right.mean())
    values: dict[str, Any] = {
        "title": "flowers",
        "run": "/home/anna/runs/flowers",
        "checkpoint": "/home/anna/runs/flowers/ckpt/ckpt_best.pth.tar",
        "split": "val",
        "created": "2026-11-28 16:00",
        "results": {"acc1": accuracy, "acc5": 99.1, "loss": 0.41234, "ece": 0.0312},
        "intervals": {"acc1": (accuracy - 1.5, accuracy + 1.3), "loss": (0.38, 0.45)},
        "rows": training_rows(),
        "class_names": names,
        "samples": samples,
        "label_issues": issues,
        "class_scores": ClassScores(precision=precision, recall=recall, f1=f1, support=support.astype(int)),
        "reliability": [
            reliability(samples, "as trained"),
            reliability(samples, "after temperature scaling"),
        ],
        "phases": [("data", 12.5), ("forward", 61.0), ("backward", 102.3), ("evaluation", 20.0)],
        "data": [("training images", "5,000"), ("folder", "/data/flowers")],
        "config": [
            ConfigLine(f"policy.learn.key_{each}", f"{each / 7}", "" if each % 3 else "flowers.py:7")
            for each in range(60)
        ],
        "environment": [("torch", "2.9.0"), ("device", "cpu")],
        "digests": [("checkpoint sha256", "0123456789abcdef" * 4)],
        "notes": ["Features were not kept."],
    }
    return ReportRecord(**{**values, **changes})


def reliability(samples: JudgedSamples, name: str, num_bins: int = 15) -> Reliability:
    """Return the bins of equal width of some answers."""
    bins = np.clip(np.ceil(samples.scores * num_bins).astype(int) - 1, 0, num_bins - 1)
    count = np.bincount(bins, minlength=num_bins)
    sums = [np.bincount(bins, each, minlength=num_bins) for each in (samples.scores, samples.is_right)]
    confidence, accuracy = (each / np.maximum(count, 1) for each in sums)
    return Reliability(
        edges=np.linspace(0, 1, num_bins + 1),
        confidence=confidence,
        accuracy=accuracy,
        count=count,
        ece=float(np.abs(sums[0] - sums[1]).sum() / len(samples)),
        name=name,
    )


def training_rows(num_epochs: int = 8) -> list[dict[str, Any]]:
    """Return rows as ``metrics.jsonl`` holds them."""
    rows: list[dict[str, Any]] = [{"kind": "eval", "train_iter": 0, "loss": 2.3, "acc1": 11.0}]
    for update in range(10, 10 + 40 * num_epochs, 10):
        done = update / (40 * num_epochs)
        train = {"total_loss_avg": None if update == 100 else 2.2 * 0.02**done, "acc1_avg": 15 + 80 * done}
        rows.append({"kind": "train", "train_iter": update, "cur_lr_avg": 0.1 * (1 - done), **train})
        if update % 40 == 0:
            rows.append(
                {"kind": "eval", "train_iter": update, "loss": 2.4 * 0.03**done, "acc1": 20 + 70 * done}
            )
            rows.append(
                {
                    "kind": "epoch",
                    "train_iter": update,
                    "train_loss": 2.2 * 0.02**done,
                    "train_acc1": 15 + 80 * done,
                }
            )
    return rows
