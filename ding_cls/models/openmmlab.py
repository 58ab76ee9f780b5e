"""Bases of mmcv and mmclassification: parts with ``init_weights``.

In training ``init_weights`` is called for those parts of a network that are the user's; the library's draw
their values when they are built. It must not know which parts there are.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from typing import Any

from torch import nn

from ding_cls.models.layers.init import PRETRAINED, descriptions, initialise_by_cfg
from ding_cls.models.weights.initial import load_by_init_cfg
from ding_cls.registry import is_ours

# Their networks have an init_weights of another meaning, which would draw over weights from files.
_OTHERS = ("torch.", "torchvision.", "timm.", "transformers.")


class BaseModule(nn.Module):
    """A module whose ``init_weights`` draws its values as ``init_cfg`` describes them.

    Args:
        init_cfg: ``dict(type='Kaiming', layer='Conv2d')``, a list of such, or ``dict(type='Pretrained',
            checkpoint=, prefix=)``; None: the children's alone.
    """

    init_cfg: Any = None

    def __init__(self, init_cfg: Any = None) -> None:
        super().__init__()
        self.init_cfg = init_cfg

    def init_weights(self) -> None:
        """Draw the values, let each child draw its own, then load what a file is named for.

        Raises:
            ConfigError: an ``init_cfg`` that cannot be used.
            ModelError: its file does not fit.
        """
        initialise_by_cfg(self, self.init_cfg)
        for child in self.children():
            call_init_weights(child)
        for each in descriptions(self.init_cfg):
            if each.get("type") == PRETRAINED:
                load_by_init_cfg(self, each)


class BaseBackbone(BaseModule):
    """Base of backbones: ``forward(images)`` gives a tuple of maps, shallow to deep."""


class Sequential(BaseModule, nn.Sequential):
    """torch's, with ``init_cfg``."""

    def __init__(self, *modules: Any, init_cfg: Any = None) -> None:
        nn.Sequential.__init__(self, *modules)
        self.init_cfg = init_cfg


class ModuleList(BaseModule, nn.ModuleList):
    """torch's, with ``init_cfg``."""

    def __init__(self, modules: Iterable[nn.Module] | None = None, init_cfg: Any = None) -> None:
        nn.ModuleList.__init__(self, modules)
        self.init_cfg = init_cfg


def call_init_weights(module: nn.Module) -> None:
    """Call a module's ``init_weights``, where it has one that needs no argument and is mmcv's in meaning."""
    method = getattr(module, "init_weights", None)
    definer = next((kind for kind in type(module).__mro__ if "init_weights" in vars(kind)), type(module))
    if callable(method) and not definer.__module__.startswith(_OTHERS) and _needs_nothing(method):
        method()


def initialise_own_parts(network: nn.Module) -> None:
    """Let the parts of a network that are the user's draw their values; the library's have done so."""
    if isinstance(network, BaseModule) and not is_ours(type(network)):
        network.init_weights()
        return
    for part in network.children():
        # Several necks are in a row of torch's.
        for each in part if type(part) is nn.Sequential else (part,):
            if not is_ours(type(each)):
                call_init_weights(each)


def _needs_nothing(method: Any) -> bool:
    try:
        inspect.signature(method).bind()
    except (TypeError, ValueError):
        return False
    return True
