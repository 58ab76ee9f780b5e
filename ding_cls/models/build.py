"""A classification network by its name, or of the parts that a dict names.

The names are torchvision's; our own ResNets replace those of the same name. Weights come from
``pretrained``.
"""

import logging
import os
from collections.abc import Callable, Mapping
from typing import Any

from torch import nn
from torchvision.models import get_model_builder

from ding_cls.errors import ConfigError, ModelError
from ding_cls.models.backbones.lenet import lenet5
from ding_cls.models.backbones.resnet import resnet18, resnet34, resnet50, resnet101, resnet152
from ding_cls.models.backbones.timm import has_timm, timm_names, timm_network
from ding_cls.models.backbones.torchvision import TORCHVISION_DEFAULTS, refuse_unknown, torchvision_names
from ding_cls.models.layers.init import PRETRAINED, descriptions, initialise_by_cfg
from ding_cls.models.layers.ops import accept_colour, set_dropout, set_in_channels
from ding_cls.models.names import holds, likeness, nearest
from ding_cls.models.openmmlab import initialise_own_parts
from ding_cls.models.registry import BACKBONES, CLASSIFIERS, HEADS, NECKS, build_classifier, takes
from ding_cls.models.weights.initial import PARTS, load_initial_weights
from ding_cls.models.weights.timm import INSTALL, PREFIX

_LOGGER = logging.getLogger(__name__)

_DEFAULT_NAME = "resnet18"

_OURS: dict[str, Callable[..., nn.Module]] = {
    "resnet18": resnet18,
    "resnet34": resnet34,
    "resnet50": resnet50,
    "resnet101": resnet101,
    "resnet152": resnet152,
    "lenet5": lenet5,
}
# What any network can be given once it is built; and which networks have it as their own argument.
_LATER: dict[str, Callable[..., None]] = {"in_channels": set_in_channels, "dropout": set_dropout}
_OWN_ARGUMENTS = {
    "dropout": (
        "alexnet",
        "efficientnet",
        "googlenet",
        "inception",
        "mnasnet",
        "mobilenet",
        "squeezenet",
        "vgg",
    ),
    "in_channels": ("lenet5",),
}


def model_names() -> tuple[str, ...]:
    """Return every name that ``build_model`` knows, sorted; it knows timm's too, as ``timm/NAME``."""
    return tuple(sorted({*_OURS, *torchvision_names()}))


def near_names(name: str) -> list[str]:
    """Return the names that a mistyped one may mean, likeliest first: ours and torchvision's, and timm's too
    where it is installed."""
    plain = name.lower().replace("-", "_").removeprefix(PREFIX)
    names = model_names()
    own = nearest(plain, names, 3)
    others = [each for each in timm_names() if each not in names]
    if plain.partition(".")[0] in (*others, *names) and plain not in names:
        # timm's own spelling, a tag of weights behind it too.
        return [f"{PREFIX}{plain}"]
    likeliest = max([likeness(plain, each) for each in own], default=0.0)
    theirs = [
        f"{PREFIX}{each}"
        for each in nearest(plain, others, 2)
        if holds(each, plain) or likeness(plain, each) > likeliest
    ]
    is_ours_nearer = bool(own) and (holds(own[0], plain) or not theirs)
    return [*own, *theirs] if is_ours_nearer else [*theirs, *own]


def is_ours(name: str) -> bool:
    """Return whether a name is of a network that we write ourselves."""
    return name in _OURS


def build_model(
    name: str, *, num_classes: int, pretrained: bool | str | os.PathLike[str] = False, **kwargs: Any
) -> nn.Module:
    """Return a network that maps float ``(N, 3, H, W)`` images to ``(N, num_classes)`` logits.

    What was loaded from where is logged in one line; ``load_pretrained`` returns it.

    Args:
        name: one of ``model_names()``, or ``timm/NAME``.
        num_classes: number of logits.
        pretrained: False: new weights. True: torchvision's (or timm's) default ImageNet weights, downloaded
            once. A path or an https URL: that file. The last layer stays new where the file has another
            number of classes.
        **kwargs: arguments of the network's constructor; of any network ``dropout``, before the last layer,
            and ``in_channels`` of the images. For ``inception_v3`` and
            ``googlenet`` ``transform_input`` is True unless given: they expect images normalised as for
            ImageNet.

    Raises:
        ModelError: if the name or an argument is unknown, or the weights are missing, damaged or do not fit.
    """
    model = _new_model(name, num_classes, kwargs)
    if not pretrained:
        return model
    for report in load_initial_weights(model, {"name": name, "pretrained": pretrained}):
        _LOGGER.info("%s: %s", name, report)
    return model


def new_network(description: Mapping[str, Any], *, num_classes: int, draws_values: bool = True) -> nn.Module:
    """Return the network that a dict describes, with new weights.

    Args:
        description: ``dict(name=, ...)`` with the arguments of ``build_model``, or ``dict(type=, ...)`` of a
            registered network. ``pretrained`` and ``num_classes`` in it are not looked at.
        num_classes: number of logits; a head with a number of its own keeps it.
        draws_values: the ``init_weights`` of parts of the user's is called; False: a file has all values.

    Raises:
        ConfigError: an unknown type or argument, or both ``type`` and the ``name`` of another network.
        ModelError: an unknown name, or parts that make no network.
    """
    arguments = {k: v for k, v in description.items() if k not in ("pretrained", "num_classes")}
    if arguments.get("type") is None:
        arguments.pop("type", None)
        initial = arguments.pop("init_cfg", None)
        network = build_model(arguments.pop("name", _DEFAULT_NAME), num_classes=num_classes, **arguments)
        initialise_by_cfg(network, initial)
        return network
    # The default of the config's schema is there beside every type.
    name = arguments.pop("name", _DEFAULT_NAME)
    if name != _DEFAULT_NAME:
        raise ConfigError(f"a network has the name {name!r} and the type {arguments['type']!r}; keep one")
    kind = arguments["type"]
    if isinstance(kind, str) and kind not in CLASSIFIERS and kind in torchvision_names():
        raise ConfigError(f"'{kind}' is the name of a network, no type: write model=dict(name='{kind}')")
    network = _of_parts(arguments, num_classes)
    if draws_values:
        initialise_own_parts(network)
    return network


def _of_parts(description: dict[str, Any], num_classes: int) -> nn.Module:
    """Return a network by type; what only ``initial`` and ``initialisers`` read does not reach its parts."""
    initial: dict[str, Any] = {}
    for part in PARTS:
        cfg = description.get(part)
        if isinstance(cfg, Mapping):
            description[part], initial[part] = _without_weights(cfg, part)
    initial[""] = description.pop("init_cfg", None) if "backbone" in description else None
    network: nn.Module = build_classifier(description, num_classes=num_classes)
    accept_colour(network)
    for part in ("", *PARTS):
        if initial.get(part) is not None:
            initialise_by_cfg(getattr(network, part) if part else network, initial[part])
    return network


def _without_weights(cfg: Mapping[str, Any], part: str) -> tuple[dict[str, Any], Any]:
    """Return a part's description for its constructor, and the ``init_cfg`` that this does not take."""
    arguments = dict(cfg)
    kind = arguments.get("type")
    constructor = BACKBONES.get(kind) if part == "backbone" and isinstance(kind, str) else kind
    if part == "backbone" and hasattr(constructor, "accepts_pretrained"):
        arguments.pop("pretrained", None)
        return arguments, arguments.pop("init_cfg", None)
    given = arguments.get("init_cfg")
    if any(each.get("type") == PRETRAINED for each in descriptions(given)):
        return arguments, arguments.pop("init_cfg")
    registry = {"backbone": BACKBONES, "neck": NECKS, "head": HEADS}[part]
    constructor = registry.get(kind) if isinstance(kind, str) else kind
    if given is not None and callable(constructor) and not takes(constructor, "init_cfg"):
        return arguments, arguments.pop("init_cfg")
    return arguments, None


def _new_model(name: str, num_classes: int, kwargs: dict[str, Any]) -> nn.Module:
    if isinstance(num_classes, bool) or not isinstance(num_classes, int) or num_classes < 1:
        raise ModelError(f"num_classes={num_classes!r} of model {name!r} must be a whole number from 1 on")
    if str(name).startswith(PREFIX):
        model = timm_network(name, num_classes=num_classes, **kwargs)
        accept_colour(model)
        return model
    names = model_names()
    if name not in names:
        raise ModelError(f"unknown model {name!r}; {_suggestion(name, names)}")
    if "weights" in kwargs:
        raise ModelError(
            f"model {name!r}: give weights as pretrained=True or pretrained=PATH, not as weights"
        )
    if kwargs.get("aux_logits"):
        raise ModelError(
            f"model {name!r}: aux_logits must stay off; forward would return more than the logits"
        )
    builder = _OURS.get(name) or get_model_builder(name)
    arguments = TORCHVISION_DEFAULTS.get(name, {}) | kwargs
    later = {key: arguments.pop(key) for key in _LATER if key in arguments and not _takes_itself(name, key)}
    try:
        refuse_unknown(name, arguments)
        model = builder(num_classes=num_classes, **arguments)
    except Exception as error:  # what an argument of the wrong kind or size raises is each network's own
        raise ModelError(f"model {name!r} cannot be built with {arguments}: {error}") from error
    for key, value in later.items():
        _LATER[key](model, value)
    accept_colour(model)
    return model


def _takes_itself(name: str, key: str) -> bool:
    """Return whether a network's own constructor has an argument, and means the same by it."""
    return key in _OWN_ARGUMENTS and name.startswith(_OWN_ARGUMENTS[key])


def _suggestion(name: str, names: tuple[str, ...]) -> str:
    nearest = near_names(str(name))
    missing = "" if has_timm() else f"; timm has more, as {PREFIX}NAME, and is not installed: {INSTALL}"
    if nearest:
        return f"did you mean {' or '.join(nearest)}?{missing}"
    known = f"known are {len(names)} names, such as resnet18 or mobilenet_v2; ding-cls models lists them"
    return known + (missing or f", ding-cls models '{PREFIX}*' those of timm")
