"""The tables of parts: whole networks, backbones, necks, heads, losses; and building a part from a dict.

It must not know any part: ours enter themselves when their modules are imported, and so do the libraries
where names of others are found.
"""

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch import nn

from ding_cls.errors import ModelError
from ding_cls.registry import Registry, build_from_cfg


def _built(cfg: Any, registry: Registry[Any], default_args: Mapping[str, Any] | None = None) -> Any:
    """Return a part; an ``init_cfg`` that its constructor does not take is left to its ``init_weights``."""
    if isinstance(cfg, nn.Module):
        return cfg
    initial = None
    if isinstance(cfg, Mapping) and cfg.get("init_cfg") is not None:
        kind = cfg.get("type")
        constructor: Any = registry.get(kind) if isinstance(kind, str) else kind
        if hasattr(constructor, "accepts_pretrained") or (
            hasattr(constructor, "init_weights") and not takes(constructor, "init_cfg")
        ):
            cfg = {**cfg}
            initial = cfg.pop("init_cfg")
    part = build_from_cfg(cfg, registry, default_args)
    if initial is not None:
        part.init_cfg = initial
    return part


MODELS: Registry[Callable[..., Any]] = Registry("model", _built, scope="mmcls")
CLASSIFIERS: Registry[Callable[..., Any]] = Registry("classifier", parent=MODELS)
BACKBONES: Registry[Callable[..., Any]] = Registry("backbone", parent=MODELS)
NECKS: Registry[Callable[..., Any]] = Registry("neck", parent=MODELS)
HEADS: Registry[Callable[..., Any]] = Registry("head", parent=MODELS)
LOSSES: Registry[Callable[..., Any]] = Registry("loss", parent=MODELS)

Part = Mapping[str, Any] | nn.Module


def build_backbone(cfg: Part) -> Any:
    """Return the backbone of ``dict(type=, ...)``; a module comes back as it is."""
    return _built(cfg, BACKBONES)


def build_neck(cfg: Part | Sequence[Part]) -> Any:
    """Return the neck of ``dict(type=, ...)``, of a list of such all in a row; a module as it is."""
    if isinstance(cfg, nn.Module | Mapping) or not isinstance(cfg, list | tuple):
        return _built(cfg, NECKS)
    return nn.Sequential(*(_built(each, NECKS) for each in cfg))


def build_head(cfg: Part) -> Any:
    """Return the head of ``dict(type=, ...)``; a module comes back as it is."""
    return _built(cfg, HEADS)


def build_loss(cfg: Part) -> Any:
    """Return the loss of ``dict(type=, ...)``; a module comes back as it is.

    One that takes ``(pred, target)`` alone, as torch's own do, can be called like the others.
    """
    loss = _built(cfg, LOSSES)
    call = loss.forward if isinstance(loss, nn.Module) else loss
    return loss if takes(call, "weight") and takes(call, "avg_factor") else _PlainLoss(loss)


def build_classifier(cfg: Part, *, num_classes: int | None = None) -> Any:
    """Return the whole network of ``dict(type=, ...)``; a module comes back as it is.

    Args:
        cfg: for an ``ImageClassifier`` with its parts as dicts of their own.
        num_classes: number of classes where ``cfg`` is silent, for the head, or for a network without parts
            whose constructor takes it.
    """
    if num_classes is None or not isinstance(cfg, Mapping):
        return _built(cfg, CLASSIFIERS)
    filled = _with_num_classes(cfg, CLASSIFIERS, num_classes)
    if isinstance(filled.get("head"), Mapping):
        head = filled["head"] = _with_num_classes(filled["head"], HEADS, num_classes)
        if "loss" in head:
            head["loss"] = loss_of_classes(head["loss"], head.get("num_classes") or num_classes)
    return _built(filled, CLASSIFIERS)


def loss_of_classes(cfg: Any, num_classes: int) -> Any:
    """Return a loss's description with the number of classes, where it needs one and has none."""
    kind = cfg.get("type") if isinstance(cfg, Mapping) else None
    if kind is None or "num_classes" in cfg or (isinstance(kind, str) and kind not in LOSSES):
        return cfg
    constructor = LOSSES.get(kind) if isinstance(kind, str) else kind
    if not hasattr(constructor, "needs_num_classes"):
        return cfg
    return {**cfg, "num_classes": num_classes}


class _PlainLoss(nn.Module):
    """A loss of the user's that knows neither weights nor averaging factors."""

    def __init__(self, loss: Callable[..., Any]) -> None:
        super().__init__()
        self.loss = loss

    def forward(self, pred: Any, target: Any, weight: Any = None, **ignored: Any) -> Any:
        if weight is not None:
            raise ModelError(
                f"the samples have weights, which the loss {type(self.loss).__name__} cannot use: "
                "it takes no argument 'weight'"
            )
        return self.loss(pred, target)


def takes(function: Callable[..., Any], name: str) -> bool:
    """Return whether a function can be called with the keyword ``name``."""
    try:
        parameters = inspect.signature(function).parameters
    except ValueError:
        # Some functions written in C have none.
        return False
    is_named = name in parameters and parameters[name].kind is not inspect.Parameter.POSITIONAL_ONLY
    return is_named or any(each.kind is each.VAR_KEYWORD for each in parameters.values())


def _with_num_classes(cfg: Mapping[str, Any], registry: Registry[Any], num_classes: int) -> dict[str, Any]:
    kind = cfg.get("type")
    constructor = registry.get(kind) if isinstance(kind, str) else kind
    is_silent = cfg.get("num_classes") is None
    if not (is_silent and callable(constructor) and takes(constructor, "num_classes")):
        return dict(cfg)
    return {**cfg, "num_classes": num_classes}
