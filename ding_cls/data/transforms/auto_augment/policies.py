"""AutoAugment and RandAugment: operations chosen by chance, with mmclassification's arguments."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torchvision.transforms import v2

from ding_cls.data.transforms.array_ops import FROM_FILE
from ding_cls.data.transforms.auto_augment.magnitude import Operation, check_levels
from ding_cls.data.transforms.compose import Compose
from ding_cls.data.transforms.fill_color import Fill
from ding_cls.data.transforms.registry import PIPELINES
from ding_cls.data.transforms.torchvision import OnImage
from ding_cls.errors import ConfigError

Described = Mapping[str, Any]

_GREY: Mapping[str, Any] = {"pad_val": 128}


def _sided(kind: str, end: float) -> list[dict[str, Any]]:
    return [
        {"type": kind, "magnitude_range": (0, end), "direction": each} for each in ("horizontal", "vertical")
    ]


# Operations whose effect grows with the level. Source: the set "increasing" of timm's RandAugment.
_INCREASING: list[dict[str, Any]] = [
    {"type": "AutoContrast"},
    {"type": "Equalize"},
    {"type": "Invert"},
    {"type": "Rotate", "magnitude_range": (0, 30)},
    {"type": "Posterize", "magnitude_range": (4, 0)},
    {"type": "Solarize", "magnitude_range": (256, 0)},
    {"type": "SolarizeAdd", "magnitude_range": (0, 110)},
    {"type": "ColorTransform", "magnitude_range": (0, 0.9)},
    {"type": "Contrast", "magnitude_range": (0, 0.9)},
    {"type": "Brightness", "magnitude_range": (0, 0.9)},
    {"type": "Sharpness", "magnitude_range": (0, 0.9)},
    *_sided("Shear", 0.3),
    *_sided("Translate", 0.45),
]


@PIPELINES.register_module()
class AutoAugment:
    """Runs one of several lists of operations, each with its own probabilities and magnitudes.

    Args:
        policies: lists of dicts, each list a row of steps; or the name of what was found for a dataset:
            'imagenet', 'cifar10' or 'svhn', which torchvision runs.
        hparams: arguments that the operations take where their dicts do not say: ``pad_val``,
            ``interpolation``.

    Raises:
        ConfigError: an unknown name, or an operation that cannot be built.

    Source: AutoAugment, Cubuk et al. 2018, section 4 and tables 7 to 9 (arXiv:1805.09501).
    """

    def __init__(
        self,
        policies: str | Sequence[Sequence[Described]] = "imagenet",
        hparams: Described = _GREY,
    ) -> None:
        self._named = _by_name(policies, hparams) if isinstance(policies, str) else None
        if isinstance(policies, str):
            self._rows: list[Compose] = []
            return
        if not policies or not all(_is_list_of_dicts(row) for row in policies):
            raise ConfigError(
                "AutoAugment: policies is a list of lists of dict(type='Rotate', ...), or one of imagenet, "
                f"cifar10, svhn; not {policies!r}"
            )
        self._rows = [Compose([_with_hparams(each, hparams) for each in row]) for row in policies]

    @property
    def is_builtin(self) -> bool:
        """Whether no operation is the user's own; see `Compose`."""
        return all(row.is_builtin for row in self._rows)

    def __call__(self, results: dict[str, Any]) -> dict[str, Any]:
        """Return the sample after one of the rows."""
        if self._named is not None:
            return self._named[bool(results.get(FROM_FILE))](results)
        return self._rows[_below(len(self._rows))](results)


@PIPELINES.register_module()
class RandAugment:
    """Runs a few operations of a list, one after the other; one may come twice.

    Args:
        policies: dicts of operations; ``magnitude_range`` takes the place of the magnitude in each that has
            one. Or 'timm_increasing': fifteen whose effect grows with the level.
        num_policies: how many run.
        magnitude_level: as in `Operation`, for all.
        magnitude_std: likewise.
        total_level: likewise; where None, 30 if an operation names its ``magnitude_key``, as configs of
            mmclassification 0.x do, else 10, as mmpretrain has it.
        hparams: as in `AutoAugment`.

    Raises:
        ConfigError: values that mean nothing, or an operation that cannot be built.

    Source: RandAugment, Cubuk et al. 2019, section 3 (arXiv:1909.13719).
    """

    def __init__(
        self,
        policies: str | Sequence[Described] = "timm_increasing",
        num_policies: int = 2,
        magnitude_level: float = 9,
        magnitude_std: float | str = 0.0,
        total_level: float | None = None,
        hparams: Described = _GREY,
    ) -> None:
        if isinstance(policies, str) and policies != "timm_increasing":
            raise ConfigError(
                f"RandAugment: policies={policies!r} must be 'timm_increasing' or a list of dicts"
            )
        described = _INCREASING if isinstance(policies, str) else policies
        if not described or not _is_list_of_dicts(described):
            raise ConfigError(
                f"RandAugment: policies is a list of dict(type='Rotate', ...), not {policies!r}"
            )
        if not isinstance(num_policies, int) or num_policies < 1:
            raise ConfigError(f"RandAugment: num_policies={num_policies!r} must be at least 1")
        if total_level is None:
            total_level = 30 if any("magnitude_key" in each for each in described) else 10
        check_levels("RandAugment", magnitude_level, total_level, magnitude_std)
        self.num_policies = num_policies
        levels = {
            "magnitude_level": magnitude_level,
            "magnitude_std": magnitude_std,
            "total_level": total_level,
        }
        self._steps = [Compose([_levelled(_with_hparams(each, hparams), levels)]) for each in described]

    @property
    def is_builtin(self) -> bool:
        """Whether no operation is the user's own; see `Compose`."""
        return all(step.is_builtin for step in self._steps)

    def __call__(self, results: dict[str, Any]) -> dict[str, Any]:
        """Return the sample after some of the operations."""
        for _ in range(self.num_policies):
            results = self._steps[_below(len(self._steps))](results)
        return results


def _by_name(name: str, hparams: Described) -> dict[bool, OnImage]:
    """Return torchvision's step, for images from arrays and from files."""
    try:
        policy = v2.AutoAugmentPolicy(name)
        mode = v2.InterpolationMode(hparams.get("interpolation", "nearest"))
    except ValueError as error:
        raise ConfigError(f"AutoAugment: {error}; the policies are imagenet, cifar10, svhn") from error
    fill = Fill(hparams.get("pad_val", 128), "AutoAugment", "pad_val")
    return {
        is_from_file: OnImage(
            v2.AutoAugment(policy, interpolation=mode, fill=list(fill.rounded({FROM_FILE: is_from_file})))
        )
        for is_from_file in (False, True)
    }


def _with_hparams(described: Described, hparams: Described) -> dict[str, Any]:
    kind = described.get("type")
    part = PIPELINES.get(kind) if isinstance(kind, str) else kind
    if isinstance(part, type) and issubclass(part, Operation):
        known = part.arguments()
    else:
        known = set(inspect.signature(part).parameters) if callable(part) else set()
    return {**{name: value for name, value in hparams.items() if name in known}, **described}


def _levelled(described: dict[str, Any], levels: Described) -> dict[str, Any]:
    """Return what builds the operation; ``magnitude_key`` must be its own, and the range needs the level."""
    kind, key = described["type"], described.pop("magnitude_key", None)
    part = PIPELINES.get(kind) if isinstance(kind, str) else kind
    own = getattr(part, "key", None)
    if key is not None and key != own:
        raise ConfigError(f"RandAugment: magnitude_key={key!r} of {kind}; its magnitude is called {own!r}")
    return {**described, **levels} if "magnitude_range" in described else described


def _is_list_of_dicts(row: Any) -> bool:
    is_list = isinstance(row, Sequence) and not isinstance(row, str)
    return is_list and all(isinstance(each, Mapping) and "type" in each for each in row)


def _below(limit: int) -> int:
    return int(torch.randint(limit, ()))
