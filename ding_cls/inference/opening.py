"""A predictor from what a user names; torch is imported where it is a network of torch.

It must not know what is in a file.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ding_cls.errors import ConfigError
from ding_cls.inference.members import is_onnx, refuse_repeated, with_folds
from ding_cls.inference.onnx.predictor import load_onnx

if TYPE_CHECKING:
    from torch import nn

    from ding_cls.inference.loading import Classes, Source
    from ding_cls.inference.predictor import Predictor


def load(
    source: Source | Sequence[Source] | None = None,
    *,
    model: str | nn.Module | None = None,
    pretrained: bool = False,
    classes: Classes = None,
    threshold: float | None = None,
    device: str | None = None,
    allow_code: bool = False,
    calibrated: bool = False,
    max_risk: float | None = None,
    tta: bool = False,
) -> Predictor:
    """Return a predictor of a run, of a file of weights, of a library's own weights, or of an ONNX file.

    Args:
        source: a run's folder (its best checkpoint), a checkpoint in it; or with ``model`` a file of weights
            alone; or an ONNX file that ``ding-cls export`` has written, of which an `OnnxPredictor` is made.
            Several in a list, or the folder of a cross-validation: the mean of their probabilities is taken.
            None with ``pretrained``.
        model: the name of the network that a file of weights is for, as ``build_model`` takes it; or, for a
            run that was given a network instead of a name, that network.
        pretrained: True: the weights of torchvision or timm for ``model``, downloaded once.
        classes: names of the classes in the order of their numbers, or a text file with one a line; for
            weights that are not of a run. None: those that a published ``.safetensors`` file says, together
            with its preprocessing; else ImageNet's, where there are 1,000.
        threshold: the probability from which on a label is named, where an image may have several; None: what
            the run's metric says, or 0.5.
        device: where to compute, such as ``'cuda:0'``; None: CUDA where there is one.
        allow_code: import the modules that the run's ``custom_imports`` names.
        calibrated: use the temperature and the classes' thresholds that ``ding-cls calibrate`` has left in
            the checkpoint; the mean of several has no thresholds.
        max_risk: with that temperature, name so many images that at most so many percent are expected to be
            wrong; the others are unknown.
        tta: take the mean of the probabilities of each image and its mirror image.

    Raises:
        CheckpointError: the file is missing, damaged, says not what it was made for, or has no calibration.
        ConfigError: arguments that do not go together, or classes without names or, of several, other ones.
        ModelError: an unknown network, or weights that do not fit it.
    """
    sources = _sources(source)
    onnx = [each for each in sources if each is not None and is_onnx(each)]
    if onnx:
        _check_onnx(onnx[0], len(sources), has_network=model is not None or pretrained, device=device)
    how: dict[str, Any] = {
        "threshold": threshold,
        "calibrated": calibrated or max_risk is not None,
        "max_risk": max_risk,
    }
    _check_together(len(sources), model, pretrained=pretrained, classes=classes, **how)
    if onnx:
        return load_onnx(onnx[0], tta=tta, **how)  # type: ignore[return-value]
    how |= {"device": device, "allow_code": allow_code, "tta": tta}
    return _of_torch(sources, model, pretrained=pretrained, classes=classes, **how)


def _of_torch(
    sources: Sequence[Source | None],
    model: str | nn.Module | None,
    *,
    pretrained: bool,
    classes: Classes,
    device: str | None,
    tta: bool,
    **how: Any,
) -> Predictor:
    """Return a predictor of one network of torch, or of the mean of several."""
    from ding_cls.inference.ensemble import Ensemble
    from ding_cls.inference.loading import predictor_of_run, predictor_of_weights

    def member(each: Source | None) -> Predictor:
        if isinstance(model, str) or pretrained:
            return predictor_of_weights(
                each, model, pretrained=pretrained, classes=classes, device=device, tta=tta
            )
        return predictor_of_run(each, model, device=device, tta=tta, **how)

    if len(sources) == 1:
        return member(sources[0])
    refuse_repeated([each for each in sources if each is not None])
    return Ensemble(list(map(member, sources)), list(map(str, sources)))


def _check_together(
    count: int,
    model: Any,
    *,
    pretrained: bool,
    classes: Classes,
    threshold: float | None,
    calibrated: bool,
    max_risk: float | None,
) -> None:
    """Refuse arguments of `load` that do not go together, for so many networks."""
    are_weights = isinstance(model, str) or pretrained
    if are_weights and threshold is not None:
        raise ConfigError("a threshold is for a run whose images have several labels; leave it out")
    if are_weights and calibrated:
        raise ConfigError("weights without a run have no calibration; leave --calibrated and --max-risk out")
    if count > 1 and max_risk is not None:
        raise ConfigError("a risk is known of each network by itself, not of their mean; name one checkpoint")
    if not are_weights and classes is not None:
        raise ConfigError("a run's checkpoint has the names of its classes; leave 'classes' out")
    if count > 1 and model is not None and not isinstance(model, str):
        raise ConfigError("a network holds the weights of one checkpoint; hand it in for each by itself")


def _sources(source: Source | Sequence[Source] | None) -> Sequence[Source | None]:
    """Return what names one network each."""
    if source is None:
        return [None]
    if not isinstance(source, str | os.PathLike) and not source:
        raise ConfigError("the list of networks is empty; name one at least")
    return with_folds([source] if isinstance(source, str | os.PathLike) else source)


def _check_onnx(source: Source, count: int, *, has_network: bool, device: str | None) -> None:
    """Refuse what is for a network of torch beside an ONNX file."""
    if count > 1:
        raise ConfigError(
            f"'{source}' is an ONNX file, and a mean is of checkpoints; name it alone, or the checkpoints"
        )
    if has_network:
        raise ConfigError(
            f"'{source}' is an ONNX file, which holds its network; leave out --model and --pretrained (in "
            "Python model= and pretrained=)"
        )
    if device not in (None, "cpu"):
        raise ConfigError(f"device={device!r}: the ONNX file '{source}' runs on the CPU; leave it out")
