"""A predictor of torch from a run's checkpoint, a file of weights, or a library's network.

`ding_cls.inference.opening` tells these apart.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

from torch import Tensor, nn

from ding_cls.answers.calibration import Calibration
from ding_cls.checkpoint import read_checkpoint
from ding_cls.checkpoint.keeper import checkpoint_file
from ding_cls.config.merge import plain_copy
from ding_cls.config.preprocessing import INPUT_KEYS
from ding_cls.config.user_code import import_user_code
from ding_cls.data import BaseDataset, PipelinePreprocessing, Preprocessing
from ding_cls.errors import CheckpointError, ConfigError, ModelError
from ding_cls.images import NUM_IMAGENET_CLASSES, imagenet_classes
from ding_cls.inference.described_weights import described_network, described_weights
from ding_cls.inference.members import refuse_image
from ding_cls.inference.predictor import Predictor
from ding_cls.inference.saved_run import (
    described_run,
    has_several_labels,
    label_threshold,
    preprocessing_in,
)
from ding_cls.models import (
    build_model,
    classifier_names,
    evaluated_part,
    load_exactly,
    load_pretrained,
    new_network,
    read_weights,
    weights_in,
)
from ding_cls.models.input_statistics import input_statistics
from ding_cls.models.weights.parts import weights_file
from ding_cls.models.weights.timm import PREFIX, timm_library

_LOGGER = logging.getLogger(__name__)

Source: TypeAlias = str | os.PathLike[str]
Classes: TypeAlias = str | os.PathLike[str] | Sequence[str] | None


def predictor_of_run(
    source: Source | None,
    model: nn.Module | None,
    *,
    threshold: float | None,
    device: str | None,
    allow_code: bool,
    calibrated: bool,
    max_risk: float | None,
    tta: bool,
) -> Predictor:
    if source is None:
        raise ConfigError(
            "say which network: a run's folder, a checkpoint, or model=NAME with a file or pretrained=True"
        )
    file = checkpoint_file(source)
    state = _read_state(file, source)
    run, cfg = described_run(state, file, has_model=model is not None, function="load")
    import_user_code(cfg, is_allowed=allow_code)
    if cfg.policy.collect.synthetic:
        _LOGGER.warning("'%s' was trained on generated images: its classes mean nothing on real ones", source)
    classes = run["class_names"]
    network = model
    if network is None:
        network = new_network(plain_copy(cfg.policy.model), num_classes=len(classes), draws_values=False)
    try:
        load_exactly(network, weights_in(evaluated_part(state)))
    except CheckpointError as error:
        raise CheckpointError(f"'{file}': {error}") from error
    is_several = has_several_labels(run, cfg, network)
    if threshold is not None and not is_several:
        raise ConfigError(
            f"threshold={threshold:g} is for images with several labels; those of '{source}' have one: "
            "leave it out"
        )
    calibration = None
    if calibrated:
        num_tasks = getattr(getattr(network, "head", None), "num_tasks", None)
        calibration = Calibration.of(state, file, num_classes=len(classes), num_tasks=num_tasks)
        if threshold is not None:
            calibration = replace(calibration, precision=None)
    return Predictor(
        network,
        preprocessing_in(run, file),
        classes,
        has_several_labels=is_several,
        threshold=label_threshold(cfg) if threshold is None else threshold,
        device=device,
        batch_size=cfg.policy.eval.batch_size,
        num_workers=cfg.policy.learn.learner.dataloader.num_workers,
        precision=cfg.policy.learn.precision,
        channels_last=cfg.policy.learn.channels_last,
        calibration=calibration,
        max_risk=max_risk,
        tta=tta,
        checkpoint=file,
    )


def _read_state(file: Path, source: str | os.PathLike[str]) -> dict[str, Any]:
    """Return a checkpoint; say what else a file is, where that is known."""
    if not file.is_file() and Path(source).is_dir():
        raise CheckpointError(
            f"'{source}' is no run's folder: there is no {file.relative_to(source)} in it; the run or "
            "checkpoint is named first, then the images"
        )
    try:
        state = read_checkpoint(file)
    except CheckpointError:
        refuse_image(file)
        if not _holds_weights(file):
            raise
        state = {}
    if "run" not in state and "model" not in state:
        if name := described_network(file):
            raise CheckpointError(
                f"'{file}' holds weights alone, of {name}: predict takes them with --model {name} (in Python "
                f"model='{name}'), other verbs a run's folder"
            )
        raise CheckpointError(
            f"'{file}' holds weights alone and does not say which network they are for; predict takes "
            "them with --model NAME (in Python model='NAME'; ding-cls models lists the names), other verbs a "
            "run's folder"
        )
    return state


def _holds_weights(file: Path) -> bool:
    try:
        return bool(read_weights(file))
    except ModelError:
        return False


def predictor_of_weights(
    source: Source | None,
    model: str | nn.Module | None,
    *,
    pretrained: bool,
    classes: Classes,
    device: str | None,
    tta: bool,
) -> Predictor:
    if not isinstance(model, str):
        raise ConfigError("say which network: model='NAME'; ding-cls models lists the names")
    if pretrained == (source is not None):
        raise ConfigError(
            f"the weights of {model} are in a file, or its library's (pretrained); give one of the two"
        )
    if source is not None and Path(source).is_dir():
        raise ConfigError(f"'{source}' is a folder; a run knows its network: leave out --model {model}")
    about = None if source is None else described_weights(source)
    names = BaseDataset.get_classes(classes if about is None or classes is not None else about[0].classes)
    network = _network_with(source, model, len(names) if names else NUM_IMAGENET_CLASSES)
    num_classes = _num_outputs(network)
    if names is None and num_classes == NUM_IMAGENET_CLASSES:
        names = tuple(imagenet_classes())
    if names is None or len(names) != num_classes:
        given = "no names for them are known" if names is None else f"{len(names)} names were given"
        raise ConfigError(
            f"the weights of {model} have {num_classes:,} classes, and {given}; add --classes FILE, a text "
            "with one name a line, in the order of the class numbers (in Python classes=); a checkpoint of a "
            "run knows names and network: leave out --model"
        )
    preprocessing = library_preprocessing(model) if about is None else about[1]
    if about is None and source is not None:
        _LOGGER.warning(
            "'%s' does not say how images are prepared for it: %s, as for the weights of %s's library",
            source,
            _in_words(preprocessing),
            model,
        )
    return Predictor(
        network,
        preprocessing,
        names,
        has_several_labels=about is not None and about[0].has_several_labels,
        threshold=0.5 if about is None else about[0].threshold,
        device=device,
        tta=tta,
    )


def _network_with(source: str | os.PathLike[str] | None, model: str, num_classes: int) -> nn.Module:
    """Return a network with all its weights; with as many classes as a file has."""
    if source is None:
        return build_model(model, num_classes=_num_library_classes(model), pretrained=True)
    source = weights_file(source)
    network = build_model(model, num_classes=num_classes)
    report = load_pretrained(network, source)
    if not report.reinitialised:
        return network
    # The last layer is of another size in the file.
    endings = tuple(f"{name}.weight" for name in classifier_names(network))
    weights = read_weights(source)
    found: list[Tensor] = [tensor for name, tensor in weights.items() if name.endswith(endings)]
    if not found:
        raise ModelError(f"weights file {source} has no last layer for {model}, only its body")
    network = build_model(model, num_classes=len(found[-1]))
    report = load_pretrained(network, source)
    if report.reinitialised:
        raise ModelError(
            f"weights file {source} does not fit {model}: it lacks {', '.join(report.reinitialised)}"
        )
    return network


def _num_library_classes(model: str) -> int:
    if not model.startswith(PREFIX):
        return NUM_IMAGENET_CLASSES
    found = timm_library(model).get_pretrained_cfg(model.removeprefix(PREFIX))
    return int(found.num_classes) if found is not None else NUM_IMAGENET_CLASSES


def _num_outputs(network: nn.Module) -> int:
    layer = network.get_submodule(classifier_names(network)[-1])
    return int(layer.get_parameter("weight").shape[0])


def _in_words(preprocessing: PipelinePreprocessing) -> str:
    if not isinstance(preprocessing, Preprocessing):
        return "by their usual steps"
    return f"resized to {preprocessing.resize_size} pixels and cut to {preprocessing.image_size}"


def library_preprocessing(model: str) -> PipelinePreprocessing:
    """Return what the library of a network does to an image; ImageNet's usual way where it does not say."""
    expected = input_statistics({"name": model, "pretrained": True})
    if expected is None:
        return Preprocessing()
    return Preprocessing(**{name: getattr(expected, name) for name in INPUT_KEYS})
