"""Transforms of albumentations as a step, where that library is installed."""

from __future__ import annotations

import importlib
import os
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from ding_cls.data.transforms.array_ops import as_array, with_image
from ding_cls.data.transforms.registry import PIPELINES
from ding_cls.errors import ConfigError

_INSTALL = "pip install 'albumentations>=2.0'"


@PIPELINES.register_module()
class Albu:
    """Runs transforms of albumentations, one after the other, on the image as R, G, B.

    Args:
        transforms: dicts with ``type``, a class of albumentations, and its arguments; ``transforms`` among
            them holds such dicts again.
        keymap: only ``dict(img='image')``, which it is in any case.

    Raises:
        ConfigError: the library is missing, or a name or an argument that it does not have.
    """

    is_builtin = False

    def __init__(
        self,
        transforms: Sequence[Mapping[str, Any]],
        keymap: Mapping[str, str] | None = None,
    ) -> None:
        if keymap is not None and dict(keymap) != {"img": "image"}:
            raise ConfigError(f"Albu: keymap={keymap!r} must be dict(img='image')")
        # It would ask the network for a newer version.
        os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")
        try:
            self._library = importlib.import_module("albumentations")
        except ImportError as error:
            raise ConfigError(f"Albu needs albumentations ({error}); install it: {_INSTALL}") from error
        self._steps = self._library.Compose([self._built(each) for each in transforms])
        if not hasattr(self._steps, "set_random_seed"):
            raise ConfigError(
                f"Albu needs an albumentations that takes seeds, not {self._library.__version__}: {_INSTALL}"
            )

    def __call__(self, results: dict[str, Any]) -> dict[str, Any]:
        """Return the sample with the image changed."""
        # The library draws from generators of its own.
        self._steps.set_random_seed(int(torch.randint(2**31, ())))
        return with_image(results, as_array(self._steps(image=as_array(results["img"]))["image"]))

    def _built(self, described: Mapping[str, Any]) -> Any:
        if not isinstance(described, Mapping) or not isinstance(described.get("type"), str):
            raise ConfigError(f"Albu: transforms holds dict(type='Name', ...), not {described!r}")
        given = dict(described)
        name = given.pop("type")
        kind = getattr(self._library, name, None)
        if kind is None:
            raise ConfigError(f"Albu: albumentations has no transform named '{name}'")
        if isinstance(given.get("transforms"), Sequence):
            given["transforms"] = [self._built(each) for each in given["transforms"]]
        try:
            return kind(**given)
        except (TypeError, ValueError) as error:
            raise ConfigError(f"Albu: {name} refuses {given}: {error}") from error
