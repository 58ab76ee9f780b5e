"""Bases of mmcv and mmclassification: parts with ``init_weights``, networks that are called by keyword.

In training ``init_weights`` is called for those parts of a network that are the user's; the library's draw
their values when they are built. It must not know which parts there are.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from typing import Any

from torch import Tensor, nn

from ding_cls.errors import ConfigError
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


class BaseClassifier(BaseModule):
    """Base of whole networks; a subclass has ``extract_feat``, and may have the other methods of its own.

    ``model(img, gt_label=, return_loss=True)`` calls ``forward_train``, ``return_loss=False`` calls
    ``simple_test``.

    Attributes:
        CLASSES: the names of the classes; None until they are set.
    """

    CLASSES: tuple[str, ...] | None = None
    backbone: nn.Module
    neck: nn.Module | None
    head: nn.Module | None

    @property
    def with_neck(self) -> bool:
        """Whether there is a neck."""
        return getattr(self, "neck", None) is not None

    @property
    def with_head(self) -> bool:
        """Whether there is a head."""
        return getattr(self, "head", None) is not None

    def extract_feat(self, images: Tensor, stage: str = "neck") -> Any:
        """Return the features of images."""
        raise NotImplementedError

    def extract_feats(self, imgs: Iterable[Tensor], stage: str = "neck") -> list[Any]:
        """Return the features of each batch of several."""
        return [self.extract_feat(each, stage) for each in imgs]

    def forward_train(self, img: Tensor, gt_label: Tensor, **kwargs: Any) -> dict[str, Any]:
        """Return the losses of a batch, by name."""
        head: Any = self.head
        return dict(head.forward_train(self.extract_feat(img), gt_label, **kwargs))

    def simple_test(self, img: Tensor, img_metas: Any = None, **kwargs: Any) -> Any:
        """Return an array of probabilities for each image; keywords go to the head's ``simple_test``."""
        head: Any = self.head
        return head.simple_test(self.extract_feat(img), **kwargs)

    def forward_test(self, imgs: Tensor | list[Tensor], **kwargs: Any) -> Any:
        """Return ``simple_test`` of a batch, which may be alone in a list.

        Raises:
            ConfigError: there are several.
        """
        if not isinstance(imgs, Tensor) and len(imgs) != 1:
            raise ConfigError(f"forward_test takes one batch of images, not {len(imgs)}")
        return self.simple_test(imgs if isinstance(imgs, Tensor) else imgs[0], **kwargs)

    def forward(self, img: Any, return_loss: bool = True, **kwargs: Any) -> Any:
        """Return the losses, or the results of a test."""
        return self.forward_train(img, **kwargs) if return_loss else self.forward_test(img, **kwargs)

    def train_step(self, data: Mapping[str, Any], optimizer: Any = None, **kwargs: Any) -> dict[str, Any]:
        """Return ``loss``, ``log_vars`` and ``num_samples`` of a batch; nothing is updated.

        Args:
            data: ``img`` and ``gt_label``, by name.
            optimizer: not used; a subclass may.
            **kwargs: likewise.
        """
        plain = {name: value for name, value in data.items() if name != "img_metas"}
        loss, log_vars = self._parse_losses(self(return_loss=True, **plain))
        return {"loss": loss, "log_vars": log_vars, "num_samples": len(data["img"])}

    def val_step(self, data: Mapping[str, Any], optimizer: Any = None, **kwargs: Any) -> dict[str, Any]:
        """Return the same as ``train_step``."""
        return self.train_step(data, optimizer, **kwargs)

    def _parse_losses(self, losses: Mapping[str, Any]) -> tuple[Any, dict[str, float]]:
        """Return the sum of what has ``loss`` in its name, and every value as a number."""
        found: dict[str, Any] = {}
        for name, value in losses.items():
            inner = value if isinstance(value, Mapping) else {name: value}
            for each, one in inner.items():
                values = one if isinstance(one, list | tuple) else [one]
                found[str(each)] = sum(entry.mean() for entry in values)
        total = sum(value for name, value in found.items() if "loss" in name)
        return total, {name: float(_detached(value)) for name, value in {**found, "loss": total}.items()}


def _detached(value: Any) -> Any:
    return value.detach() if isinstance(value, Tensor) else value


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
        if not is_ours(type(part)):
            call_init_weights(part)


def _needs_nothing(method: Any) -> bool:
    try:
        inspect.signature(method).bind()
    except (TypeError, ValueError):
        return False
    return True
