"""What a model card says of data, training, preprocessing and scores, as plain text, from a run's checkpoint.

No path of this machine is in it: data go by the last part of theirs. It must not know Markdown.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from ding_cls.answers.calibration import Calibration
from ding_cls.common.counting import counted
from ding_cls.data import PipelinePreprocessing, Preprocessing, innermost
from ding_cls.data.datasets.digest import SampleList
from ding_cls.images.split_words import split_of
from ding_cls.inference.predictor import Predictor
from ding_cls.pipeline.datasets.dataset_cfg import inner_of
from ding_cls.pipeline.evaluation.report import EvaluationReport
from ding_cls.pipeline.evaluation.sample_records import list_of
from ding_cls.pipeline.reporting.run_facts import class_counts, known_splits
from ding_cls.report.model_card import CardSplit
from ding_cls.report.records import Pairs

_COVERAGES = (100, 90, 80, 50)
_PATHS = {"train": "learn_data_path", "val": "eval_data_path"}
_PLACES = ("ann_file", "data_prefix", "root", "file")
GENERATED = "generated images"


def run_title(exp_name: str) -> str:
    """Return what a run is called: the last part of its folder, of a fold with that of the whole before."""
    path = Path(exp_name)
    is_fold = re.fullmatch(r"fold_\d+", path.name) is not None
    return f"{path.parent.name}_{path.name}" if is_fold and path.parent.name else path.name


def data_name(path: str | os.PathLike[str]) -> str:
    """Return what data at a path are called: its last part, or of a split's folder the part before."""
    parts = [each for each in Path(path).parts if each not in (os.sep, "..")]
    while len(parts) > 1 and split_of(parts[-1]) is not None:
        parts.pop()
    return parts[-1] if parts else str(path)


def split_data_name(collect: Mapping[str, Any], split: str) -> str:
    """Return what the data of a run's split are called, by its config."""
    if collect.get("synthetic"):
        return GENERATED
    inner = inner_of(collect.get(split) or {})
    given = (inner.get(name) for name in _PLACES)
    place = next((each for each in given if each and isinstance(each, str | os.PathLike)), None)
    place = place or collect.get(_PATHS.get(split, "eval_data_path"))
    return data_name(place) if place else str(inner.get("type", ""))


def evaluated_name(found: EvaluationReport) -> str:
    """Return what evaluated data are called."""
    if found.cfg.policy.collect.synthetic and not (list_of(found.dataset) or found.folder):
        return GENERATED
    place = list_of(found.dataset) or found.folder
    return data_name(place) if place else type(innermost(found.dataset)[0]).__name__


def split_facts(
    run: Mapping[str, Any],
    cfg: Any,
    *,
    found: EvaluationReport | None,
    run_folder: Path | None,
    num_classes: int,
) -> list[CardSplit]:
    """Return what is known of each split of a run, and of what was evaluated where that is none of them."""
    splits = []
    now = None if found is None else SampleList.of(found.dataset).digest
    is_listed = False
    for name, facts in known_splits(run):
        is_this = found is not None and facts["digest"] == now and found.split in (None, name)
        is_listed |= is_this
        counts = class_counts(run_folder, name, facts["digest"], num_classes=num_classes)
        bad = len((run.get("bad_images") or {}).get(name, ()))
        left_out = [counted(bad, "unreadable image")] if bad else []
        if is_this and found is not None:
            counts, left_out = _evaluated_counts(found), _left_out(found)
        splits.append(
            CardSplit(
                name,
                split_data_name(cfg.policy.collect, name),
                f"{facts['num_samples']:,}",
                _range(counts),
                "; ".join(left_out),
                facts["digest"],
            )
        )
    if found is not None and now is not None and not is_listed:
        splits.append(
            CardSplit(
                f"{found.split}, evaluated" if found.split else "evaluated",
                evaluated_name(found),
                f"{found.num_samples:,}",
                _range(_evaluated_counts(found)),
                "; ".join(_left_out(found)),
                now,
            )
        )
    return splits


def model_facts(predictor: Predictor, description: str, *, file: str, num_bytes: int, sha256: str) -> Pairs:
    """Return what kind of network it is, and its file."""
    parameters = sum(each.numel() for each in predictor.model.parameters())
    shapes = {tuple(predictor.preprocess(image).shape) for image in example_images()}
    sizes = "of the size that they have"
    if len(shapes) == 1:
        (_, height, width), *_ = shapes
        sizes = f"{height} x {width} pixels (height x width)"
    classes = f"{len(predictor.classes):,} classes"
    answers = f"one of {classes}"
    if predictor.num_tasks is not None:
        answers = f"{predictor.num_tasks} tasks, for each one of {classes}"
    if predictor.has_several_labels:
        answers = f"any number of {classes}, those with a probability from {predictor.threshold:g} on"
    precisions = dict.fromkeys(
        str(each.dtype).removeprefix("torch.") for each in predictor.model.parameters()
    )
    return [
        ("network", description),
        ("parameters", f"{parameters:,}, {' and '.join(precisions)}"),
        ("input", f"RGB images, {sizes}"),
        ("answers", answers),
        ("file", f"{file}, {num_bytes:,} bytes"),
        ("SHA-256 of the file", sha256),
    ]


def example_images() -> Iterator[Any]:
    """Yield noise, uint8 ``(H, W, 3)``, upright and lying: the same each time."""
    generator = torch.Generator().manual_seed(0)
    for height, width in ((320, 240), (240, 320), (300, 300), (97, 213)):
        yield torch.randint(256, (height, width, 3), generator=generator, dtype=torch.uint8).numpy()


def training_facts(state: Mapping[str, Any], cfg: Any) -> Pairs:
    """Return how a network was trained, as its config and its checkpoint say."""
    learn, run = cfg.policy.learn, state["run"]
    environment = state.get("environment") or {}
    is_by_epoch = learn.max_iters is None
    length = counted(learn.train_epoch, "epoch") if is_by_epoch else counted(learn.max_iters, "update")
    kind = (learn.optimizer or {}).get("type", "SGD")
    schedule = learn.lr_schedule if isinstance(learn.lr_schedule, str) else "of its own config"
    average = next((name.upper() for name in ("ema", "swa") if learn.get(name)), None)
    facts = [
        ("length of the run", length),
        ("updates that these weights have seen", f"{state.get('last_iter', 0):,}"),
        ("weights", f"an average over training ({average})" if average else "those of training"),
        ("started from", _started_from(cfg.policy.model)),
        ("optimizer", f"{kind}, learning rate {learn.learning_rate:g} ({schedule})"),
        ("weight decay", f"{learn.weight_decay:g}"),
        ("images per update", f"{run.get('global_batch_size') or learn.batch_size}"),
        ("label smoothing", f"{learn.label_smoothing:g}" if learn.label_smoothing else ""),
        ("precision", str(learn.precision)),
        ("seed", str(run.get("seed", cfg.seed))),
        ("versions", f"torch {environment['torch']}" if "torch" in environment else ""),
        ("processes", str(environment.get("world_size", ""))),
    ]
    return [(name, value) for name, value in facts if value]


def preprocessing_lines(preprocessing: PipelinePreprocessing) -> list[str]:
    """Return what is done to an image, step by step, with all numbers."""
    first = "decode as RGB of 8 bits, turned upright as EXIF says, white behind what is transparent"
    if isinstance(preprocessing, Preprocessing):
        size = preprocessing.image_size
        numbers = f"mean {list(preprocessing.mean)}, divide by std {list(preprocessing.std)}"
        return [
            first,
            f"resize the shorter side to {preprocessing.resize_size} pixels, {preprocessing.interpolation} "
            "with antialiasing (Pillow)",
            f"cut out the middle, {size} x {size} pixels",
            f"divide by 255, subtract {numbers}, for R, G and B",
            f"order as float32 (3, {size}, {size})",
        ]
    steps = [str(step) for step in preprocessing.state_dict()["pipeline"]]
    stated = preprocessing.stated
    last = "normalised by a step of its own" if stated is None else f"normalised by {stated}"
    return [first, *steps, f"{last}; float32 (3, height, width)"]


def confidence_facts(calibration: Calibration | None) -> Pairs:
    """Return what `ding-cls calibrate` has found; empty where it has not been run."""
    if calibration is None:
        return []
    fitted = calibration.fitted_on
    facts = [
        (
            "temperature, which logits are divided by",
            ", ".join(f"{each:.4g}" for each in calibration.temperatures),
        ),
        ("measured on", f"{fitted['num_samples']:,} images{_of_split(fitted.get('split'))}"),
    ]
    for title, errors in (
        ("as they are", calibration.before),
        ("over the temperature", calibration.after),
        ("the same, on held-out halves", calibration.held_out),
    ):
        if errors:
            facts.append(
                (f"error of the scores, {title}", f"ECE {errors['ece']:.4f}, NLL {errors['nll']:.4f}")
            )
    if calibration.curve is not None:
        for coverage in _COVERAGES:
            point = calibration.curve.at_coverage(coverage)
            text = f"{point.risk:.2f} % wrong, scores from {point.threshold:.4f} on"
            facts.append((f"surest {coverage} % of the images", text))
    return facts


def limits(predictor: Predictor, *, has_calibration: bool) -> list[str]:
    """Return what is known not to work."""
    found = [
        "The results hold for images of the kind that it was measured on; which groups of them it does worse "
        "on has not been looked at."
    ]
    if not predictor.has_several_labels:
        found.append("It names one of its classes for any image, also for one that shows none of them.")
    if not has_calibration:
        found.append("Its scores have not been calibrated: they are no probabilities of being right.")
    return found


def _evaluated_counts(found: EvaluationReport) -> list[int]:
    counts: list[int] = found.records.by_class(len(found.classes))["images"].astype(int).tolist()
    return counts


def _left_out(found: EvaluationReport) -> list[str]:
    bad = getattr(found.dataset, "n_bad", 0)
    parts = [counted(bad, "unreadable image")] if bad else []
    return parts + [
        str(each.left_out) for each in innermost(found.dataset) if getattr(each, "left_out", None)
    ]


def _range(counts: Sequence[int]) -> str:
    if not counts:
        return ""
    low, high = min(counts), max(counts)
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def _of_split(split: str | None) -> str:
    return f" of split {split}" if split else ""


def _started_from(description: Mapping[str, Any]) -> str:
    """Return where the first weights came from, without its place."""
    given = initial_weights(description)
    if given is None:
        return "random values"
    return (
        "weights of its library, trained on ImageNet or as that says" if given is True else Path(given).name
    )


def initial_weights(description: Any) -> Any:
    """Return the first file, address or True in what a config says of a network; None: random values."""
    if isinstance(description, list | tuple):
        return next(filter(None, map(initial_weights, description)), None)
    if not isinstance(description, Mapping):
        return None
    own = description.get("pretrained") or description.get("checkpoint_path") or description.get("checkpoint")
    return own or next(filter(None, map(initial_weights, description.values())), None)
