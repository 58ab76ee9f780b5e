"""A classification network by its name, or of the parts that a dict names.

The names are torchvision's; our own ResNets stand in for those of the same name. Weights come from
``pretrained``.
"""

import difflib
import logging
import os
from collections.abc import Callable, Mapping
from typing import Any

import torchvision
from torch import nn
from torchvision.models import get_model_builder, list_models

from ding_cls.errors import ConfigError, ModelError
from ding_cls.models.pretrained import load_pretrained
from ding_cls.models.registries import build_classifier
from ding_cls.models.resnet import resnet18, resnet34, resnet50, resnet101, resnet152
from ding_cls.models.weights import fetch_weights

_LOGGER = logging.getLogger(__name__)

_DEFAULT_NAME = "resnet18"

_OURS: dict[str, Callable[..., nn.Module]] = {
    "resnet18": resnet18,
    "resnet34": resnet34,
    "resnet50": resnet50,
    "resnet101": resnet101,
    "resnet152": resnet152,
}

# Auxiliary outputs are left out: forward returns the logits and nothing else. init_weights silences a warning
# about its own default. transform_input is on with and without pretrained weights, because it is no part of
# the weights: a network that is rebuilt without them to load a checkpoint must see the same numbers.
_INCEPTION_DEFAULTS = {"aux_logits": False, "init_weights": True, "transform_input": True}
_DEFAULTS: dict[str, dict[str, Any]] = {"inception_v3": _INCEPTION_DEFAULTS, "googlenet": _INCEPTION_DEFAULTS}


def model_names() -> tuple[str, ...]:
    """Return every name that ``build_model`` knows, sorted."""
    return tuple(sorted({*_OURS, *list_models(module=torchvision.models)}))


def build_model(
    name: str, *, num_classes: int, pretrained: bool | str | os.PathLike[str] = False, **kwargs: Any
) -> nn.Module:
    """Return a network that maps float ``(N, 3, H, W)`` images to ``(N, num_classes)`` logits.

    What was loaded from where is logged in one line; ``load_pretrained`` returns it.

    Args:
        name: one of ``model_names()``.
        num_classes: number of logits.
        pretrained: False: new weights. True: torchvision's default ImageNet weights, downloaded once. A path:
            that file. The last layer stays new where the file has another number of classes.
        **kwargs: arguments of the network's constructor, such as ``dropout``. For ``inception_v3`` and
            ``googlenet`` ``transform_input`` is True unless given: they expect images normalised as for
            ImageNet.

    Raises:
        ModelError: if the name or an argument is unknown, or the weights are missing, damaged or do not fit.
    """
    model = _new_model(name, num_classes, kwargs)
    if not pretrained:
        return model
    source = fetch_weights(name) if pretrained is True else pretrained
    _LOGGER.info("%s: %s", name, load_pretrained(model, source))
    return model


def new_network(description: Mapping[str, Any], *, num_classes: int) -> nn.Module:
    """Return the network that a dict describes, with new weights.

    Args:
        description: ``dict(name=, ...)`` with the arguments of ``build_model``, or ``dict(type=, ...)`` of a
            registered network. ``pretrained`` and ``num_classes`` in it are not looked at.
        num_classes: number of logits; a head that says its own keeps it.

    Raises:
        ConfigError: an unknown type or argument, or both ``type`` and the ``name`` of another network.
        ModelError: an unknown name, or parts that make no network.
    """
    arguments = {k: v for k, v in description.items() if k not in ("pretrained", "num_classes")}
    if arguments.get("type") is None:
        arguments.pop("type", None)
        return build_model(arguments.pop("name", _DEFAULT_NAME), num_classes=num_classes, **arguments)
    # The default of the config's schema stands beside every type.
    name = arguments.pop("name", _DEFAULT_NAME)
    if name != _DEFAULT_NAME:
        raise ConfigError(f"a network has the name {name!r} and the type {arguments['type']!r}; keep one")
    network: nn.Module = build_classifier(arguments, num_classes=num_classes)
    return network


def pretrained_file(network: nn.Module, description: Mapping[str, Any]) -> str | os.PathLike[str] | None:
    """Return the file of the weights that ``pretrained`` asks for; None where it asks for none.

    Args:
        network: what ``new_network`` returned.
        description: what it was built from; ``pretrained`` is False, a file, or True for torchvision's
            weights, which are downloaded once.

    Raises:
        ModelError: there are no such weights, or they cannot be downloaded.
    """
    pretrained = description.get("pretrained", False)
    if isinstance(pretrained, str) and "://" in pretrained:
        raise ModelError(
            f"pretrained={pretrained!r}: addresses are not fetched yet; download the file, or set "
            "pretrained=True"
        )
    if pretrained is not True:
        return pretrained or None
    if description.get("type") is None:
        return fetch_weights(description.get("name", _DEFAULT_NAME))
    backbone = getattr(network, "backbone", network)
    if not hasattr(backbone, "torchvision_name"):
        raise ModelError(
            f"there are no pretrained weights for a {type(backbone).__name__}; give a file as pretrained"
        )
    return fetch_weights(str(backbone.torchvision_name))


def _new_model(name: str, num_classes: int, kwargs: dict[str, Any]) -> nn.Module:
    names = model_names()
    if name not in names:
        raise ModelError(f"unknown model {name!r}; {_suggestion(name, names)}")
    if isinstance(num_classes, bool) or not isinstance(num_classes, int) or num_classes < 1:
        raise ModelError(f"num_classes={num_classes!r} of model {name!r} must be a whole number from 1 on")
    if "weights" in kwargs:
        raise ModelError(
            f"model {name!r}: give weights as pretrained=True or pretrained=PATH, not as weights"
        )
    if kwargs.get("aux_logits"):
        raise ModelError(
            f"model {name!r}: aux_logits must stay off; forward would return more than the logits"
        )
    builder = _OURS.get(name) or get_model_builder(name)
    arguments = _DEFAULTS.get(name, {}) | kwargs
    try:
        model: nn.Module = builder(num_classes=num_classes, **arguments)
    except (TypeError, ValueError) as error:
        raise ModelError(f"model {name!r} cannot be built with {arguments}: {error}") from error
    return model


def _suggestion(name: str, names: tuple[str, ...]) -> str:
    plain = str(name).lower().replace("-", "_")
    nearest = difflib.get_close_matches(plain, names, n=3, cutoff=0.6)
    if nearest:
        return f"did you mean {' or '.join(nearest)}?"
    return (
        f"known are torchvision's {len(names)} classifiers, such as resnet18, mobilenet_v2 or efficientnet_b0"
    )
